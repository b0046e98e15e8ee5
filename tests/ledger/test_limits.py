"""How many attempts pass in every store: memory, Redis by TCP and unix socket, Sentinels, a Cluster."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sekisho.model import Charged, Limit, Limits
from tests.ledger.charges import MINUTE, SECOND, T0, charge
from tests.ledger.floods import ACCOUNT_OF_THREE, FLOODS, THREE, flood
from tests.ledger.stores import ask, let_in, only

if TYPE_CHECKING:
    from tests.ledger.stores import Store


@pytest.mark.parametrize("name", [name for name in FLOODS if name != "known_device"])
async def test_at_one_instant_the_limit_is_let_in_and_no_more(store: Store, name: str) -> None:
    """Row 58, R9: of 200 parallel attempts in one batch the limit passes, as each sees those before it."""
    limits, attempts = flood(name)

    assert let_in(await ask(store.ledger(limits), attempts)) == 7


@pytest.mark.parametrize("name", [name for name in FLOODS if name != "known_device"])
async def test_two_workers_share_one_limit(store: Store, name: str) -> None:
    """Row 58: two workers let in no more of the same 200."""
    limits, attempts = flood(name)
    one, other = store.ledger(limits), store.ledger(limits)

    found = await asyncio.gather(ask(one, attempts[::2]), ask(other, attempts[1::2]))

    assert let_in(found[0] + found[1]) == 7


async def test_a_device_has_the_buckets_limit_and_then_the_strangers(store: Store) -> None:
    """A device has seven attempts in its bucket; the eighth is charged as a stranger's, and one of those passes."""
    limits, attempts = flood("known_device")
    verdicts = await ask(store.ledger(limits), attempts)

    assert sum(verdict.charged & Charged.KNOWN_DEVICE > 0 for verdict in verdicts) == 7
    assert let_in(verdicts) == 8


@pytest.mark.parametrize("before_us", [1, SECOND, 9 * SECOND])
async def test_no_second_helping_at_the_edge_of_a_window(store: Store, before_us: int) -> None:
    """Row 70: a limit spent just before a minute's end is still spent just after it."""
    turn = T0 - T0 % MINUTE
    await store.move_to(turn - before_us)
    ledger = store.ledger(ACCOUNT_OF_THREE)
    assert let_in(await ask(ledger, [charge()] * 9)) == 3

    await store.move_to(turn + before_us)

    assert let_in(await ask(ledger, [charge()] * 9)) == 0


# GCRA by hand for three a minute: times in seconds and the expected waits.
VECTORS: dict[str, tuple[Limits, list[tuple[float, float]]]] = {
    "burst, then one every T": (THREE, [(0, 0), (0, 0), (0, 0), (0, 20), (19, 1), (20, 0), (20, 20), (40, 0)]),
    "refusals cost nothing": (THREE, [(0, 0), (0, 0), (0, 0), (0, 20), *[(n, 20 - n) for n in range(20)], (20, 0)]),
    "rest brings it all back": (THREE, [(0, 0), (0, 0), (0, 0), (60, 0), (60, 0), (60, 0), (60, 20)]),
    "and no more than all": (THREE, [(0, 0), (3600, 0), (3600, 0), (3600, 0), (3600, 20)]),
    "partly paid": (THREE, [(0, 0), (0, 0), (50, 0), (50, 0), (50, 0), (50, 20)]),
    "half paid": (THREE, [(0, 0), (0, 0), (0, 0), (30, 0), (30, 10), (40, 0)]),
    "one at a time": ((Limit(1, MINUTE),), [(0, 0), (0, 60), (59, 1), (60, 0)]),
    "the longer wait counts": (
        (Limit(2, 10 * SECOND), Limit(3, MINUTE)),
        [(0, 0), (0, 0), (0, 5), (5, 0), (5, 15), (20, 0), (20, 20), (39, 1), (40, 0)],
    ),
    "T is rounded down": ((Limit(7, MINUTE),), [(0, 0)] * 7 + [(0, 8.571428), (8.571428, 0), (8.571428, 8.571428)]),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
async def test_waits_are_those_of_gcra(store: Store, name: str) -> None:
    """Waits equal those of GCRA (ITU-T I.371), calculated by hand."""
    limits, attempts = VECTORS[name]
    ledger = store.ledger(only(account=limits))

    for number, (second, wait) in enumerate(attempts):
        await store.move_to(T0 + round(second * SECOND))
        (verdict,) = await ask(ledger, [charge(secret=number % 30)])
        assert (number, verdict.account_wait_us) == (number, round(wait * SECOND))


@pytest.mark.parametrize("burst", [3, 4, 6, 7, 9])
async def test_rounding_never_adds_to_the_burst(store: Store, burst: int) -> None:
    """Intervals are rounded up: rounded down, more attempts than the burst would fit into the period."""
    ledger = store.ledger(only(account=(Limit(burst, 10),)))

    assert let_in(await ask(ledger, [charge()] * 20)) == burst
