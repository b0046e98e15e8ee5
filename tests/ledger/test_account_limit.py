"""The account's limit and its failures, in every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.model import Charged, Effect, Limit
from tests.ledger.charges import DAY, HOUR, LIMITS, ROOMY, SECOND, T0, charge
from tests.ledger.floods import ACCOUNT_OF_THREE, THREE, spreads
from tests.ledger.stores import WIDE, ask, let_in, only

if TYPE_CHECKING:
    from tests.ledger.stores import Store


async def test_the_account_limit_is_advice(store: Store) -> None:
    """Beyond the account's limit addresses are charged on and refused nothing: the account switches no other
    counter.
    """
    ledger = store.ledger(only(account=THREE))
    found = await ask(ledger, [charge(0, n, network=n) for n in range(9)])

    assert [verdict.throttle_wait_us for verdict in found] == [0] * 9
    assert [verdict.charged for verdict in found[3:]] == [Charged.NETWORK] * 6


async def test_what_an_address_is_refused_is_not_counted_at_the_account(store: Store) -> None:
    """An attempt refused at its address is not charged at the account, or one address could keep every account
    empty.
    """
    ledger = store.ledger(only(ip=THREE, account=(Limit(5, HOUR),)))
    await ask(ledger, [charge(0, n) for n in range(20)])

    assert let_in(await ask(ledger, [charge(0, n, network=1) for n in range(9)])) == 2


async def test_a_thousand_addresses_with_one_try_each(store: Store) -> None:
    """Row 77: a thousand addresses with one try each trip the account's limit, where no address limit would."""
    found = await ask(store.ledger(LIMITS), [charge(0, n % 30, network=n) for n in range(1_000)])

    assert let_in(found) == 5
    assert all(not verdict.throttle_wait_us for verdict in found)


async def test_the_same_wrong_pair_again_is_free_on_the_account_alone(store: Store) -> None:
    """Repeating a wrong pair is free at the account, so an old mail program locks no owner out; its address pays."""
    ledger = store.ledger(LIMITS)
    await ask(ledger, [charge()])
    await store.move_to(T0 + 2 * SECOND)

    (again,) = await ask(ledger, [charge()])

    assert (again.charged, again.failures) == (Charged.NETWORK, 1)


async def test_without_a_secret_no_attempt_is_a_repeat(store: Store) -> None:
    """Without a secret, as when a code is requested, no attempt is a repeat, and each one counts."""
    ledger = store.ledger(LIMITS)
    await ask(ledger, [charge(secret=None)])
    await store.move_to(T0 + 2 * SECOND)

    (again,) = await ask(ledger, [charge(secret=None)])

    assert again.failures == 2


async def test_parallel_repeats_are_not_free(store: Store) -> None:
    """A repeat is charged while the first attempt may be under way, or parallel repeats would bypass the count."""
    found = await ask(store.ledger(LIMITS), [charge()] * 5)

    assert [verdict.failures for verdict in found] == [1, 2, 3, 4, 5]


async def test_a_right_password_is_not_among_the_tried(store: Store) -> None:
    """A success removes its pair from the tried ones: the next time it is charged and refunded again."""
    ledger = store.ledger(LIMITS)
    (verdict,) = await ask(ledger, [charge()])
    ledger.settle(charge(), verdict)
    await store.move_to(T0 + 2 * SECOND)

    (again,) = await ask(ledger, [charge()])

    assert again.charged == Charged.NETWORK | Charged.ACCOUNT | Charged.FAILURES


