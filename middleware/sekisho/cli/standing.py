"""How an account, an address or a device stands: its counters and waits, and why it is refused."""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.cli import target
from sekisho.cli.operator import moment, said_by
from sekisho.cli.progress import span
from sekisho.control.acts import newest
from sekisho.control.asked import account_name
from sekisho.feed.entries import network_of
from sekisho.ledger.address_failures import FAILING_US, failing_until, is_failing
from sekisho.ledger.counters import LimitUse, uses
from sekisho.ledger.history import FAILED
from sekisho.model import Mode, Policy
from sekisho.read import Networks
from sekisho.read.address import contains, denies
from sekisho.settings import NoFactor
from sekisho.wiring.feedback import REPORTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.cli.operator import Desk
    from sekisho.cli.target import Target
    from sekisho.control import ControlRecord
    from sekisho.ledger.history import DeviceBucket
    from sekisho.ledger.records import Record
    from sekisho.model import Limits
    from sekisho.settings import Settings

_POLICY: Final = Policy()
_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


class Party(Enum):
    """Whose attempts a counter counts."""

    DEVICE = "device"
    ADDRESS = "address"
    NETWORK = "network"
    ACCOUNT = "account"
    KNOWN_DEVICE = "known device"


class CounterRow(NamedTuple):
    """A counter.

    Attributes:
        party: whose attempts it counts.
        of: the same in words: "from this address", "at this account".
        limits: how far each of its limits is used.
        seen: different accounts tried from it, or addresses that tried it, within the last hour.
        failures: attempts at an account without success since its last proof.
        place: that of an address's or a device's record in `CounterPlace.of_network`.
        failing_us: of an address that is failing, how long it stays so without attempts; else 0.
    """

    party: Party
    of: str
    limits: list[LimitUse]
    seen: int
    failures: int = 0
    place: int = -1
    failing_us: int = 0

    @property
    def worst(self) -> LimitUse | None:
        """The limit of this counter that refuses for longest; None if none of its limits refuses now."""
        used_up = [use for use in self.limits if use.wait_us]
        return max(used_up, key=lambda use: use.wait_us) if used_up else None


class Reason(NamedTuple):
    """Why an attempt is refused, or why more is asked of it. `wait_us` is 0 where waiting does not help."""

    text: str
    refuses: bool
    wait_us: int = 0


class Asked(NamedTuple):
    """What strangers are asked for instead of being let in. `refuses`: nothing helps them."""

    text: str
    refuses: bool = False


class Standing(NamedTuple):
    """The answer: reasons, the sternest first, and all counters. `proxy`: of a trusted proxy, what that means."""

    kind: str
    mode: Mode
    reasons: list[Reason]
    rows: list[CounterRow]
    proxy: str = ""

    @property
    def is_refused(self) -> bool:
        return self.mode is Mode.ENFORCE and any(reason.refuses for reason in self.reasons)


REFUSED: Final = Asked("Strangers are refused", refuses=True)


async def standing_of(service: Desk, found: Target) -> Standing:
    """Read the counters of an account, an address or a device; returns them with the reasons for which it is refused.

    Raises `StoreUnavailable`, `ControlError`.
    """
    record = await service.record()
    rows = await (_account_rows(service, found) if found.kind == "account" else _address_rows(service, found))
    if found.kind == "account":
        reasons = [reason for row in rows for reason in _account_reasons(row, service.settings)]
        reasons += _campaigns(service.settings, record, found)
    else:
        reasons = _address_reasons(service.settings, record, found, rows)
        reasons += await _in_feed(service, found)
    reasons.sort(key=lambda reason: (not reason.refuses, -reason.wait_us))
    mode = record.mode or service.settings.mode
    return Standing(found.kind, mode, reasons, rows, _proxy(service.settings, found.origin.address))


# Counters.


