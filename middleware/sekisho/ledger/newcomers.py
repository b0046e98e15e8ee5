"""Charges attempts of which no counter has a record yet, in memory.

A botnet's flood consists of them: each attempt has an address, an account and a secret of its own. No limit refuses
such an attempt, and what is written for it depends on the limits, the time and its tags alone. So nothing is compared
or added, which takes a third of the time that `arithmetic.apply` takes for the same verdict and the same records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.ledger.address_failures import FIRST_US, TATS_MAX
from sekisho.ledger.packing import PACKERS
from sekisho.ledger.records import account_key, failures_kept_us, network_keys, secret_key
from sekisho.ledger.tags import GENERATION_US, TAG_BYTES
from sekisho.model import Charge, Charged, Limits, LimitSet, Spread, Tagged, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHARGED: Final = Charged.NETWORK | Charged.ACCOUNT | Charged.FAILURES
_TAGGED: Final = Tagged.PAIR | Tagged.MEMBER
_ONE_OF_EACH: Final = Spread(1, 1, 1, 1, 1)
_KEPT_US: Final = failures_kept_us(1)


def newcomer_keys(charge: Charge) -> tuple[bytes, ...]:
    """Return the keys of a charge's records; `()` for a charge that cannot be a newcomer's, as of a known device.

    The charge is a newcomer's if none of the keys has a record. In this order: networks, address, device, account,
    secret.
    """
    if charge.known_device or charge.exempt or not (charge.account and charge.secret and charge.networks):
        return ()
    return (*network_keys(charge), account_key(charge), secret_key(charge))


class Newcomers:
    """The records and verdicts of newcomers under these limits."""

    def __init__(self, limits: LimitSet) -> None:
        self._networks = [_intervals_us(each) for each in limits.networks]
        self._ip_and_device = (_intervals_us(limits.ip), _intervals_us(limits.device))
        self._account = _intervals_us(limits.account)
        self._is_last = any(limit.burst == 1 for limit in (*limits.ip, *limits.account))

    def short_lived(self, charge: Charge, keys: tuple[bytes, ...], now_us: int) -> dict[bytes, bytes]:
        """Return a newcomer's packed records of networks, address, device and secret.

        They end with their tags, but for the address, which is looked at then, and kept.
        """
        generation, tag = now_us // GENERATION_US, charge.account_tag
        records = {keys[-1]: PACKERS[0](0, TAG_BYTES, 0, 0, 0, 0, generation, 0) + charge.member_tag}
        address_at = len(charge.networks)
        for i, intervals_us in enumerate((*self._networks[:address_at], *self._ip_and_device)):
            tats = [now_us + interval_us for interval_us in intervals_us]
            if i == address_at and charge.place and len(tats) < TATS_MAX:
                tats.append(now_us + FIRST_US)
            records[keys[i]] = PACKERS[len(tats)](len(tats), TAG_BYTES, 0, 0, 0, 0, generation, now_us, *tats) + tag
        return records

    def account(self, charge: Charge, keys: tuple[bytes, ...], now_us: int) -> dict[bytes, bytes]:
        """Return a newcomer's packed record of the account; it ends with its one failure."""
        tats = [now_us + interval_us for interval_us in self._account]
        head = PACKERS[len(tats)](len(tats), TAG_BYTES, 0, TAG_BYTES, 0, 1, now_us // GENERATION_US, now_us, *tats)
        return {keys[-2]: head + charge.ip_tag + charge.pair_tag}

    def verdict(self, now_us: int) -> Verdict:
        """What `arithmetic.apply` returns for a newcomer."""
        return Verdict(
            now_us, _CHARGED, 0, 0, 0, 0, 0, False, 1, False, False, _ONE_OF_EACH, 0, 0, _TAGGED, self._is_last
        )


def short_lived_end_us(now_us: int) -> int:
    """Return when the records of a newcomer at `now_us` are looked at first, in microseconds; the account's later."""
    return (now_us // GENERATION_US + 2) * GENERATION_US


def account_end_us(now_us: int) -> int:
    """When the record of a newcomer's account ends: a day after its one failure."""
    return now_us + _KEPT_US


def _intervals_us(limits: Limits) -> Sequence[int]:
    return [limit.interval_us for limit in limits]
