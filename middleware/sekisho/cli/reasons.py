"""Why the guard refuses an account, an address or a device, or asks for more, and the command that ends it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.cli.counter_rows import Party
from sekisho.cli.operator import moment, said_by
from sekisho.cli.progress import span
from sekisho.control.acts import newest
from sekisho.control.asked import account_name
from sekisho.detect import PostureWatch
from sekisho.feed.entries import network_of
from sekisho.model import DoorKind, Posture
from sekisho.model.posture import NO_BROWSER
from sekisho.read import Networks
from sekisho.read.address import contains, denies
from sekisho.settings import NoFactor
from sekisho.wiring.digests import digests_of
from sekisho.wiring.feedback import REPORTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sekisho.cli.counter_rows import CounterRow
    from sekisho.cli.operator import Desk
    from sekisho.cli.target import Target
    from sekisho.control import Act, ControlRecord
    from sekisho.judge.posture import PostureState
    from sekisho.ledger.counters import LimitUse
    from sekisho.model import AskedFrom
    from sekisho.settings import Settings

_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_ASK: Final = frozenset({"ask"})
_ACCOUNT: Final = "`sekisho unblock account -`"
_NOT_KNOWN: Final = "Known devices are not."


class Reason(NamedTuple):
    """Why an attempt is refused, or why more is asked of it.

    Attributes:
        text: for an operator.
        refuses: whether it is refused.
        wait_us: until it is not any more; 0 where waiting does not help.
        end: what ends it: a command, or a setting. Empty for what refuses and asks nothing.
        of_all: whether it is asked of all strangers, and says nothing of this account or address.
    """

    text: str
    refuses: bool
    wait_us: int = 0
    end: str = ""
    of_all: bool = False


class Asked(NamedTuple):
    """What strangers are asked for instead of being let in. `refuses`: nothing helps them."""

    text: str
    refuses: bool = False


REFUSED: Final = Asked("Strangers are refused", refuses=True)
PROOF: Final = Asked("Strangers are asked for a second proof")
WORK: Final = Asked("Strangers are asked for work first")


def _asked(settings: Settings, *, proof: bool) -> Asked | None:
    """What strangers are asked for; None where nothing can be asked for. See `judge.policy`.

    `proof`: the finding calls for a proof, and work would not do.
    """
    if settings.factors and (proof or not settings.challenges):
        return PROOF
    if proof and settings.no_factor is NoFactor.REFUSE:
        return REFUSED
    return WORK if settings.challenges else None


# Accounts.


def of_account(
    settings: Settings, record: ControlRecord, found: Target, rows: Sequence[CounterRow]
) -> Iterator[Reason]:
    """The reasons of an account, by its counters and by what operators ask of it."""
    for row in rows:
        yield from _of_counter(settings, row)
    yield from _campaigns(settings, record, found)


def _of_counter(settings: Settings, row: CounterRow) -> Iterator[Reason]:
    if row.party is Party.KNOWN_DEVICE:
        if row.worst is not None:
            yield _used_up("Treated as a stranger", row, row.worst, _ACCOUNT, refuses=False)
        return
    if row.worst is not None:
        asked = _over_limit(settings)
        reason = _used_up(asked.text, row, row.worst, _ACCOUNT, refuses=asked.refuses)
        yield reason._replace(text=f"{reason.text} Known devices are not affected.")
    proof = _asked(settings, proof=True)
    if row.failures > settings.limits.account_failures_max and proof:
        most = settings.limits.account_failures_max
        text = f"{proof.text}: {row.failures} failed attempts since the last proof, and {most} are allowed."
        yield Reason(text, refuses=proof.refuses, end=_ACCOUNT)
    if row.is_spread and proof:
        text = f"{proof.text}: {row.seen} or more addresses tried this account in the last hour."
        yield Reason(text, refuses=proof.refuses, end=_ACCOUNT)


def _over_limit(settings: Settings) -> Asked:
    """What strangers at an account over its limit are asked for."""
    if settings.account_lock:
        return PROOF if settings.factors else REFUSED
    return _asked(settings, proof=False) or REFUSED


def _campaigns(settings: Settings, record: ControlRecord, found: Target) -> Iterator[Reason]:
    """An operator asks for a proof there: see `sekisho report`."""
    name, now_s = account_name(found.subject.account), time.time()
    asked = _asked(settings, proof=True)
    for group in record.asked:
        if asked and now_s < group.until_s and name in group.accounts:
            is_reported = group.name.startswith(REPORTED)
            act = _report(record, found) if is_reported else newest(record.acts, of=group.name, words=_ASK)
            of = "it was reported as taken over" if is_reported else f"campaign {group.name}"
            text = f"{asked.text} until {moment(group.until_s)}, on devices without a proof too: {of}"
            end = "`sekisho takeover - --undo`"
            if not is_reported:
                end += f"; for all accounts of the campaign `sekisho report --blast-radius {group.name} --undo`"
            yield Reason(f"{text}{said_by(act)}.", refuses=asked.refuses, end=end)


def _report(record: ControlRecord, found: Target) -> Act | None:
    """The act that reported the account as taken over; None if it is no longer in the record."""
    reports = (act for act in reversed(record.acts) if act.word == "takeover")
    return next((act for act in reports if act.account == found.subject.account), None)


# Addresses and devices.


async def of_address(service: Desk, record: ControlRecord, found: Target, rows: Sequence[CounterRow]) -> list[Reason]:
    """The reasons of an address or a device: the lists, its counters, and its block in front of the service.

    Raises `StoreUnavailable`.
    """
    settings, address = service.settings, found.origin.address
    reasons = list(_denied(settings, record, address))
    if allowed := _allowed(settings, record, address):
        return [*reasons, allowed]
    for row in rows:
        reasons += _of_address_counter(settings, row, found)
    return [*reasons, *await _in_feed(service, found)]


def _denied(settings: Settings, record: ControlRecord, address: str) -> Iterator[Reason]:
    if denies(Networks(settings.deny), address):
        yield Reason(
            "Refused: the address is on the deny list (SEKISHO_DENY).",
            refuses=True,
            end="take it out of SEKISHO_DENY, and restart the workers",
        )
    for entry, network in record.denied(time.time()):
        if denies(Networks([network]), address):
            act = newest(record.acts, of=entry.network, words=frozenset({"deny"}))
            text = f"Refused: the address is on the deny list ({entry.network}) until {moment(entry.until_s)}"
            end = f"`sekisho deny {entry.network} --remove`"
            yield Reason(f"{text}{said_by(act)}.", refuses=True, end=end)


def _allowed(settings: Settings, record: ControlRecord, address: str) -> Reason | None:
    listed = [network for _, network in record.allowed(time.time())]
    if not contains([*settings.allow, *listed], address):
        return None
    return Reason("Under no limit: the address is on the allow list. Limits of accounts are as always.", refuses=False)


def _of_address_counter(settings: Settings, row: CounterRow, found: Target) -> Iterator[Reason]:
    address = found.origin.address
    end = f"`sekisho unblock address {address}`"
    if row.party is Party.DEVICE:
        end = f"`sekisho unblock device {address} --header …`"
    if row.worst is not None:
        yield _used_up("Refused", row, row.worst, f"{end}; where many share it `sekisho allow {address} --for 2h`")
    asked = _asked(settings, proof=False)
    if asked and row.is_spread:
        text = f"{asked.text}: {row.seen_max} or more accounts were tried {row.of} in the last hour. {_NOT_KNOWN}"
        yield Reason(text, refuses=False, end=end)
    if asked and settings.history and row.failing_us:
        text = (
            f"{asked.text}: attempts from this address have led to no success lately. "
            f"It ends when older accounts log in from it, or in {_wait(row.failing_us)} without attempts. {_NOT_KNOWN}"
        )
        yield Reason(text, refuses=False, end=end)


async def _in_feed(service: Desk, found: Target) -> list[Reason]:
    """Its block in front of the service, for an address in the feed."""
    network = network_of(found.origin.prefixes[0])
    until_s = (await service.feed.read()).get(network) if service.feed is not None and network is not None else None
    if until_s is None:
        return []
    text = f"Given to the front by `sekisho feed`, until {moment(int(until_s))}."
    wait_us = max(0, int((until_s - time.time()) * 1e6))
    return [Reason(text, refuses=True, wait_us=wait_us, end=f"`sekisho unblock address {found.origin.address}`")]


# All strangers.


def of_posture(
    settings: Settings, record: ControlRecord, state: PostureState, address: Target | None
) -> Iterator[Reason]:
    """The reasons for which all strangers are asked at log-ins, or those at this address.

    Args:
        settings: the service's.
        record: the control record.
        state: what the workers estimate.
        address: where the log-in comes from; None: not known.
    """
    asked = settings.asked
    if not settings.factors:
        return
    if not asked.strangers:
        text = f"{PROOF.text} at each log-in (SEKISHO_STEP_UP=always).{_spared(asked, Posture.CALM)}"
        yield Reason(text, refuses=False, end="another SEKISHO_STEP_UP, and a restart of the workers", of_all=True)
        return
    forced = record.forced(time.time())
    if forced is not None:
        if forced >= asked.strangers:
            act = newest(record.acts, of=forced.word, words=frozenset({"posture"}))
            text = f"{PROOF.text}: the posture is forced to {forced.word} until {moment(record.forced_until_s)}"
            text += f"{said_by(act)}.{_spared(asked, forced)}"
            yield Reason(text, refuses=False, end="`sekisho posture reset`", of_all=True)
        return
    yield from _estimated(settings, state, address)


def _estimated(settings: Settings, state: PostureState, address: Target | None) -> Iterator[Reason]:
    asked, watch = settings.asked, PostureWatch(lambda _: None, time.monotonic)
    watch.hear(state)
    end = "it ends by itself when fewer log-ins fail; `sekisho posture set calm --for 30m` ends it for all strangers"
    for name in (door.name for door in settings.doors if door.kind is DoorKind.LOGIN and door.name in state.doors):
        site = here = state.doors[name].site.posture
        if address is not None:
            here = watch.of(name, digests_of(settings).origin_digests(address.origin), NO_BROWSER)
        if here >= asked.strangers:
            where = name if here is site else f"its network at {name}"
            text = f"{PROOF.text}: the posture of {where} is {here.word}.{_spared(asked, here)}"
            yield Reason(text, refuses=False, end=end, of_all=here is site)


def _spared(asked: AskedFrom, posture: Posture) -> str:
    # Where strangers are asked always, a device that was merely seen is asked as well.
    devices = "Known devices" if asked.strangers else "Devices that have shown one"
    if posture < asked.familiar:
        return f" {devices} are not, nor are familiar strangers."
    if asked.own_network:
        return f" {devices} are not, nor are familiar strangers in whose own network little fails."
    return f" {devices} are not."


# Words.


def _used_up(what: str, row: CounterRow, use: LimitUse, end: str, *, refuses: bool = True) -> Reason:
    text = (
        f"{what}: {use.used} of {use.burst} failed attempts {row.of} in the last {period_text(use.period_us)}; "
        f"the next attempt is allowed in {_wait(use.wait_us)}."
    )
    return Reason(text, refuses, use.wait_us, end)


def period_text(period_us: int) -> str:
    """`hour`, `10 minutes`."""
    seconds = period_us // 1_000_000
    unit_s, unit = next((size, name) for size, name in _UNITS if seconds % size == 0)
    return unit if seconds == unit_s else f"{seconds // unit_s} {unit}s"


def _wait(wait_us: int) -> str:
    """A wait, rounded up: an owner who comes back too early is refused again."""
    seconds = -(-wait_us // 1_000_000)
    return span(seconds) if seconds < 60 else f"{-(-seconds // 60)} min" if seconds < 7_200 else span(seconds + 59)