async def _address_rows(service: Desk, found: Target) -> list[CounterRow]:
    limits = service.settings.limits
    charge = target.network_charge(found, service.settings)
    now_us, records = await service.counters.of_network(charge)
    *networks, address, device = records
    at_address, at_device = len(networks), len(networks) + 1
    rows = (
        [_row(Party.DEVICE, "from this device", device, limits.device, now_us, at_device)]
        if found.kind == "device"
        else []
    )
    row = _row(Party.ADDRESS, "from this address", address, limits.ip, now_us, at_address)
    rows.append(row._replace(failing_us=_failing_us(address, limits.ip, now_us)))
    names = target.network_names(found, service.settings)
    for place, (name, record, its) in enumerate(zip(names, networks, limits.networks, strict=False)):
        if name:
            rows.append(_row(Party.NETWORK, f"from its network {name}", record, its, now_us, place))
    return rows


async def _account_rows(service: Desk, found: Target) -> list[CounterRow]:
    limits, rows = service.settings.limits, list[CounterRow]()
    for number, counter in enumerate(target.account_counters(found, service.settings)):
        now_us, (record,) = await service.counters.of_account(counter.charge)
        of = f"at this account, without a password, at {counter.doors} doors" if counter.doors else "at this account"
        row = _row(Party.ACCOUNT, of, record, limits.account, now_us)
        if number == 0 or any(use.used for use in row.limits) or row.failures:
            rows.append(row)
        rows += [
            CounterRow(Party.KNOWN_DEVICE, _named(bucket), uses(bucket.tats, limits.known_device, now_us), 0)
            for bucket in record.buckets
            if bucket.generation < FAILED
        ]
    return rows


def _named(bucket: DeviceBucket) -> str:
    return f"from its known device {bucket.device.hex()[:8]}"


def _row(party: Party, of: str, record: Record, limits: Limits, now_us: int, place: int = -1) -> CounterRow:
    return CounterRow(party, of, uses(record.tats, limits, now_us), record.seen.size, record.failures, place)


def _failing_us(address: Record, limits: Limits, now_us: int) -> int:
    """How long an address stays failing without attempts, in microseconds; 0 where it is not."""
    until_us = failing_until(address.tats, len(limits))
    return until_us - now_us - FAILING_US + 1 if is_failing(until_us, now_us) else 0


# Reasons.


def _proxy(settings: Settings, address: str) -> str:
    """What an operator has to know of the address of a trusted proxy; empty for every other."""
    if not contains(settings.trusted_proxies, address):
        return ""
    return (
        "This is a trusted proxy (SEKISHO_TRUSTED_PROXIES). Clients behind it are counted at the addresses that it "
        f"writes into {settings.client_ip_header} (SEKISHO_CLIENT_IP_HEADER); look at those. What follows is of "
        "requests that name no client."
    )


def _address_reasons(settings: Settings, record: ControlRecord, found: Target, rows: list[CounterRow]) -> list[Reason]:
    address = found.origin.address
    if denied := _denied(settings, record, address):
        return [denied]
    if allowed := _allowed(settings, record, address):
        return [allowed]
    reasons = [_used_up("Refused", row, worst) for row in rows if (worst := row.worst)]
    most = _POLICY.accounts_per_ip_max
    asked = _asked(settings, proof=False)
    if asked and any(row.party is Party.ADDRESS and row.seen >= most for row in rows):
        text = (
            f"{asked.text}: {most} or more accounts were tried from this address in the last hour. "
            "Known devices are not."
        )
        reasons.append(Reason(text, refuses=False))
    if asked and settings.history and (failing_us := max(row.failing_us for row in rows)):
        text = (
            f"{asked.text}: attempts from this address have led to no success lately. "
            f"It ends when older accounts log in from it, or in {_wait(failing_us)} without attempts. "
            "Known devices are not."
        )
        reasons.append(Reason(text, refuses=False))
    return reasons


def _denied(settings: Settings, record: ControlRecord, address: str) -> Reason | None:
    if denies(Networks(settings.deny), address):
        return Reason("Refused: the address is on the deny list (SEKISHO_DENY).", refuses=True)
    for entry, network in record.denied(time.time()):
        if denies(Networks([network]), address):
            act = newest(record.acts, of=entry.network, words=frozenset({"deny"}))
            text = f"Refused: the address is on the deny list ({entry.network}) until {moment(entry.until_s)}"
            return Reason(f"{text}{said_by(act)}.", refuses=True)
    return None


