"""A change of the password voids the device tokens of all other devices, in every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.model import Charged, Effect
from tests.ledger.charges import DAY, LIMITS, SECOND, T0, charge
from tests.ledger.floods import in_bucket
from tests.ledger.stores import WIDE, ask

if TYPE_CHECKING:
    from tests.ledger.stores import Store


async def changed(store: Store, known_device: int | None) -> None:
    """The account's password is changed at a second's half, by this device."""
    await store.move_to(T0 + SECOND // 2)
    own = charge(known_device=known_device, generation=3)
    verdict = UNHINDERED._replace(charged=0, at_us=store.now_us)
    store.ledger(LIMITS).settle(own, verdict, Effect.ENDS)
    await store.move_to(store.now_us)


async def is_known(store: Store, known_device: int, issued_us: int) -> bool:
    (verdict,) = await ask(store.ledger(LIMITS), [charge(known_device=known_device, issued_us=issued_us)])
    assert verdict.token_spent != bool(verdict.charged & Charged.KNOWN_DEVICE)
    return not verdict.token_spent


@pytest.mark.parametrize("days", [0, 90, 399])
async def test_a_change_of_the_password_voids_the_tokens_of_all_other_devices(store: Store, days: int) -> None:
    """Also of devices that the store knows nothing of; for 400 days, as long as any token lives."""
    await changed(store, known_device=1)
    await store.move_to(T0 + days * DAY + SECOND)
    assert not await is_known(store, 2, T0 - 1_000 * SECOND)
    assert not await is_known(store, 3, T0 - SECOND)
    assert await is_known(store, 1, T0 - 1_000 * SECOND)
    assert not await is_known(store, 3, T0)  # in the second of the change, of which tokens tell no more
    assert await is_known(store, 2, T0 + SECOND)
    await store.move_to(T0 + 401 * DAY)
    assert await is_known(store, 2, T0 - 1_000 * SECOND)


async def test_the_last_change_counts(store: Store) -> None:
    """A second change, by a stranger's browser, ends the device that made the first one. Other accounts are spared."""
    await changed(store, known_device=1)
    await changed(store, known_device=None)
    assert not await is_known(store, 1, T0 - SECOND)
    (other,) = await ask(store.ledger(LIMITS), [charge(7, known_device=1, issued_us=T0 - SECOND)])
    assert not other.token_spent


async def test_no_flood_of_failures_brings_a_void_token_back(store: Store) -> None:
    """The change keeps its place beside the failures of more devices than there is room for."""
    await changed(store, known_device=1)
    ledger = store.ledger(WIDE)
    for known_device in range(10, 30):
        await in_bucket(ledger, 1, known_device=known_device)
        await store.move_to(store.now_us + SECOND)
    assert not await is_known(store, 2, T0 - SECOND)


async def test_a_change_that_no_clock_tells_is_of_now(store: Store) -> None:
    """Times of another clock, or none, would void no token, or every one to come."""
    for at_us in (0, 7, T0 + DAY):
        store.ledger(LIMITS).settle(charge(known_device=1), UNHINDERED._replace(charged=0, at_us=at_us), Effect.ENDS)
        await store.move_to(store.now_us + SECOND)
        assert not await is_known(store, 2, store.now_us - 5 * SECOND)
        assert await is_known(store, 3, store.now_us)  # a second later
