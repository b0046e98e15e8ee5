"""Buckets of known devices, in every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import Charged
from tests.ledger.charges import LIMITS, MINUTE, T0, charge
from tests.ledger.stores import ask

if TYPE_CHECKING:
    from tests.ledger.stores import Store


async def test_a_known_device_is_hindered_by_nobody(store: Store) -> None:
    """Row 73: with its address and its account over their limits a known device is told no wait."""
    ledger = store.ledger(LIMITS)
    await ask(ledger, [charge(n) for n in range(50)])
    await ask(ledger, [charge(0, n % 30, network=n) for n in range(1, 50)])

    (verdict,) = await ask(ledger, [charge(known_device=1)])

    assert (verdict.throttle_wait_us, verdict.account_wait_us, verdict.known_device_wait_us) == (0, 0, 0)
    assert verdict.charged == Charged.KNOWN_DEVICE


async def test_a_device_over_its_budget_is_a_stranger(store: Store) -> None:
    """A device with three attempts an hour is a stranger at its fourth: charged as one, with a bucket wait of 20
    minutes.
    """
    ledger = store.ledger(LIMITS)
    found = await ask(ledger, [charge(0, n, known_device=1) for n in range(4)])

    assert [verdict.known_device_wait_us for verdict in found] == [0, 0, 0, 20 * MINUTE]
    assert found[3].charged == Charged.NETWORK | Charged.ACCOUNT | Charged.FAILURES


async def test_one_devices_budget_is_not_anothers(store: Store) -> None:
    """Two devices of one account, and one device at two accounts, have four budgets."""
    ledger = store.ledger(LIMITS)
    attempts = [
        charge(account, n, known_device=known_device) for account in (0, 1) for known_device in (1, 2) for n in range(3)
    ]

    assert {verdict.known_device_wait_us for verdict in await ask(ledger, attempts)} == {0}


async def test_a_success_gives_the_bucket_its_place_back(store: Store) -> None:
    """A success refunds the bucket's place, so the owner may log in all day."""
    ledger = store.ledger(LIMITS)
    for _ in range(10):
        (verdict,) = await ask(ledger, [charge(known_device=1)])
        assert (verdict.charged, verdict.failures) == (Charged.KNOWN_DEVICE, 1)
        ledger.settle(charge(known_device=1), verdict)


async def test_the_seventeenth_device_in_trouble_is_a_stranger(store: Store) -> None:
    """A seventeenth device with failures is a stranger, which bounds the record; none of the sixteen is removed."""
    ledger = store.ledger(LIMITS)
    found = await ask(ledger, [charge(known_device=n) for n in range(17)])
    assert [verdict.charged & Charged.KNOWN_DEVICE > 0 for verdict in found] == [True] * 16 + [False]

    again = await ask(ledger, [charge(known_device=n) for n in range(16)] * 2)

    assert {verdict.charged & Charged.KNOWN_DEVICE for verdict in again} == {Charged.KNOWN_DEVICE}


async def test_a_device_at_rest_makes_room(store: Store) -> None:
    """A device at rest, without recent failures, gives its place to the seventeenth."""
    ledger = store.ledger(LIMITS)
    await ask(ledger, [charge(known_device=0)])
    await store.move_to(T0 + 10 * MINUTE)
    await ask(ledger, [charge(known_device=n) for n in range(1, 16)])
    await store.move_to(T0 + 20 * MINUTE)  # device 0's failure has drained, the others' have not

    (verdict,) = await ask(ledger, [charge(known_device=16)])

    assert verdict.charged & Charged.KNOWN_DEVICE
