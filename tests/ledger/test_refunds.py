"""What a success gives back, in every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ledger.charges import LIMITS, SECOND, T0, charge
from tests.ledger.floods import ACCOUNT_OF_THREE, THREE
from tests.ledger.stores import ask, let_in, only

if TYPE_CHECKING:
    from tests.ledger.stores import Store


@pytest.mark.parametrize(("taken_s", "left"), [(0, 3), (5, 3), (19, 3), (20, 3), (40, 3)])
async def test_a_success_leaves_the_budget_as_it_was(store: Store, taken_s: int, left: int) -> None:
    """A success leaves the budget as it was, however long its check took: three free before and after."""
    ledger = store.ledger(ACCOUNT_OF_THREE)
    own = charge(secret=9)
    (verdict,) = await ask(ledger, [own])
    await store.move_to(T0 + taken_s * SECOND)

    ledger.settle(own, verdict)
    await store.move_to(store.now_us)

    assert let_in(await ask(ledger, [charge()] * 9)) == left


async def test_a_late_refund_erases_nobodys_guess(store: Store) -> None:
    """R8: a log-in refunded after 50 s, when its charge has drained, does not refund three later guesses."""
    ledger = store.ledger(ACCOUNT_OF_THREE)
    own = charge(secret=9)
    (verdict,) = await ask(ledger, [own])
    await store.move_to(T0 + 50 * SECOND)
    assert let_in(await ask(ledger, [charge()] * 9)) == 3

    ledger.settle(own, verdict)
    await store.move_to(store.now_us)

    assert let_in(await ask(ledger, [charge(secret=1)] * 9)) == 0


async def test_a_refusal_has_nothing_to_give_back(store: Store) -> None:
    """A refused attempt (of an application behind work) is refunded nothing."""
    ledger = store.ledger(LIMITS)
    verdicts = await ask(ledger, [charge(n, n) for n in range(30)])
    for number, verdict in enumerate(verdicts[6:], 6):
        ledger.settle(charge(number, number), verdict)
    await store.move_to(store.now_us)

    assert let_in(await ask(ledger, [charge(40)])) == 0


async def test_ones_own_login_does_not_clear_the_address(store: Store) -> None:
    """Row 67: L - 1 failures and an own log-in leave room for one more, not for L."""
    ledger = store.ledger(only(ip=THREE))
    await ask(ledger, [charge(1), charge(2)])
    own = charge(9)
    (verdict,) = await ask(ledger, [own])

    ledger.settle(own, verdict)
    await store.move_to(store.now_us)

    assert let_in(await ask(ledger, [charge(3), charge(4), charge(5)])) == 1


async def test_the_victims_login_does_not_clear_the_attacker(store: Store) -> None:
    """Row 68: the owner's log-in from elsewhere does not clear the attacker's guesses, cumulative ones included."""
    ledger = store.ledger(only(account=THREE))
    await ask(ledger, [charge(0, 1, network=1), charge(0, 2, network=1)])
    owners = charge(0, 9, network=2)
    (verdict,) = await ask(ledger, [owners])

    ledger.settle(owners, verdict)
    await store.move_to(store.now_us)
    found = await ask(ledger, [charge(0, 3, network=1), charge(0, 4, network=1)])

    assert [verdict.account_wait_us > 0 for verdict in found] == [False, True]
    assert found[0].failures == 3
