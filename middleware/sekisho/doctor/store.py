"""Examines the store: version, eviction, persistence, rights, clock, latency, workers."""

from __future__ import annotations

import contextlib
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from redis.exceptions import RedisError, ResponseError

from sekisho.control import ControlError, ControlMac, record_in
from sekisho.control.beacon import BeaconMac
from sekisho.doctor import rights
from sekisho.doctor.report import DoctorReport, Unseen
from sekisho.doctor.servers import servers_of, talking
from sekisho.doctor.versions import checks_of_version, version_of
from sekisho.ledger.worker_sync import SyncKeys
from sekisho.model import Mode, hazards
from sekisho.settings.audit import AuditKind
from sekisho.settings.store import CLUSTER, MEMORY, SENTINEL
from sekisho.store.clock import SAID_FROM_S
from sekisho.store.refusals import ADVICE, EVICTS, evicting_policy, problem_of, refusal_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sekisho.breach.progress import Progress
    from sekisho.control import ControlRecord
    from sekisho.doctor.servers import Conversation, Server
    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings import Settings

ENFORCED: Final = ("mode", "enforce, by an operator's command")
FOREIGN: Final = "SEKISHO_SECRET: the service at this SEKISHO_STORE and SEKISHO_NAMESPACE has another one"
UNSIGNED: Final = "SEKISHO_SECRET: the control record in the store is not signed with it, so no worker obeys it"
ROUND_TRIPS: Final = 50
LATE_MIN: Final = 3  # one late answer may be this machine's own fault
HEARD_US: Final = 5_000_000  # a worker reports once a second
UNREAD_AUDIT: Final = Unseen(
    "the audit in the store: its user may not read it (+xrange), so `sekisho audit` needs another user's URL"
)
_SECTIONS: Final = ("server", "memory", "replication", "persistence")


