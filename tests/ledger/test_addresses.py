"""Limits of addresses, networks and providers, in every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.model import Attempt, Charge, Charged, Limit
from sekisho.read import Addresses, Digests
from tests.ledger.charges import HOUR, LIMITS, SECOND, charge
from tests.ledger.stores import WIDE, ask, let_in, only
from tests.read.making import door

if TYPE_CHECKING:
    from tests.ledger.stores import Store


async def test_who_is_on_the_allow_list_pays_nothing_at_its_address(store: Store) -> None:
    """An address on the allow list is charged nothing; the account still counts, or the list would be a bypass."""
    ledger = store.ledger(LIMITS)
    found = await ask(ledger, [charge(0, n % 30, exempt=True) for n in range(50)])

    assert let_in(found) == 5
    assert {verdict.charged & Charged.NETWORK for verdict in found} == {0}
    assert (await ask(ledger, [charge(1)]))[0].throttle_wait_us == 0


async def test_one_flood_is_nobody_elses(store: Store) -> None:
    """Row 74: after a thousand attempts of one address its neighbour and others have room."""
    ledger = store.ledger(LIMITS)
    await ask(ledger, [charge(n) for n in range(1_000)])

    neighbour, stranger = await ask(ledger, [charge(2_000, ip=1, device=1), charge(2_001, network=1)])

    assert (neighbour.throttle_wait_us, stranger.throttle_wait_us) == (0, 0)


async def test_a_network_over_its_limit_refuses_all_of_it_and_no_other(store: Store) -> None:
    """A full /24 refuses its thirteenth address; the next /24 passes."""
    ledger = store.ledger(LIMITS)
    assert let_in(await ask(ledger, [charge(n, ip=n, device=n) for n in range(20)])) == 12

    inside, outside = await ask(ledger, [charge(50, ip=30, device=30), charge(51, network=1)])

    assert (inside.network_wait_us > 0, outside.network_wait_us) == (True, 0)
    assert (inside.ip_wait_us, inside.device_wait_us) == (0, 0)


DIGESTS = Digests([b"k" * 32])


PROVIDERS = Digests([b"k" * 32], limits_provider=True)


def from_address(address: str, account: int, digests: Digests = DIGESTS) -> Charge:
    origin = Addresses([]).read({"client": (address, 1), "headers": []})
    return digests.charge(Attempt(door(), origin, f"{account}", f"{account}", "x"))


IPV6 = {
    "/64": (only(ip=(Limit(9, HOUR),)), [f"2001:db8:0:0:{n:x}::1" for n in range(1, 1_001)]),
    "/56": (only(networks=((Limit(9, HOUR),), WIDE.ip)), [f"2001:db8:0:{n:x}::1" for n in range(256)]),
    "/48": (only(networks=(WIDE.ip, (Limit(9, HOUR),))), [f"2001:db8:0:{n << 8:x}::1" for n in range(256)]),
}  # fmt: skip


@pytest.mark.parametrize("level", IPV6)
async def test_who_owns_a_prefix_owns_one_budget(store: Store, level: str) -> None:
    """Row 16: an owner of a /64, /56 or /48 has one budget at each level, over a thousand addresses."""
    limits, addresses = IPV6[level]
    attempts = [from_address(address, number) for number, address in enumerate(addresses)]

    assert let_in(await ask(store.ledger(limits), attempts)) == 9


async def test_who_has_a_site_for_each_guess_has_the_budget_of_a_provider(store: Store) -> None:
    """Row 16: over a thousand /48 of one /32; a neighbour's /32 is another budget, and IPv4 has none."""
    limits = only(networks=(WIDE.ip, WIDE.ip, (Limit(9, HOUR),)))
    ledger = store.ledger(limits)
    guesses = [from_address(f"2001:db8:{n:x}::1", n, PROVIDERS) for n in range(1_000)]
    others = [from_address(f"2001:db9:{n:x}::1", 2_000 + n, PROVIDERS) for n in range(3)]
    ipv4 = [from_address(f"100.64.{n}.1", 3_000 + n, PROVIDERS) for n in range(30)]

    found = await ask(ledger, guesses)
    assert let_in(found) == 9
    assert {verdict.network_at for verdict in found if verdict.network_wait_us} == {2}
    assert let_in(await ask(ledger, others)) == 3
    assert let_in(await ask(ledger, ipv4)) == 30


async def test_an_owner_costs_a_provider_nothing_and_many_accounts_there_are_no_sign(store: Store) -> None:
    """A success gives the charge back; accounts are counted in a /56 and a /48 alone."""
    ledger = store.ledger(only(networks=(WIDE.ip, WIDE.ip, (Limit(9, HOUR),))))
    for number in range(30):
        (verdict,) = await ask(ledger, [from_address(f"2001:db8:{number:x}::1", number, PROVIDERS)])
        assert verdict.network_wait_us == 0
        assert verdict.spread.accounts_per_network == 1
        ledger.settle(from_address(f"2001:db8:{number:x}::1", number, PROVIDERS), verdict)
        await store.move_to(store.now_us + SECOND)
