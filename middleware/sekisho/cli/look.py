"""Say how an account, an address or a device stands: counters, waits, and why it is refused.

  sekisho look account -                        the account is typed, or comes as a line of standard input
  sekisho look address 203.0.113.7
  sekisho look device 203.0.113.7 --header "User-Agent: Mozilla/5.0 (…)"

It changes nothing, and prints no secret. A success gives its attempt back, so counters hold attempts without success.
A device is a set of header values (SEKISHO_DEVICE_HEADERS) within its network; give those that it sends.

Not shown: what a worker counts by itself while the store does not answer; wrong codes of factors (they end within an
hour, and those of an authenticator app with `sekisho owners reset`); codes that a browser has asked for itself.
Where LoginGuard has a resolver, give its id with --id; where it has a mail policy, type the address as folded by it.

Exit code: 0 if it could be looked up, refused or not; 1 if not; 2 if the command line is wrong.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.cli import target
from sekisho.cli.operator import desk, moment, said_by
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
    import argparse
    from collections.abc import Iterator

    from sekisho.cli.operator import Desk
    from sekisho.cli.target import Target
    from sekisho.control import ControlRecord
    from sekisho.ledger.history import DeviceBucket
    from sekisho.ledger.records import Record
    from sekisho.model import Limits
    from sekisho.settings import Settings

__all__ = ["Standing", "arguments", "look", "run"]

_POLICY = Policy()
_HINTS = {"address": " Its devices are counted apart: `sekisho look device`."}
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


class CounterRow(NamedTuple):
    """A counter.

    Attributes:
        of: what it counts: "from this address", "at this account".
        limits: how far each of its limits is used.
        seen: different accounts tried from it, or addresses that tried it, within the last hour.
        failures: attempts at an account without success since its last proof.
        place: that of an address's or a device's record in `CounterPlace.of_network`.
        failing_us: of an address that is failing, how long it stays so without attempts; else 0.
    """

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


class Standing(NamedTuple):
    """The answer: reasons, the sternest first, and all counters."""

    kind: str
    mode: Mode
    reasons: list[Reason]
    rows: list[CounterRow]

    @property
    def is_refused(self) -> bool:
        return self.mode is Mode.ENFORCE and any(reason.refuses for reason in self.reasons)


def arguments(parser: argparse.ArgumentParser) -> None:
    target.arguments(parser)


def run(args: argparse.Namespace) -> int:
    standing = asyncio.run(_run(args))
    print(json.dumps(_as_json(standing)) if args.json else "\n".join(_as_text(standing)))
    return 0


async def _run(args: argparse.Namespace) -> Standing:
    async with desk() as service:
        found = target.target(args, service.settings)
        await service.warn()
        return await look(service, found)


async def look(service: Desk, found: Target) -> Standing:
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
    return Standing(found.kind, record.mode or service.settings.mode, reasons, rows)


# Counters.


async def _address_rows(service: Desk, found: Target) -> list[CounterRow]:
    limits = service.settings.limits
    charge = target.network_charge(found, service.settings)
    now_us, records = await service.counters.of_network(charge)
    *networks, address, device = records
    at_address, at_device = len(networks), len(networks) + 1
    rows = [_row("from this device", device, limits.device, now_us, at_device)] if found.kind == "device" else []
    row = _row("from this address", address, limits.ip, now_us, at_address)
    rows.append(row._replace(failing_us=_failing_us(address, limits.ip, now_us)))
    names = target.network_names(found, service.settings)
    for place, (name, record, its) in enumerate(zip(names, networks, limits.networks, strict=False)):
        if name:
            rows.append(_row(f"from its network {name}", record, its, now_us, place))
    return rows


async def _account_rows(service: Desk, found: Target) -> list[CounterRow]:
    limits, rows = service.settings.limits, list[CounterRow]()
    for number, counter in enumerate(target.account_counters(found, service.settings)):
        now_us, (record,) = await service.counters.of_account(counter.charge)
        of = f"at this account, without a password, at {counter.doors} doors" if counter.doors else "at this account"
        row = _row(of, record, limits.account, now_us)
        if number == 0 or any(use.used for use in row.limits) or row.failures:
            rows.append(row)
        rows += [
            _row(_named(bucket), record._replace(tats=bucket.tats), limits.known_device, now_us)
            for bucket in record.buckets
            if bucket.generation < FAILED
        ]
    return rows


def _named(bucket: DeviceBucket) -> str:
    return f"from its known device {bucket.device.hex()[:8]}"


def _row(of: str, record: Record, limits: Limits, now_us: int, place: int = -1) -> CounterRow:
    return CounterRow(of, uses(record.tats, limits, now_us), record.seen.size, record.failures, place)


def _failing_us(address: Record, limits: Limits, now_us: int) -> int:
    """How long an address stays failing without attempts, in microseconds; 0 where it is not."""
    until_us = failing_until(address.tats, len(limits))
    return until_us - now_us - FAILING_US + 1 if is_failing(until_us, now_us) else 0


# Reasons.


def _address_reasons(settings: Settings, record: ControlRecord, found: Target, rows: list[CounterRow]) -> list[Reason]:
    address = found.origin.address
    if denied := _denied(settings, record, address):
        return [denied]
    if allowed := _allowed(settings, record, address):
        return [allowed]
    reasons = [_used_up("Refused", row, worst) for row in rows if (worst := row.worst)]
    most = _POLICY.accounts_per_ip_max
    asked = _asked(settings, proof=False)
    if asked and any(row.of == "from this address" and row.seen >= most for row in rows):
        text = f"{asked}: {most} or more accounts were tried from this address in the last hour. Known devices are not."
        reasons.append(Reason(text, refuses=False))
    if asked and settings.history and (failing_us := max(row.failing_us for row in rows)):
        text = (
            f"{asked}: attempts from this address have led to no success lately. "
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
    if row.of.startswith("from its known device"):
        if row.worst is not None:
            yield _used_up("Treated as a stranger", row, row.worst, refuses=False)
        return
    asked = _asked(settings, proof=False)
    if row.worst is not None:
        reason = _used_up(asked or "Strangers are refused", row, row.worst, refuses=not asked)
        yield reason._replace(text=f"{reason.text} Known devices are not affected.")
    proof = _asked(settings, proof=True)
    if row.failures > settings.limits.account_failures_max and proof:
        most = settings.limits.account_failures_max
        text = f"{proof}: {row.failures} failed attempts since the last proof, and {most} are allowed."
        yield Reason(text, refuses=proof.endswith("refused"))
    if row.seen >= _POLICY.ips_per_account_max and proof:
        text = f"{proof}: {row.seen} or more addresses tried this account in the last hour."
        yield Reason(text, refuses=proof.endswith("refused"))


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
            text = f"{asked} until {moment(group.until_s)}, on devices without a proof too: {of}"
            yield Reason(f"{text}{said_by(act)}.", refuses=asked.endswith("refused"))


def _asked(settings: Settings, *, proof: bool) -> str:
    """What strangers are asked for instead of being let in; empty: nothing can be asked for. See `judge.policy`."""
    if settings.factors and (proof or not settings.challenges):
        return "Strangers are asked for a second proof"
    if proof and settings.no_factor is NoFactor.REFUSE:
        return "Strangers are refused"
    return "Strangers are asked for work first" if settings.challenges else ""


def _used_up(what: str, row: CounterRow, use: LimitUse, *, refuses: bool = True) -> Reason:
    text = (
        f"{what}: {use.used} of {use.burst} failed attempts {row.of} in the last {_period(use.period_us)}; "
        f"the next attempt is allowed in {_wait(use.wait_us)}."
    )
    return Reason(text, refuses, use.wait_us)


def _period(period_us: int) -> str:
    """`hour`, `10 minutes`."""
    seconds = period_us // 1_000_000
    unit_s, unit = next((size, name) for size, name in _UNITS if seconds % size == 0)
    return unit if seconds == unit_s else f"{seconds // unit_s} {unit}s"


def _each(period_us: int) -> str:
    """`an hour`, `10 minutes`."""
    period = _period(period_us)
    return period if period[0].isdigit() else f"an {period}" if period == "hour" else f"a {period}"


def _wait(wait_us: int) -> str:
    """A wait, rounded up: an owner who comes back too early is refused again."""
    seconds = -(-wait_us // 1_000_000)
    return span(seconds) if seconds < 60 else f"{-(-seconds // 60)} min" if seconds < 7_200 else span(seconds + 59)


# The printed answer.


def _as_text(standing: Standing) -> Iterator[str]:
    if standing.mode is not Mode.ENFORCE and standing.reasons:
        yield f"The mode is {standing.mode.value}: nobody is refused. In enforce it would be:"
    for reason in standing.reasons:
        yield reason.text
    if not standing.reasons:
        yield f"Not refused: no limit of this {standing.kind} is used up.{_HINTS.get(standing.kind, '')}"
    yield ""
    for row in standing.rows:
        used = "; ".join(f"{use.used} of {use.burst} in {_each(use.period_us)}" for use in row.limits)
        yield f"  failed attempts {row.of}: {used}"
        if row.failures:
            yield f"    since the last proof: {row.failures}"
        if row.seen:
            yield f"    different {'addresses' if row.of.startswith('at') else 'accounts'} in the last hour: {row.seen}"


def _as_json(standing: Standing) -> dict[str, Any]:
    waits = [reason.wait_us for reason in standing.reasons if reason.refuses]
    return {
        "kind": standing.kind,
        "mode": standing.mode.value,
        "refused": standing.is_refused,
        "wait_s": -(-max(waits, default=0) // 1_000_000),
        "why": [reason.text for reason in standing.reasons],
        "counters": [
            {
                "of": row.of,
                "limits": [
                    {
                        "burst": use.burst,
                        "period_s": use.period_us // 1_000_000,
                        "used": use.used,
                        "wait_s": -(-use.wait_us // 1_000_000),
                    }
                    for use in row.limits
                ],
                "seen": row.seen,
                "failures": row.failures,
            }
            for row in standing.rows
        ],
    }
