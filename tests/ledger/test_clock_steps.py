"""Clocks that step and restarts, in every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.model import Charged, Effect, Limit, Limits
from tests.ledger.charges import DAY, HOUR, LIMITS, MINUTE, SECOND, T0, charge
from tests.ledger.floods import flood
from tests.ledger.stores import WIDE, ask, let_in, only

if TYPE_CHECKING:
    from tests.ledger.stores import Store


@pytest.mark.parametrize("step_us", [-HOUR, HOUR])
@pytest.mark.parametrize("name", ["ip", "network", "device", "account"])
async def test_a_clock_that_steps_refuses_for_no_longer_than_a_period(store: Store, name: str, step_us: int) -> None:
    """Row 72: a clock step of an hour means no wait beyond a period, and a step back empties no counter."""
    _, attempts = flood(name)
    seven = (Limit(7, 10 * MINUTE),)
    ledger = store.ledger(only(**{f"{name}s": (seven,)} if name == "network" else {name: seven}))
    await ask(ledger, attempts)

    await store.move_to(T0 + step_us)
    found = await ask(ledger, attempts)

    assert 0 < max(max(verdict.throttle_wait_us, verdict.account_wait_us) for verdict in found) <= 10 * MINUTE
    assert let_in(found) == (7 if step_us > 0 else 0)


@pytest.mark.parametrize("step_us", [-HOUR, -DAY, -30 * DAY])
@pytest.mark.parametrize("name", ["ip", "network", "device", "account"])
async def test_a_clock_that_was_set_back_leaves_counters_as_full_as_they_were(
    store: Store, name: str, step_us: int
) -> None:
    """Row 72: of seven in ten minutes, five were used a minute ago. Two have room, and soon another, not in a day.

    Before, one attempt made a counter full until the clock had caught up: strangers at that address were refused.
    """
    _, attempts = flood(name)
    seven = (Limit(7, 10 * MINUTE),)
    ledger = store.ledger(only(**{f"{name}s": (seven,)} if name == "network" else {name: seven}))
    await ask(ledger, attempts[:5])
    await store.move_to(T0 + step_us)

    at_once = let_in(await ask(ledger, attempts[5:20]))
    await store.move_to(T0 + step_us + 2 * MINUTE)
    later = let_in(await ask(ledger, attempts[20:40]))

    assert (at_once, later) == (2, 1)


@pytest.mark.parametrize("step_us", [-HOUR, -DAY])
async def test_a_full_counter_of_another_clock_drains_while_it_refuses(store: Store, step_us: int) -> None:
    """It refuses again and again, and is no fuller for that."""
    limits, attempts = flood("ip")
    ledger = store.ledger(limits)
    await ask(ledger, attempts)

    found = []
    for minute in range(0, 20, 2):
        await store.move_to(T0 + step_us + minute * MINUTE)
        found += await ask(ledger, [attempts[minute]])

    assert [each.throttle_wait_us == 0 for each in found] == [False] * 5 + [True] + [False] * 3 + [True]


@pytest.mark.parametrize("step_us", [-HOUR, -DAY])
async def test_a_clock_that_was_set_back_keeps_no_tag_until_it_has_caught_up(store: Store, step_us: int) -> None:
    """Accounts seen at an address, and with a secret, are forgotten after an hour at most, as ever."""
    ledger = store.ledger(WIDE)
    await ask(ledger, [charge(number, 1) for number in range(12)])
    found = []
    for minutes in (0, 61):
        await store.move_to(T0 + step_us + minutes * MINUTE)
        (verdict,) = await ask(ledger, [charge(20, 1)])
        found.append((verdict.spread.accounts_per_ip, verdict.spread.accounts_per_secret))

    assert found == [(13, 13), (1, 1)]


@pytest.mark.parametrize(
    ("after", "waits"),
    [
        ((Limit(5, 5 * MINUTE), Limit(10, HOUR)), [0, 0, 60]),  # the same
        ((Limit(5, 5 * MINUTE),), [0, 0, 60]),  # one fewer
        ((Limit(5, 5 * MINUTE), Limit(10, HOUR), Limit(12, DAY)), [0, 0, 60]),  # one more starts from the last
        ((Limit(3, MINUTE),), [20, 20, 20]),  # shorter: full, and no fuller
        ((Limit(100, HOUR),), [0, 0, 0]),  # far more
    ],
)
async def test_counts_outlive_a_restart_with_other_limits(store: Store, after: Limits, waits: list[int]) -> None:
    """Row 78: after a restart, counts weigh under the new limits, and never beyond their period."""
    await ask(store.ledger(only(account=(Limit(5, 5 * MINUTE), Limit(10, HOUR)))), [charge(0, n) for n in range(3)])

    found = await ask(store.ledger(only(account=after)), [charge(0, 3 + n) for n in range(3)])

    assert [verdict.account_wait_us // SECOND for verdict in found] == waits


@pytest.mark.parametrize("known_device", [None, 1])
async def test_a_limit_that_was_added_starts_from_the_one_before_it(store: Store, known_device: int | None) -> None:
    """A new daily limit starts from the hourly one's charge: three in 18 minutes' worth leave three, not four."""
    hourly = (Limit(20, 30 * MINUTE), Limit(10, HOUR))
    daily = (*hourly, Limit(4, DAY))
    attempts = [charge(0, n, known_device=known_device) for n in range(7)]
    await ask(store.ledger(only(account=hourly, known_device=hourly)), attempts[:3])

    found = await ask(store.ledger(only(account=daily, known_device=daily)), attempts[3:])

    assert [max(verdict.account_wait_us, verdict.known_device_wait_us) // MINUTE for verdict in found] == [0, 0, 0, 18]


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
