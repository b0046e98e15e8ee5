"""Renewals of device tokens, in every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.model import Charged, Effect
from tests.ledger.charges import DAY, LIMITS, MINUTE, T0, charge
from tests.ledger.stores import ask

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


async def test_a_renewal_is_remembered_for_a_day(store: Store) -> None:
    """A renewal is remembered for a day: longer would cost a record per log-in."""
    await renew(store)
    ledger = store.ledger(LIMITS)

    await store.move_to(T0 + DAY - 1)
    assert (await ask(ledger, [charge(known_device=1)]))[0].token_spent
    await store.move_to(T0 + DAY)
    assert not (await ask(ledger, [charge(known_device=1)]))[0].token_spent
