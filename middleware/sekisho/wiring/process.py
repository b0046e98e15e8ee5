"""What all event loops of a process share."""

from __future__ import annotations

import logging
import secrets
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from sekisho.answer import Renderer
from sekisho.asgi.examination import Examination, Known, Missing
from sekisho.asgi.fast_path import FastPath
from sekisho.asgi.other_loop import OtherLoop, runs_asyncio
from sekisho.asgi.reading import Reading
from sekisho.asgi.session_account import SessionAccounts
from sekisho.asgi.stacked import ASIDE, MADE, Mark
from sekisho.asgi.unnamed_doors import SAMPLES, UnnamedDoors
from sekisho.check import Probe, Result, basic_beside, missing_protected, missing_routes, open_below
from sekisho.detect import MemoryPostures, PostureWatch
from sekisho.devices.token import DeviceTokens
from sekisho.feed import RefusalNotes
from sekisho.judge import SuccessTrust
from sekisho.ledger.caps import MemoryCaps
from sekisho.ledger.counters import shown
from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.shed import Shed
from sekisho.metrics import MetricsSink
from sekisho.model import Mode, Policy, Unreadable, hazards, prevalence
from sekisho.once import Once
from sekisho.plugins.running import PluginOutput
from sekisho.read import Addresses, Callers, Doors
from sekisho.read.paths import path_keys
from sekisho.read.request import may_hide_body, read_headers
from sekisho.record import Answers, Counts, Events, EventWriter, Subjects, event_file
from sekisho.record.decision_times import DecisionTimes, Stopwatch
from sekisho.record.flood import Flood
from sekisho.settings import NoFactor
from sekisho.settings.store import MEMORY
from sekisho.stepup.flow.csrf_cookies import CsrfCookies
from sekisho.stepup.flow.protected_routes import as_doors
from sekisho.store.clock import StoreClock
from sekisho.store.vault import MemoryVault
from sekisho.wiring.audit import audit_of
from sekisho.wiring.campaigns import CampaignParts
from sekisho.wiring.clocks import MACHINE, Clocks
from sekisho.wiring.digests import digests_of
from sekisho.wiring.leaks import LeakFiles
from sekisho.wiring.plugins import PluginParts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from sekisho.asgi.types import App, Scope
    from sekisho.check import DoorReport
    from sekisho.metrics import Additions
    from sekisho.model import Credentials, LimitSet
    from sekisho.model.diagnosis import Diagnosis
    from sekisho.read import Accounts
    from sekisho.record import AccountHook, Sink
    from sekisho.record.campaigns.live import CampaignChange
    from sekisho.record.decision_times import Took
    from sekisho.settings import Settings
    from sekisho.wiring.given import Given

log = logging.getLogger("sekisho")

CAPPED_ACCOUNTS_MAX = 20_000  # some 200 MB if each of them has moved 64 amounts lately
VAULT_ENTRIES_MAX = 50_000
VAULT_BYTES_MAX = 256 << 20


STACKED_ALIKE: Final = "LoginGuard: this application is behind two guards that are alike; the inner one stands aside"
STACKED_UNLIKE: Final = (
    "LoginGuard: this application is behind two guards with different settings; each of them counts its attempts"
)
STACKED_ITSELF: Final = (
    "LoginGuard: the application hands requests that its guard has examined to that guard again, and each is counted "
    "again, until it is refused. With Quart it is app.asgi_app = LoginGuard(app.asgi_app), and not LoginGuard(app)"
)


