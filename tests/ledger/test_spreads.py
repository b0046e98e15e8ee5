"""Sets of seen values, in every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.model import Limit
from tests.ledger.charges import HOUR, LIMITS, MINUTE, T0, charge
from tests.ledger.floods import spreads
from tests.ledger.stores import WIDE, ask, let_in, only

if TYPE_CHECKING:
    from tests.ledger.stores import Store


SIXTEEN = [min(n, 16) for n in range(1, 25)]
EIGHT = [min(n, 8) for n in range(1, 25)]
SPREADS = {
    "accounts_per_ip": (SIXTEEN, [charge(n, device=n) for n in range(24)]),
    "accounts_per_device": (SIXTEEN, [charge(n, ip=n) for n in range(24)]),
    "accounts_per_network": (SIXTEEN, [charge(n, ip=n % 10, device=n) for n in range(24)]),
    "ips_per_account": (EIGHT, [charge(network=n) for n in range(24)]),
    "accounts_per_secret": (SIXTEEN, [charge(n, network=n)._replace(secret=b"same") for n in range(24)]),
}


@pytest.mark.parametrize("name", SPREADS)
async def test_different_ones_are_counted_up_to_a_cap(store: Store, name: str) -> None:
    """Row 75: different values are counted exactly up to a cap, with no memory beyond it."""
    expected, attempts = SPREADS[name]
    ledger = store.ledger(WIDE)

    assert expected == spreads(await ask(ledger, attempts), name)


@pytest.mark.parametrize("name", SPREADS)
async def test_the_same_one_again_is_no_other(store: Store, name: str) -> None:
    """A repeated value counts once: an owner who types a password nine times is one owner."""
    _, attempts = SPREADS[name]

    assert spreads(await ask(store.ledger(WIDE), attempts[:1] * 9), name) == [1] * 9


@pytest.mark.parametrize("name", SPREADS)
async def test_what_was_seen_is_forgotten_within_the_hour(store: Store, name: str) -> None:
    """A seen value is forgotten after half an hour at least and an hour at most: two half-windows."""
    _, attempts = SPREADS[name]
    await store.move_to(T0 - T0 % HOUR + 29 * MINUTE)
    ledger = store.ledger(WIDE)
    await ask(ledger, attempts[:5])

    await store.move_to(T0 - T0 % HOUR + 59 * MINUTE)
    assert spreads(await ask(ledger, attempts[5:6]), name) == [6]
    await store.move_to(T0 - T0 % HOUR + 60 * MINUTE)
    assert spreads(await ask(ledger, attempts[5:6]), name) == [1]


async def test_the_refused_are_seen_too(store: Store) -> None:
    """Refused attempts are seen too, so a sprayer over every limit still shows the spray's width."""
    found = await ask(store.ledger(LIMITS), [charge(n)._replace(secret=b"same") for n in range(12)])

    assert found[-1].ip_wait_us > 0
    assert (found[-1].spread.accounts_per_ip, found[-1].spread.accounts_per_secret) == (12, 12)


NETWORK_OF_NINE = {
    "/48": (only(networks=(WIDE.ip, (Limit(9, HOUR),))), True),
    "/24": (only(networks=((Limit(9, HOUR),),)), False),
}


@pytest.mark.parametrize("level", NETWORK_OF_NINE)
async def test_what_is_refused_for_its_network_leaves_no_new_record(store: Store, level: str) -> None:
    """Row 5.2: of a thousand attempts refused at the network no new value gets a record."""
    limits, v6 = NETWORK_OF_NINE[level]
    ledger = store.ledger(limits)
    attempts = [charge(n, n, ip=n, device=n, v6=v6) for n in range(1_000)]
    assert let_in(await ask(ledger, attempts[:9])) == 9
    before = await store.records()

    found = await ask(ledger, attempts[9:])
    await store.move_to(store.now_us)

    assert let_in(found) == 0
    assert {verdict.network_at for verdict in found} == {int(v6)}
    assert await store.records() == before


async def test_the_refused_change_nothing_at_an_account_that_nobody_knew(store: Store) -> None:
    """A refused attempt changes nothing at an unknown account: it stays fresh, for other strangers too."""
    ledger = store.ledger(only(ip=(Limit(1, HOUR),)))
    refused = (await ask(ledger, [charge(1, 1), charge(0)]))[1]
    await store.move_to(store.now_us)

    (fresh,) = await ask(ledger, [charge(0, network=1)])

    assert (refused.failures, refused.spread.ips_per_account, refused.spread.accounts_per_secret) == (0, 0, 0)
    assert (fresh.failures, fresh.spread.ips_per_account) == (1, 1)


async def test_a_right_secret_leaves_the_set(store: Store) -> None:
    """R12: after the owner's log-in the secret's set no longer holds the account."""
    ledger = store.ledger(WIDE)
    owner, dummy = (charge(n, network=n)._replace(secret=b"same") for n in range(2))
    (verdict,) = await ask(ledger, [owner])
    ledger.settle(owner, verdict)
    await store.move_to(store.now_us)

    assert spreads(await ask(ledger, [dummy]), "accounts_per_secret") == [1]