async def test_a_success_takes_out_no_pair_that_a_guess_wrote(store: Store) -> None:
    """Row 3.4: a right guess stays a repeat after its owner's log-in, as a wrong one does."""
    ledger = store.ledger(LIMITS)
    repeats = []
    for account, owners in ((0, 7), (1, 8)):  # at account 0 the guess, 7, is right
        await ask(ledger, [charge(account, 7, ip=1)])
        await store.move_to(store.now_us + 2 * SECOND)
        own = charge(account, owners, network=1)
        (verdict,) = await ask(ledger, [own])
        ledger.settle(own, verdict, Effect.PROVED | Effect.RIGHT)
        await store.move_to(store.now_us + 2 * SECOND)
        repeats += await ask(ledger, [charge(account, 7, ip=1)])

    assert [verdict.charged & Charged.ACCOUNT for verdict in repeats] == [0, 0]


async def test_a_success_takes_its_account_out_of_no_set_that_a_guess_put_it_in(store: Store) -> None:
    """Row 3.4: after an owner's log-in, an attacker's secret still counts as many accounts as before."""
    ledger = store.ledger(WIDE)
    guesses = [charge(n, network=n)._replace(secret=b"same") for n in range(3)]
    await ask(ledger, guesses)
    owners = guesses[1]._replace(network=b"h" * 16, networks=(b"h" * 16,), ip=b"h" * 16, device=b"h" * 16)
    (verdict,) = await ask(ledger, [owners])
    ledger.settle(owners, verdict, Effect.RIGHT)
    await store.move_to(store.now_us)

    assert spreads(await ask(ledger, guesses[:1]), "accounts_per_secret") == [3]


async def test_what_is_given_back_untried_leaves_its_tags(store: Store) -> None:
    """Row 3.5: a refund of an untried attempt keeps its pair and its account's place in the secret's set."""
    ledger = store.ledger(ACCOUNT_OF_THREE)
    own = charge()
    (verdict,) = await ask(ledger, [own])
    assert verdict.tagged == 64 | 128
    ledger.settle(own, verdict._replace(tagged=0))
    await store.move_to(T0 + 2 * SECOND)

    (again,) = await ask(ledger, [own])

    assert (again.charged & Charged.ACCOUNT, again.tagged) == (0, 0)
    assert let_in(await ask(ledger, [charge(secret=n) for n in range(1, 9)])) == 3


async def test_low_and_slow_adds_up(store: Store) -> None:
    """Row 76: a guess an hour is below every limit, and after 101 the count says 101."""
    ledger = store.ledger(ROOMY)
    for hour in range(101):
        await store.move_to(T0 + hour * HOUR)
        (verdict,) = await ask(ledger, [charge(0, hour % 30, network=hour)])
        assert verdict.account_wait_us == 0

    assert verdict.failures == 101


@pytest.mark.parametrize(("failures", "days"), [(1, 1), (2, 2), (5, 5), (90, 90), (120, 90)])
@pytest.mark.parametrize("late_us", [-1, 0])
async def test_failures_are_kept_for_a_day_each_after_the_last(
    store: Store, failures: int, days: int, late_us: int
) -> None:
    """Row 13.4: each failure extends the count by a day, up to 90, to the microsecond, whether the record was kept or
    not.
    """
    ledger = store.ledger(WIDE)
    await ask(ledger, [charge(0, n, ip=n, network=n) for n in range(failures)])
    await store.move_to(T0 + days * DAY + late_us)

    (last,) = await ask(ledger, [charge(0, 500)])

    assert last.failures == (failures + 1 if late_us else 1)


async def test_a_guess_a_day_is_all_that_patience_gains(store: Store) -> None:
    """Row 13.4: an attacker who waits until a failure is forgotten has 91 guesses in 91 days; any faster adds up."""
    ledger = store.ledger(ROOMY)
    counts = []
    for day in range(91):
        await store.move_to(T0 + day * DAY)
        counts += [verdict.failures for verdict in await ask(ledger, [charge(1, day, network=day)])]
    assert (len(counts), max(counts)) == (91, 1)

    for number in range(101):
        await store.move_to(store.now_us + 23 * HOUR)
        (verdict,) = await ask(ledger, [charge(2, number, network=number)])
    assert verdict.failures == 101