class Examiner(NamedTuple):
    """What an examination of the store uses.

    Attributes:
        settings: of the service.
        admin_url: of an administrator at the same store; None: rights are tried, and `CONFIG` may be refused.
        progress: told about round trips.
        wall_s: Unix time in seconds.
        monotonic_s: seconds, for round trips.
        chance: a random word for names of keys.
    """

    settings: Settings
    admin_url: str | None
    progress: Progress
    wall_s: Callable[[], float]
    monotonic_s: Callable[[], float]
    chance: str

    async def examine(self) -> DoctorReport:
        """Examine every data server. Never raises for a server that does not answer."""
        if self.settings.store == MEMORY:
            return DoctorReport(facts=(("store", "memory://, in each process"),))
        try:
            servers = await servers_of(self.settings.store, self.admin_url)
        except (RedisError, OSError) as error:
            return _failed(error, self.settings.store)
        report = DoctorReport()
        for number, server in enumerate(servers, 1):
            report += await self._server(server, f"store {number} of {len(servers)}" if len(servers) > 1 else "store")
        return report

    async def _server(self, server: Server, name: str) -> DoctorReport:
        try:
            async with talking(server.url) as user, talking(server.admin_url) as admin:
                report = await self._rights(user, admin, server)
                report += await self._facts(admin, name)
                report += await self._times(user, name)
                report += await self._signed(user)
                return report + await self._workers(user)
        except (RedisError, OSError) as error:
            return _failed(error, self.settings.store)

    async def _rights(self, user: Conversation, admin: Conversation, server: Server) -> DoctorReport:
        namespace, extra = self.settings.namespace, self._extra_rights(server.tag)
        if self.admin_url is None:
            return self._said_of(await rights.tried(user, namespace, server.tag, self.chance, extra))
        extra = [*_rights_of(self.settings.store), *extra]
        try:
            answers = await rights.asked(admin, rights.user_of(server.url), namespace, server.tag, self.chance, extra)
        except ResponseError as error:
            what = f"the rights of the store's user: the administrator's connection cannot ask ({_kind(error)})"
            return DoctorReport(unseen=(Unseen(what, is_failure=True),))
        return self._said_of(answers)

    def _extra_rights(self, tag: str) -> list[tuple[str, rights.Words]]:
        """The rights that features need which are switched on, with the commands."""
        settings = self.settings
        places = (settings.audit, settings.audit_checkpoints)
        has_audit = any(place is not None and place.kind is AuditKind.REDIS for place in places)
        return [
            *(rights.of_feed(settings.namespace, tag, self.chance) if settings.feed else []),
            *(rights.of_audit(settings.namespace, tag, self.chance) if has_audit else []),
            *(rights.of_metrics(settings.namespace, tag, self.chance) if settings.metrics_token else []),
            *(rights.of_lists(settings.namespace, tag, self.chance) if settings.campaigns else []),
            *(rights.of_posture(settings.namespace, tag, self.chance) if settings.estimates_posture else []),
        ]

    def _said_of(self, answers: dict[str, Exception]) -> DoctorReport:
        reads_audit = answers.pop(rights.READS_AUDIT, None) is None
        unseen = () if reads_audit else (UNREAD_AUDIT,)
        return DoctorReport(diagnoses=tuple(rights.checks_of_trial(answers, self.settings.namespace)), unseen=unseen)

    async def _facts(self, admin: Conversation, name: str) -> DoctorReport:
        try:
            facts: dict[str, str] = {}
            for section in _SECTIONS:
                facts |= await admin.info(section)
        except ResponseError as error:
            return _untold(error)
        version = version_of(facts)
        found = [*checks_of_facts(facts, self.settings), *(checks_of_version(version) if version else ())]
        unseen = [] if version else [Unseen("the store's version: it is no Redis and no Valkey, or does not say")]
        saves = await _saves(admin, facts)
        if saves is None:
            unseen.append(Unseen("whether the store saves snapshots (its user may not read CONFIG): give --admin-url"))
        elif not saves:
            found.append(
                hazards.FORGETFUL_STORE.found(
                    "SEKISHO_STORE: it writes neither snapshots nor an append-only file, and has no replica"
                )
            )
        return DoctorReport(((name, str(version or "of another make")),), tuple(found), tuple(unseen))

    async def _times(self, user: Conversation, name: str) -> DoctorReport:
        """Round trips of `TIME`: latency, and the difference of the clocks by the fastest of them."""
        self.progress.begin(name, ROUND_TRIPS, "round trips")
        trips: list[Trip] = []
        for _ in range(ROUND_TRIPS):
            began_s, wall_s = self.monotonic_s(), self.wall_s()
            try:
                seconds, microseconds = await user.ask("TIME")
            except ResponseError:  # reported among the rights
                return DoctorReport()
            took_s = self.monotonic_s() - began_s
            trips.append(Trip(took_s, int(seconds) + int(microseconds) / 1e6 - wall_s - took_s / 2))
            self.progress.advance(1)
        found = tuple(checks_of_trips(trips, self.settings.store_deadline_us))
        return DoctorReport(((name, said_of(trips)),), found)

    async def _signed(self, user: Conversation) -> DoctorReport:
        """Whether the service's mark and the control record are signed with the secret of these settings."""
        listed, namespace = self.settings.listed, self.settings.namespace
        signed = (
            (f"{namespace}:{{control}}service", BeaconMac(listed, namespace), hazards.TWO_SECRETS.found(FOREIGN)),
            (f"{namespace}:{{control}}", ControlMac(listed, namespace), hazards.FORGED_CONTROL.found(UNSIGNED)),
        )
        try:
            read = [(await user.ask("GET", key), mac, found) for key, mac, found in signed]
        except ResponseError:  # on a Cluster: another node has these keys; without the right: reported already
            return DoctorReport()
        report = DoctorReport(
            diagnoses=tuple(found for text, mac, found in read if text is not None and mac.verified(text) is None)
        )
        with contextlib.suppress(ControlError):  # of a later version: its commands show it
            report += in_force(record_in(read[1][0], ControlMac(listed, namespace)), self.wall_s())
        return report

    async def _workers(self, user: Conversation) -> DoctorReport:
        key = SyncKeys.of(self.settings.namespace).workers
        since_us = int(self.wall_s() * 1e6) - HEARD_US
        try:
            heard = len(await user.ask("ZRANGEBYSCORE", key, since_us, "+inf"))
        except ResponseError:  # on a Cluster: another node has this key; without the right: reported already
            return DoctorReport()
        return DoctorReport(diagnoses=tuple(checks_of_workers(heard, self.settings.workers)))


