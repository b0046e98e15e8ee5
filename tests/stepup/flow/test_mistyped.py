"""Behind questions: a proof gives back to the address what its owner mistyped before, and no charge twice."""

from __future__ import annotations

import pytest

from sekisho.wiring import MACHINE
from tests.asgi.driving import Clock
from tests.stepup.flow.driving import Client, Site, challenge, runs_ended

HOUSE = "198.51.100.7"


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of counters stands still. Codes keep the machine's: the owner's app reads that."""
    still = Clock()
    monkeypatch.setattr("sekisho.wiring.LoginGuard._clocks", MACHINE._replace(wall_us=still, monotonic_us=still))


async def four_an_hour() -> Site:
    site = Site(settings={"limit_ip": "4/hour"})
    await site.enrol()
    return site


async def asked(site: Site, account: str, password: str, client: Client | None = None) -> str:
    """The code of the answer to a browser in the house, once its run has ended; without one, to one more stranger."""
    found = await (client or site.client(HOUSE)).log_in(account, password)
    await runs_ended()
    return found.code


async def let_in(client: Client, code: str) -> None:
    """Log `hana` in with the right password and a code of her app."""
    ticket = challenge(await client.log_in())
    assert (await client.show(ticket, code)).status == 303


async def room_left(site: Site) -> int:
    """How many strangers the address still lets through to a question."""
    codes = [await asked(site, f"stranger {n}", "guess") for n in range(6)]
    return codes.count("step_up_required")


async def test_a_proof_gives_back_what_its_owner_mistyped() -> None:
    site = await four_an_hour()
    client = site.client(HOUSE)
    assert [await asked(site, "hana", f"typo {n}", client) for n in range(3)] == ["step_up_required"] * 3

    await let_in(client, site.code())

    assert await room_left(site) == 4


@pytest.mark.parametrize("guess", ["wrong", "right"])
async def test_room_at_the_address_does_not_tell_a_right_guess(guess: str) -> None:
    """A neighbour guesses at her account in a browser like hers, and counts what her proof gives back."""
    site = await four_an_hour()
    await asked(site, "hana", guess)

    await let_in(site.client(HOUSE), site.code())

    assert await room_left(site) == 3


async def test_a_right_password_without_a_proof_gives_nothing_back() -> None:
    site = await four_an_hour()
    client = site.client(HOUSE)
    for password in ("typo", "right"):
        await asked(site, "hana", password, client)

    assert await room_left(site) == 2


async def test_two_right_passwords_give_back_one_charge_each() -> None:
    """The guess of somebody else beside them stands after both proofs."""
    site = await four_an_hour()
    clients = [site.client(HOUSE) for _ in range(2)]
    tickets = [challenge(await client.log_in()) for client in clients]
    await asked(site, "stranger", "guess")
    for client, ticket, steps in zip(clients, tickets, (-1, 0), strict=True):
        assert (await client.show(ticket, site.code(steps))).status == 303

    assert await room_left(site) == 3
