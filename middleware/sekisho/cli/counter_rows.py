"""The counters of an account, an address or a device, as `sekisho look` shows them."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.cli import target
from sekisho.ledger.address_failures import FAILING_US, failing_until, is_failing
from sekisho.ledger.counters import LimitUse, uses
from sekisho.ledger.history import FAILED
from sekisho.model import SITE_NETWORKS, Policy

if TYPE_CHECKING:
    from sekisho.cli.operator import Desk
    from sekisho.cli.target import Target
    from sekisho.ledger.history import DeviceBucket
    from sekisho.ledger.records import Record
    from sekisho.model import Limits

_POLICY: Final = Policy()


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
        place: that of an address's or a device's record in `CounterPlace.of_network`; -1 for an account's.
        failing_us: of an address that is failing, how long it stays so without attempts; else 0.
        seen_max: the number of `seen` from which more is asked of strangers; 0: at no number.
    """

    party: Party
    of: str
    limits: list[LimitUse]
    seen: int
    failures: int = 0
    place: int = -1
    failing_us: int = 0
    seen_max: int = 0

    @property
    def worst(self) -> LimitUse | None:
        """The limit of this counter that refuses for longest; None if none of its limits refuses now."""
        used_up = [use for use in self.limits if use.wait_us]
        return max(used_up, key=lambda use: use.wait_us) if used_up else None

    @property
    def is_spread(self) -> bool:
        """Whether so many accounts or addresses were seen that more is asked of strangers."""
        return 0 < self.seen_max <= self.seen


async def rows_of(service: Desk, found: Target) -> list[CounterRow]:
    """Read the counters of an account, an address or a device. Raises `StoreUnavailable`."""
    return await (_account_rows(service, found) if found.kind == "account" else _address_rows(service, found))


async def _address_rows(service: Desk, found: Target) -> list[CounterRow]:
    limits = service.settings.limits
    charge = target.network_charge(found, service.settings)
    now_us, records = await service.counters.of_network(charge)
    *networks, address, device = records
    at_address, at_device = len(networks), len(networks) + 1
    rows = []
    if found.kind == "device":
        row = _row(Party.DEVICE, "from this device", device, limits.device, now_us)
        rows.append(row._replace(place=at_device, seen_max=_POLICY.accounts_per_device_max))
    row = _row(Party.ADDRESS, "from this address", address, limits.ip, now_us)
    failing_us = _failing_us(address, limits.ip, now_us)
    rows.append(row._replace(place=at_address, failing_us=failing_us, seen_max=_POLICY.accounts_per_ip_max))
    names = target.network_names(found, service.settings)
    for place, (name, record, its) in enumerate(zip(names, networks, limits.networks, strict=False)):
        if name:
            row = _row(Party.NETWORK, f"from its network {name}", record, its, now_us)
            # Many owners share a provider: the number of accounts that are tried there means nothing.
            seen_max = _POLICY.accounts_per_network_max if place < SITE_NETWORKS else 0
            rows.append(row._replace(place=place, seen_max=seen_max))
    return rows


async def _account_rows(service: Desk, found: Target) -> list[CounterRow]:
    limits, rows = service.settings.limits, list[CounterRow]()
    for number, counter in enumerate(target.account_counters(found, service.settings)):
        now_us, (record,) = await service.counters.of_account(counter.charge)
        of = f"at this account, without a password, at {counter.doors} doors" if counter.doors else "at this account"
        row = _row(Party.ACCOUNT, of, record, limits.account, now_us)._replace(seen_max=_POLICY.ips_per_account_max)
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


def _row(party: Party, of: str, record: Record, limits: Limits, now_us: int) -> CounterRow:
    return CounterRow(party, of, uses(record.tats, limits, now_us), record.seen.size, record.failures)


def _failing_us(address: Record, limits: Limits, now_us: int) -> int:
    """How long an address stays failing without attempts, in microseconds; 0 where it is not."""
    until_us = failing_until(address.tats, len(limits))
    return until_us - now_us - FAILING_US + 1 if is_failing(until_us, now_us) else 0