class Trip(NamedTuple):
    """One round trip, in seconds, and how far the store's clock was ahead in its middle."""

    took_s: float
    ahead_s: float


def in_force(record: ControlRecord, now_s: float) -> DoctorReport:
    """Report what operators' commands have set and left in force: a forgotten `off` outlives every restart."""
    mode, forced = record.mode, record.forced(now_s)
    facts = [("mode", f"{mode.value}, by an operator's command")] if mode is not None else []
    if forced is not None:
        facts.append(("posture", f"{forced.word} is forced"))
    for name, entries in (("deny", record.denied(now_s)), ("allow", record.allowed(now_s))):
        if entries:
            facts.append((name, f"networks by operators' commands: {len(entries)}"))
    if mode in {None, Mode.ENFORCE}:
        return DoctorReport(tuple(facts))
    what = f"an operator's command has switched the mode to {mode.value}: `sekisho mode` says whose, and why"
    return DoctorReport(tuple(facts), (hazards.NOT_ENFORCED.found(what, 'sekisho mode enforce --because "REASON"'),))


def checks_of_facts(facts: Mapping[str, str], settings: Settings) -> Iterator[Diagnosis]:
    """Yield diagnoses of what `INFO` tells: a replica, a policy that evicts keys, memory without a bound."""
    if facts.get("role") == "slave":
        # The sentence of a trial that is refused, so that both are one finding.
        yield hazards.UNWRITABLE_STORE.found(
            f"SEKISHO_STORE: the store takes no writes: READONLY: {ADVICE['READONLY']}"
        )
    if policy := evicting_policy(_as_info(facts)):
        yield hazards.EVICTING_STORE.found(EVICTS.format(policy).partition(" [")[0])
    if facts.get("maxmemory") == "0" and settings.store_bytes_max is None:
        yield hazards.UNBOUNDED_STORE.found("SEKISHO_STORE: neither its maxmemory nor SEKISHO_STORE_BYTES_MAX is set")


def checks_of_trips(trips: Sequence[Trip], deadline_us: int) -> Iterator[Diagnosis]:
    """Yield diagnoses of round trips: too slow for the deadline (microseconds), or clocks that are apart.

    Clocks are apart if they differ by two seconds more than the duration of a trip can explain.
    """
    deadline_s = deadline_us / 1e6
    took = sorted(trip.took_s for trip in trips)
    late = sum(each > deadline_s for each in took)
    if late >= LATE_MIN or median(took) > deadline_s / 2:
        yield hazards.SLOW_STORE.found(
            f"SEKISHO_STORE_DEADLINE_MS: {late} of {len(took)} answers came after {deadline_us // 1000} ms; the "
            f"median took {_ms(median(took))}, the worst {_ms(took[-1])}"
        )
    fastest = min(trips)
    off_s = abs(fastest.ahead_s) - fastest.took_s / 2
    if off_s >= SAID_FROM_S:
        which = "behind" if fastest.ahead_s > 0 else "ahead of"
        yield hazards.CLOCKS_APART.found(f"this machine's clock is {round(off_s)} seconds {which} the store's")


def checks_of_workers(heard: int, workers: int | None) -> Iterator[Diagnosis]:
    """Yield a diagnosis if `heard`, the workers that reported to the store within five seconds, is not `workers`.

    Nothing is yielded where none was heard, or `workers` is None: the settings name no number.
    """
    if workers is not None and 0 < heard != workers:
        yield hazards.WRONG_WORKER_COUNT.found(
            f"SEKISHO_WORKERS: it says {workers}, and {heard} have reported to the store",
            f"SEKISHO_WORKERS={heard}",
        )


def said_of(trips: Sequence[Trip]) -> str:
    """Describe round trips in a few words: their number, the median and worst time, how far the clocks are apart."""
    took = [trip.took_s for trip in trips]
    latency = f"median {_ms(median(took))}, worst {_ms(max(took))}"
    ahead_ms = abs(min(trips).ahead_s) * 1000
    return f"{len(took)} round trips: {latency}; clocks {ahead_ms:,.0f} ms apart"