def _allowed(settings: Settings, record: ControlRecord, address: str) -> Reason | None:
    listed = [network for _, network in record.allowed(time.time())]
    if not contains([*settings.allow, *listed], address):
        return None
    return Reason("Under no limit: the address is on the allow list. Limits of accounts are as always.", refuses=False)


def _account_reasons(row: CounterRow, settings: Settings) -> Iterator[Reason]:
    if row.party is Party.KNOWN_DEVICE:
        if row.worst is not None:
            yield _used_up("Treated as a stranger", row, row.worst, refuses=False)
        return
    asked = _asked(settings, proof=False)
    if row.worst is not None:
        reason = _used_up((asked or REFUSED).text, row, row.worst, refuses=asked is None)
        yield reason._replace(text=f"{reason.text} Known devices are not affected.")
    proof = _asked(settings, proof=True)
    if row.failures > settings.limits.account_failures_max and proof:
        most = settings.limits.account_failures_max
        text = f"{proof.text}: {row.failures} failed attempts since the last proof, and {most} are allowed."
        yield Reason(text, refuses=proof.refuses)
    if row.seen >= _POLICY.ips_per_account_max and proof:
        text = f"{proof.text}: {row.seen} or more addresses tried this account in the last hour."
        yield Reason(text, refuses=proof.refuses)


async def _in_feed(service: Desk, found: Target) -> list[Reason]:
    """Its block in front of the service, for an address in the feed."""
    network = network_of(found.origin.prefixes[0])
    until_s = (await service.feed.read()).get(network) if service.feed is not None and network is not None else None
    if until_s is None:
        return []
    text = f"Given to the front by `sekisho feed`, until {moment(int(until_s))}."
    return [Reason(text, refuses=True, wait_us=max(0, int((until_s - time.time()) * 1e6)))]


def _campaigns(settings: Settings, record: ControlRecord, found: Target) -> Iterator[Reason]:
    """An operator asks for a proof there: see `sekisho report`."""
    name, now_s = account_name(found.subject.account), time.time()
    asked = _asked(settings, proof=True)
    for group in record.asked:
        if asked and now_s < group.until_s and name in group.accounts:
            act = newest(record.acts, of=group.name, words=frozenset({"ask"}))
            of = "it was reported as taken over" if group.name.startswith(REPORTED) else f"campaign {group.name}"
            text = f"{asked.text} until {moment(group.until_s)}, on devices without a proof too: {of}"
            yield Reason(f"{text}{said_by(act)}.", refuses=asked.refuses)


def _asked(settings: Settings, *, proof: bool) -> Asked | None:
    """What strangers are asked for; None where nothing can be asked for. See `judge.policy`.

    `proof`: the finding calls for a proof, and work would not do.
    """
    if settings.factors and (proof or not settings.challenges):
        return Asked("Strangers are asked for a second proof")
    if proof and settings.no_factor is NoFactor.REFUSE:
        return REFUSED
    return Asked("Strangers are asked for work first") if settings.challenges else None


def _used_up(what: str, row: CounterRow, use: LimitUse, *, refuses: bool = True) -> Reason:
    text = (
        f"{what}: {use.used} of {use.burst} failed attempts {row.of} in the last {period_text(use.period_us)}; "
        f"the next attempt is allowed in {_wait(use.wait_us)}."
    )
    return Reason(text, refuses, use.wait_us)


def period_text(period_us: int) -> str:
    """`hour`, `10 minutes`."""
    seconds = period_us // 1_000_000
    unit_s, unit = next((size, name) for size, name in _UNITS if seconds % size == 0)
    return unit if seconds == unit_s else f"{seconds // unit_s} {unit}s"


def _wait(wait_us: int) -> str:
    """A wait, rounded up: an owner who comes back too early is refused again."""
    seconds = -(-wait_us // 1_000_000)
    return span(seconds) if seconds < 60 else f"{-(-seconds // 60)} min" if seconds < 7_200 else span(seconds + 59)
