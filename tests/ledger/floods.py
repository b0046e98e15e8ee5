"""Limits, floods and attempts that tests of several subjects share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import Charge, Charged, Effect, Limit, LimitSet
from tests.ledger.charges import HOUR, MINUTE, charge
from tests.ledger.stores import ask, only

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.model import Ledger, Verdict


THREE = (Limit(3, MINUTE),)  # an interval of 20 s
ACCOUNT_OF_THREE = only(account=THREE)

# One flood per dimension: limits, and attempts that share this dimension alone.
FLOODS = {
    "ip": (only(ip=(Limit(7, HOUR),)), [charge(n, n, device=n) for n in range(200)]),
    "device": (only(device=(Limit(7, HOUR),)), [charge(n, n, ip=n) for n in range(200)]),
    "network": (only(networks=((Limit(7, HOUR),),)), [charge(n, n, ip=n, device=n) for n in range(200)]),
    "account": (only(account=(Limit(7, HOUR),)), [charge(0, n % 30, network=n) for n in range(200)]),
    "two periods": (only(account=(Limit(9, MINUTE), Limit(7, HOUR))), [charge(0, network=n) for n in range(200)]),
    "known_device": (
        only(known_device=(Limit(7, HOUR),), account=(Limit(1, HOUR),)),
        [charge(0, network=n, known_device=1) for n in range(200)],
    ),
}  # fmt: skip


def flood(name: str) -> tuple[LimitSet, list[Charge]]:
    return FLOODS[name]


async def in_bucket(ledger: Ledger, secret: int, *, right: bool = False, known_device: int = 1) -> int:
    """Log in from a known device. Returns the failures that it is told."""
    own = charge(0, secret, known_device=known_device)
    (verdict,) = await ask(ledger, [own])
    assert verdict.charged == Charged.KNOWN_DEVICE
    if right:
        ledger.settle(own, verdict, Effect.RIGHT)
    else:
        ledger.fail(own, verdict)
    return verdict.failures


def spreads(verdicts: Sequence[Verdict], name: str) -> list[int]:
    return [getattr(verdict.spread, name) for verdict in verdicts]