async def _saves(admin: Conversation, facts: Mapping[str, str]) -> bool | None:
    """Whether a copy of the data outlives the process; None where the server does not tell."""
    if facts.get("aof_enabled") == "1" or int(facts.get("connected_slaves", "0")) > 0:
        return True
    try:
        _, rules = await admin.ask("CONFIG", "GET", "save")
    except (ResponseError, ValueError):
        return None
    return bool(rules)


def _rights_of(url: str) -> list[tuple[str, tuple[str, ...]]]:
    """Each right that the kind of store calls for, as an ACL grants it, with a harmless command that shows it."""
    scheme = url.partition("://")[0]
    return [
        ("+info", ("INFO", "memory")),
        *([("+cluster|slots", ("CLUSTER", "SLOTS")), ("+asking", ("ASKING",))] if scheme in CLUSTER else []),
        *([("+role", ("ROLE",))] if scheme in SENTINEL else []),
    ]


def _as_info(facts: Mapping[str, str]) -> bytes:
    return "\n".join(f"{name}:{value}" for name, value in facts.items()).encode("ascii", "replace")


def _untold(error: ResponseError) -> DoctorReport:
    what = f"the store's version, eviction and persistence: INFO is refused ({_kind(error)}); give --admin-url"
    found = hazards.UNWEIGHED_STORE.found("SEKISHO_STORE: its user may not ask INFO, so no memory budget is kept")
    # Another refusal, as of a database that does not exist, says nothing of the right.
    return DoctorReport(diagnoses=(found,) if refusal_of(error) == "NOPERM" else (), unseen=(Unseen(what),))


def _failed(error: Exception, url: str) -> DoctorReport:
    said = f"SEKISHO_STORE: the store {problem_of(error)}"
    unseen = (Unseen(UNEXAMINED, is_failure=True),)
    if refusal_of(error) == "NOPERM" and (right := _RIGHT_TO_FIND.get(kind_of(url))):
        return DoctorReport(diagnoses=(hazards.MISSING_RIGHTS.found(said, f"ACL SETUSER USER {right}"),), unseen=unseen)
    write = _LINES.get(refusal_of(error) or "", "") or _SCHEMES.get(url.partition("://")[0], "")
    return DoctorReport(diagnoses=(hazards.UNREACHED_STORE.found(said, write),), unseen=unseen)


def kind_of(url: str) -> frozenset[str]:
    """The schemes of the kind of store that a URL names; none for a single server."""
    return next((each for each in (CLUSTER, SENTINEL) if url.partition("://")[0] in each), frozenset())


UNEXAMINED: Final = "the store's version, rights, memory and clock: it cannot be reached"
_RIGHT_TO_FIND: Final = {
    CLUSTER: "+cluster|slots",
    SENTINEL: "&+switch-master +subscribe +sentinel|get-master-addr-by-name",
}
"""What a user needs to be told where the data is. On Sentinels it is a user of theirs."""
_LINES: Final = {"NOCLUSTER": hazards.UNREACHED_STORE.write, "NOSERVICE": "redis-cli -p 26379 SENTINEL MASTERS"}
"""The line to write, by the code of a refusal."""
_SCHEMES: Final = {
    "rediss": "SEKISHO_STORE=rediss://USER:PASSWORD@HOST:6380/0?ssl_ca_certs=/path/to/ca.pem",
    "redis+unix": "SEKISHO_STORE=redis+unix:///path/to/socket",
    **dict.fromkeys(SENTINEL, "SEKISHO_STORE=redis+sentinel://HOST:26379,HOST:26379/SERVICE"),
    **dict.fromkeys(CLUSTER, "SEKISHO_STORE=redis+cluster://USER:PASSWORD@HOST:6379,HOST:6379"),
}
"""The line to write, by the kind of store; any other is a single server."""


def _kind(error: Exception) -> str:
    return refusal_of(error) or type(error).__name__


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"