class ProcessWing:
    """State shared by all event loops of this process: settings, this worker's own counters, its shed."""

    def __init__(
        self,
        app: App,
        settings: Settings,
        accounts: Accounts,
        on_change_password: AccountHook | None,
        given: Given,
        clocks: Clocks = MACHINE,
        *,
        diagnoses: Sequence[Diagnosis] = (),
        means: object = None,
    ) -> None:
        self.app = app
        self.mark = Mark(means)
        self._stacked: Diagnosis | None = None
        self._found = diagnoses
        self.clocks = clocks
        self.given = given
        self.settings = settings
        self.mode = settings.mode
        self.additions: Additions | None = None  # made in the worker itself, not before a server forks it
        self.workers = 1  # that share the store, as the exchange tells
        self._once = Once()
        self.lifespan_state: Mapping[str, object] = {}
        self.around: Mapping[str, Any] = {}  # keys that the framework puts into all its scopes
        counts = Counts()
        self._record(settings, accounts, counts, on_change_password)
        self._read(settings, accounts, counts)
        self._judge(settings)
        self._remember(settings)

    def _record(
        self, settings: Settings, accounts: Accounts, counts: Counts, on_change_password: AccountHook | None
    ) -> None:
        """Make what records events, and their sinks."""
        clocks = self.clocks
        self.audit = audit_of(settings, clocks.wall_us)
        subjects = Subjects(settings.secrets, accounts.canonical, self.audit.handles if self.audit else None)
        self.subjects = subjects
        self.plugins = PluginParts.of(settings.plugins, counts.add)
        self.writers = self._writers(settings, counts, subjects, accounts, clocks.wall_us)
        self.has_metrics = bool(settings.metrics_token)
        self.has_metrics_page = self.has_metrics and settings.metrics_listen is None
        self.times: Stopwatch | None = None
        sinks: list[Sink] = [*self.writers]
        if self.has_metrics or settings.otel:
            sinks.append(MetricsSink(counts))
            self.times = Stopwatch(clocks.monotonic_us, DecisionTimes(counts), self._spans())
        self.events = Events(
            on_change_password,
            counts=counts,
            sinks=sinks,
            subjects=subjects,
            keeps_counting=settings.audit_replay and self.audit is not None,
            clock_us=clocks.wall_us,
        )

    def _read(self, settings: Settings, accounts: Accounts, counts: Counts) -> None:
        """Make what reads requests and answers."""
        self.renderer = Renderer(settings.origins, settings.brand)
        self.digests = digests_of(settings)
        doors = Doors(settings.doors)
        addresses = addresses_of(settings)
        callers = Callers(addresses, self.digests)
        self.sessions = SessionAccounts(
            self.given.session_account,
            self.events.anomaly,
            lambda scope: callers.read(*read_headers({**scope})).digests.site,
        )
        self.reading = Reading(
            doors,
            callers,
            accounts,
            Answers(doors.all, self.events),
            body_bytes_max=settings.body_bytes_max,
            exposed_header=(settings.exposed_header or "").encode("ascii"),
            disposable=settings.disposable_domains,
        )
        self.protected = as_doors(settings.protect)
        self.unnamed = UnnamedDoors(partial(counts.add, "", "unnamed_door"))
        self.fast_path = FastPath(self._is_ours, samples=SAMPLES)
        self.tokens = DeviceTokens(settings.signers, days=settings.device_days, oldest=settings.secrets[-1])
        self.other_loop = OtherLoop(self.app, self._is_guarded, self.renderer)
        self.csrf = CsrfCookies(settings.doors, self.sessions)
        self._addresses = addresses

    def _judge(self, settings: Settings) -> None:
        """Make what judges attempts."""
        clocks = self.clocks
        self.policy = policy_of(settings)
        # Where strangers are always asked, no posture is estimated: it would change nothing.
        by_posture = settings.estimates_posture
        self.watch = PostureWatch(self.events.posture_changed, clocks.monotonic_s) if by_posture else None
        self.postures = MemoryPostures(clocks.wall_s) if by_posture else None  # where there is no store
        self.leaks = LeakFiles(settings, self.events, clocks)
        self.trust = trust_of(settings)

    def _remember(self, settings: Settings) -> None:
        """Make what this process remembers by itself."""
        clocks = self.clocks
        self.clock_s = StoreClock(clocks.wall_s)
        self.shed = Shed(clocks.monotonic_us)
        never = (*settings.trusted_proxies, *settings.allow)
        self.feed = RefusalNotes(self.clock_s, settings.feed_seconds_max, never) if settings.feed else None
        # Per process, not per loop: Django may check a proof in another thread than the one that asked for it.
        self.caps = MemoryCaps(entries_max=CAPPED_ACCOUNTS_MAX, clock_us=clocks.wall_us)
        self.vault = MemoryVault(entries_max=VAULT_ENTRIES_MAX, bytes_max=VAULT_BYTES_MAX, clock_s=clocks.monotonic_s)
        self.own = self.given.counters or MemoryLedger(
            self.own_limits(settings.workers or 1), entries_max=settings.memory_entries_max, clock_us=clocks.wall_us
        )

    def _writers(
        self,
        settings: Settings,
        counts: Counts,
        subjects: Subjects,
        accounts: Accounts,
        clock_us: Callable[[], int],
    ) -> list[EventWriter]:
        writers: list[EventWriter] = []
        if self.audit is not None:
            handles, tells = self.audit.handles, settings.audit_replay
            audited = Subjects(settings.secrets, accounts.canonical, handles, tells_counted=tells)
            writers.append(self.audit.writer(counts.add, audited))
        self.campaigns = (
            CampaignParts(settings, self._campaign_changed, clock_us, self.clocks.monotonic_s)
            if settings.campaigns
            else None
        )
        if self.campaigns is not None:
            writers.append(self.campaigns.writer(counts.add, subjects))
        if settings.events_file:
            writers.append(event_file(settings.events_file, counts.add, subjects=subjects, clock_us=clock_us))
        for name, plugin in self.plugins.loaded.sinks.items():
            output = PluginOutput(name, plugin, self.plugins.failures)
            writers.append(EventWriter(output, counts.add, flood=partial(Flood, subjects), clock_us=clock_us))
        return writers

    def _campaign_changed(self, change: CampaignChange) -> None:
        self.events.campaign_changed(change)

    def _spans(self) -> Took | None:
        if not self.settings.otel:
            return None
        from sekisho.wiring.otel import DecisionSpans  # noqa: PLC0415 - a package that others need not have

        return DecisionSpans(self.clocks.wall_us)

    def _is_ours(self, scope: Scope) -> bool:
        """Whether a request's path could be that of a door, a protected route or one of the guard's own pages."""
        try:
            keys = path_keys(scope)
        except Unreadable:  # refused regardless of its route
            return True
        mount = self.settings.mount.casefold()
        return (
            self.reading.doors.stand_at(keys)
            or self.protected.stand_at(keys)
            or any(key.startswith(mount) for key in keys)
            or (bool(self.settings.related_origins) and "/.well-known/webauthn" in keys)
        )

    def _is_guarded(self, scope: Scope) -> bool:
        """Whether a request would not simply be passed on, judging by its headers."""
        if self.mode is not Mode.ENFORCE:
            return False
        request, _ = read_headers(scope)
        has_body = may_hide_body(request)
        try:
            return (
                self._has_pages_at(request)
                or self.reading.doors.find(request, has_body=has_body) is not None
                or self.protected.find(request, has_body=has_body) is not None
            )
        except Unreadable:
            return True

    def _has_pages_at(self, scope: Scope) -> bool:
        under = f"{self.settings.mount.casefold()}/"
        has_pages = bool(self.settings.factors or self.settings.challenges)
        return has_pages and any(key.startswith(under) for key in path_keys(scope))

    def examination(self, check: Callable[[bytes, bytes], Awaitable[bytes | None]]) -> Examination:
        """Return the application that answers `sekisho doctor` and `sekisho check`.

        `check`: takes a sealed question and its token, tries doors, and returns the answer; None if it does not open.
        """
        settings, known = self.settings, Known(self._diagnoses, self._attempts, self.missing, check)
        return Examination(settings.mount, settings.signers, self._addresses, self.renderer, known, self.clock_s)

    async def probe(self, known: Credentials | None, names: Collection[str], through: App | None) -> list[DoorReport]:
        around = self.around if through is None else {ASIDE: MADE, "state": self.lifespan_state}
        probe = Probe(through or self.app, self.settings.doors, around, secrets.token_bytes)
        reports = await probe(known, names)
        for report in reports:
            self._learn(report)
        return reports

    def _learn(self, report: DoorReport) -> None:
        rule = self.trust.rule(report.door, report.invented.basis)
        if report.result is Result.WRONG:
            self.trust.latch([rule.id])
        elif report.result is Result.GOOD:
            self.trust.prove([rule.id])

    def shown_counters(self, keys: Sequence[bytes]) -> bytes:
        """Return this process's own counters of these keys, for an operator, as JSON."""
        return shown(self.own, keys, self.clocks.wall_us())

    def shown(self) -> dict[bytes, Callable[[], bytes]]:
        """Return what tells an operator of this process what it recognises by itself, by the words of its socket."""
        found: dict[bytes, Callable[[], bytes]] = {}
        if self.postures is not None:
            found[b"posture"] = self.postures.as_json
        if self.campaigns is not None:
            found[b"campaigns"] = self.campaigns.here.as_json
        return found

    def own_limits(self, workers: int) -> LimitSet:
        """Return the limits by which this worker counts on its own while the store is gone: its share of `workers`.

        With a store in memory, the limits are not shared.
        """
        shared = self.settings.store != MEMORY
        return self.settings.limits.shared_between(workers) if shared else self.settings.limits

    def warn(self) -> None:
        """Log all diagnoses of the settings, once in this process."""
        if self._once():
            for diagnosis in self._diagnoses():
                log.warning("%s", diagnosis.logged)

    def _diagnoses(self) -> list[Diagnosis]:
        return [*self._found, *self.unnamed.diagnoses(), *([self._stacked] if self._stacked else [])]

    def stands_aside(self, mark: object) -> bool:
        """Whether to pass a request on that a guard has made or examined. `mark`: in its scope under `ASIDE`."""
        if mark == MADE:
            return True
        is_own, is_alike = mark is self.mark, self.mark.is_alike(mark)
        if self._stacked is None:
            self.warn()  # which later would say this again
            told = STACKED_ITSELF if is_own else STACKED_ALIKE if is_alike else STACKED_UNLIKE
            self._stacked = hazards.STACKED.found(told)
            log.error("%s", self._stacked.logged)
        return is_alike and not is_own

    def _attempts(self) -> dict[str, int]:
        """The number of this process's events at each door since the start."""
        attempts = {door.name: 0 for door in self.settings.doors if door.fields}  # log-outs are no attempts
        for (place, _, _), count in self.events.counts.items():
            if place in attempts:
                attempts[place] += count
        return attempts

    async def missing(self) -> Missing:
        """Return which doors leave a way past them open, found by requests of the guard: see `Missing`.

        Empty where requests are not allowed: without `canary`, in mode `OFF`, or on a loop that is not asyncio's.
        """
        if not self.settings.canary or self.mode is Mode.OFF or not runs_asyncio():
            return Missing()
        doors = await missing_routes(self.app, self.settings.doors, self.around, secrets.token_bytes)
        protected = await missing_protected(self.app, self.protected.all, self.around)
        below = await open_below(self.app, self.settings.doors, self.around, secrets.token_bytes)
        basic = await basic_beside(self.app, self.reading.doors.all, self.around, secrets.token_bytes)
        return Missing(doors, protected, below, basic)


def trust_of(settings: Settings) -> SuccessTrust:
    """Return the initial trust in all success rules of the settings, before any success was seen."""
    return SuccessTrust(
        settings.doors,
        rule_key=blake2b(settings.secrets[-1], digest_size=32, person=b"sekisho.rules").digest(),
        account_burst=min(limit.burst for limit in settings.limits.account),
        ip_burst=min(limit.burst for limit in settings.limits.ip),
    )


def policy_of(settings: Settings) -> Policy:
    """Return the policy by which the judge decides at log-ins whose owner can be asked for a factor."""
    return Policy(
        account_failures_max=settings.limits.account_failures_max,
        prevalence_min=prevalence(settings.breached_min),
        work=bool(settings.challenges),
        factors=bool(settings.factors),
        refuse_without_factor=settings.no_factor is NoFactor.REFUSE,
        account_locks=settings.account_lock,
    )


def addresses_of(settings: Settings) -> Addresses:
    """Return the settings that determine a request's client address: trusted proxies and headers."""
    return Addresses(
        settings.trusted_proxies,
        settings.client_ip_header,
        settings.device_headers,
        trust_unix=settings.trust_unix,
    )
