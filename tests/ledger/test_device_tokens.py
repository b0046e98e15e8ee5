"""Renewals of device tokens and what voids them, in every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.model import Charged, Effect
from tests.ledger.charges import DAY, HOUR, LIMITS, MINUTE, SECOND, T0, charge
from tests.ledger.floods import flood, in_bucket
from tests.ledger.stores import WIDE, ask

if TYPE_CHECKING:
    from tests.ledger.stores import Store


async def renew(store: Store, generation: int = 0) -> None:
    ledger = store.ledger(LIMITS)
    own = charge(known_device=1, generation=generation)
    (verdict,) = await ask(ledger, [own])
    assert verdict.charged & Charged.KNOWN_DEVICE
    ledger.settle(own, verdict, Effect.RENEWED)
    await store.move_to(store.now_us)


async def test_two_tabs_may_use_one_token_for_a_minute(store: Store) -> None:
    """A renewed token stays valid for a minute, as a second tab's request may be under way."""
    await renew(store)
    await store.move_to(T0 + MINUTE)

    (verdict,) = await ask(store.ledger(LIMITS), [charge(known_device=1)])

    assert (verdict.token_spent, verdict.charged & Charged.KNOWN_DEVICE) == (False, Charged.KNOWN_DEVICE)


async def test_a_token_that_was_renewed_is_spent(store: Store) -> None:
    """A renewed token shown after that is a copy: a stranger, and reported. The new one is valid."""
    await renew(store)
    await store.move_to(T0 + MINUTE + 1)
    ledger = store.ledger(LIMITS)

    old, new = await ask(ledger, [charge(known_device=1), charge(known_device=1, generation=1)])

    assert (old.token_spent, old.charged & Charged.KNOWN_DEVICE, old.known_device_wait_us) == (True, 0, 0)
    assert (new.token_spent, new.charged & Charged.KNOWN_DEVICE) == (False, Charged.KNOWN_DEVICE)


@pytest.mark.parametrize("step_us", [HOUR, DAY])
async def test_a_known_device_has_one_new_period_after_a_clock_was_set_back(store: Store, step_us: int) -> None:
    """Its bucket was full or nearly empty: seven more attempts, and no more than these. It is not kept out."""
    limits, attempts = flood("known_device")
    ledger, other = store.ledger(limits), charge(1, known_device=2)
    await ask(ledger, [*attempts, other])
    await store.move_to(T0 - step_us)

    found = await ask(ledger, [*attempts, other])

    assert [verdict.charged & Charged.KNOWN_DEVICE > 0 for verdict in found[:-1]].count(True) == 7
    assert found[-1].charged & Charged.KNOWN_DEVICE


@pytest.mark.parametrize(("step_us", "is_let_in"), [(-DAY, True), (-59 * SECOND, False), (0, False)])
async def test_a_seventeenth_device_has_a_place_after_a_clock_was_set_back(
    store: Store, step_us: int, *, is_let_in: bool
) -> None:
    """The buckets of the other sixteen were never at rest until the clock had caught up."""
    ledger = store.ledger(LIMITS)
    await ask(ledger, [charge(known_device=number) for number in range(16)])
    await store.move_to(T0 + step_us)

    (last,) = await ask(ledger, [charge(known_device=16)])
    ledger.settle(charge(known_device=16), last, Effect.RIGHT)
    (again,) = await ask(ledger, [charge(known_device=16)])

    assert [bool(each.charged & Charged.KNOWN_DEVICE) for each in (last, again)] == [is_let_in, is_let_in]


async def test_a_clock_that_is_corrected_by_less_than_a_minute_fills_no_bucket_anew(store: Store) -> None:
    """Nor does another server's clock, after one has taken over from another."""
    limits, attempts = flood("known_device")
    ledger = store.ledger(limits)
    await ask(ledger, attempts)
    await store.move_to(T0 - 59 * SECOND)

    found = await ask(ledger, attempts)

    assert not any(verdict.charged & Charged.KNOWN_DEVICE for verdict in found)


@pytest.mark.parametrize("generation", [0, 2**31 - 3])
async def test_a_spent_token_stays_spent_after_a_clock_was_set_back(store: Store, generation: int) -> None:
    """A thief's older copy, and a device whose trust its owner has ended; the newest token is good."""
    ledger = store.ledger(LIMITS)
    ledger.settle(charge(known_device=1, generation=generation), UNHINDERED, Effect.RENEWED)
    await store.move_to(T0 - DAY)

    old, new = await ask(ledger, [charge(known_device=1, generation=number) for number in (generation, generation + 1)])

    assert (old.token_spent, new.token_spent) == (True, False)


async def test_a_late_settlement_does_not_bring_an_old_token_back(store: Store) -> None:
    """A late settlement of the first token, after two renewals, does not make it the newest again."""
    ledger = store.ledger(LIMITS)
    (slow,) = await ask(ledger, [charge(known_device=1)])
    await renew(store)
    await renew(store, generation=1)
    ledger.settle(charge(known_device=1), slow, Effect.RENEWED)
    await store.move_to(T0 + MINUTE + 1)

    old, new = await ask(ledger, [charge(known_device=1, generation=1), charge(known_device=1, generation=2)])

    assert (old.token_spent, new.token_spent) == (True, False)


async def test_a_device_whose_trust_ended_stays_spent(store: Store) -> None:
    """A device whose trust its owner ended is spent for 400 days: as long as any token lives."""
    ended = 2**31 - 2
    own = charge(known_device=1, generation=ended)
    ledger = store.ledger(LIMITS)
    ledger.settle(own, UNHINDERED, Effect.RENEWED)
    await store.move_to(store.now_us)
    for days in (1, 90, 399):
        await store.move_to(T0 + days * DAY)
        (verdict,) = await ask(ledger, [charge(known_device=1, generation=7)])
        assert (verdict.token_spent, verdict.charged & Charged.KNOWN_DEVICE) == (True, 0)
    await store.move_to(T0 + 401 * DAY)
    (verdict,) = await ask(ledger, [charge(known_device=1, generation=7)])
    assert not verdict.token_spent


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


async def test_a_renewal_is_remembered_for_a_day(store: Store) -> None:
    """A renewal is remembered for a day: longer would cost a record per log-in."""
    await renew(store)
    ledger = store.ledger(LIMITS)

    await store.move_to(T0 + DAY - 1)
    assert (await ask(ledger, [charge(known_device=1)]))[0].token_spent
    await store.move_to(T0 + DAY)
    assert not (await ask(ledger, [charge(known_device=1)]))[0].token_spent
