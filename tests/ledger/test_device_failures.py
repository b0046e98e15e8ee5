"""Failures of known devices, in every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.model import Charge, Charged, Effect, Limit
from tests.ledger.charges import DAY, HOUR, MINUTE, ROOMY, SECOND, T0, charge
from tests.ledger.floods import in_bucket
from tests.ledger.stores import WIDE, ask, only

if TYPE_CHECKING:
    from tests.ledger.stores import Store


@pytest.mark.parametrize(
    "own", [charge(0, 9), charge(0, 9, known_device=1), charge(0, None)], ids=["stranger", "known_device", "bare"]
)
@pytest.mark.parametrize("known", [True, False], ids=["charged", "not charged"])
async def test_a_factor_ends_the_count_of_failures(store: Store, own: Charge, known: bool) -> None:
    """A factor clears the failures, regardless of this attempt's charge."""
    ledger = store.ledger(ROOMY)
    await ask(ledger, [charge(0, n, ip=n) for n in range(3)])
    (verdict,) = await ask(ledger, [own])
    assert verdict.failures == (1 if own.known_device else 4)

    ledger.settle(own, verdict if known else verdict._replace(charged=0), Effect.PROVED)

    assert [each.failures for each in await ask(ledger, [charge(0, 10), charge(1, 10)])] == [1, 1]


async def test_without_a_factor_the_failures_of_others_stay(store: Store) -> None:
    """The right password alone, which a thief may have, does not clear others' failures."""
    ledger = store.ledger(ROOMY)
    *_, verdict = await ask(ledger, [charge(0, n) for n in range(4)])
    ledger.settle(charge(0, 3), verdict, Effect.RENEWED | Effect.RIGHT)

    assert [each.failures for each in await ask(ledger, [charge(0, 10)])] == [4]


async def test_a_stranger_adds_nothing_to_a_devices_failures(store: Store) -> None:
    """Row 4.16, invariant 6: after a hundred guesses of strangers a known device is told one failure at most, its
    own.
    """
    ledger = store.ledger(only(account=(Limit(1_000, HOUR),)))
    strangers = [charge(0, n % 30, network=n) for n in range(100)]
    for each, verdict in zip(strangers, await ask(ledger, strangers), strict=True):
        ledger.fail(each, verdict)

    assert await in_bucket(ledger, 1) == 1
    assert [verdict.failures for verdict in await ask(ledger, [charge(0, 31, network=200)])] == [101]


async def test_a_device_adds_nothing_to_the_strangers_failures(store: Store) -> None:
    """Row 4.16: the owner's typing errors on a device do not count against a new browser."""
    ledger = store.ledger(WIDE)
    assert [await in_bucket(ledger, n) for n in range(3)] == [1, 2, 3]

    assert [verdict.failures for verdict in await ask(ledger, [charge(0, 9)])] == [1]


async def test_each_device_has_failures_of_its_own_until_it_succeeds(store: Store) -> None:
    """Row 4.16: a success in a bucket clears the failures of its own device and no other's."""
    ledger = store.ledger(WIDE)
    told = [await in_bucket(ledger, n, known_device=known_device) for n in range(2) for known_device in (1, 2)]
    told += [
        await in_bucket(ledger, 9, right=True),
        await in_bucket(ledger, 3),
        await in_bucket(ledger, 3, known_device=2),
    ]

    assert told == [1, 1, 2, 2, 3, 1, 3]


async def test_what_opens_no_password_clears_no_failures(store: Store) -> None:
    """A success that checks no password (a requested reset) clears none of a stolen device's failures."""
    ledger = store.ledger(WIDE)
    await in_bucket(ledger, 1)
    own = charge(0, None, known_device=1)
    (verdict,) = await ask(ledger, [own])
    ledger.settle(own, verdict, Effect.RENEWED)

    assert [each.failures for each in await ask(ledger, [charge(0, 2, known_device=1, generation=1)])] == [2]


async def test_failures_are_forgiven_without_giving_anything_back(store: Store) -> None:
    """Row 4.20: a right code clears failures without a refund: the log-in's charge and time are unknown by then."""
    ledger = store.ledger(only(known_device=(Limit(3, HOUR),)))
    told = [await in_bucket(ledger, n) for n in range(2)]
    own = charge(0, 2, known_device=1)
    (verdict,) = await ask(ledger, [own])
    ledger.settle(own, verdict._replace(charged=Charged.KNOWN_DEVICE, tagged=0, at_us=0, account_at_us=0), Effect.RIGHT)
    (full,) = await ask(ledger, [own])
    await store.move_to(T0 + HOUR)

    assert (told, full.known_device_wait_us) == ([1, 2], 20 * MINUTE)
    assert await in_bucket(ledger, 3) == 1


@pytest.mark.parametrize(("after_us", "failures"), [(90 * DAY - 1, 3), (90 * DAY, 1)])
async def test_a_devices_failures_are_kept_for_ninety_days_after_the_last(
    store: Store, after_us: int, failures: int
) -> None:
    """A device's failures are kept for ninety days after the last; the bucket itself ends within a day."""
    ledger = store.ledger(WIDE)
    await in_bucket(ledger, 1)
    await in_bucket(ledger, 2)
    await store.move_to(T0 + after_us)

    assert await in_bucket(ledger, 3) == failures


async def test_a_log_in_of_a_known_device_keeps_no_strangers_failures_alive(store: Store) -> None:
    """Row 4.16: a known device's log-ins do not extend strangers' failures: three end three days after the last."""
    ledger = store.ledger(WIDE)
    await ask(ledger, [charge(0, n) for n in range(3)])
    for days in (1, 2):
        await store.move_to(T0 + days * DAY)
        await in_bucket(ledger, 9, right=True)

    await store.move_to(T0 + 3 * DAY)

    assert [verdict.failures for verdict in await ask(ledger, [charge(0, 10)])] == [1]


async def test_sixteen_devices_in_trouble_keep_their_failures(store: Store) -> None:
    """Devices' failures take no other's place; of seventeen the oldest makes room."""
    ledger = store.ledger(WIDE)
    for known_device in range(17):
        await in_bucket(ledger, 1, known_device=known_device)
        await store.move_to(store.now_us + SECOND)  # at rest: its bucket could make room

    assert [await in_bucket(ledger, 2, known_device=known_device) for known_device in (1, 16, 0)] == [2, 2, 1]


async def test_a_factor_at_an_account_long_forgotten(store: Store) -> None:
    """A factor at an account without a record fails nothing and charges nothing."""
    ledger = store.ledger(ROOMY)
    (verdict,) = await ask(ledger, [charge()])
    await store.move_to(T0 + 91 * DAY)
    ledger.settle(charge(), verdict, Effect.PROVED)
    ledger.settle(charge(7), verdict, Effect.PROVED)

    assert [each.failures for each in await ask(ledger, [charge(), charge(7)])] == [1, 1]
