"""Behind questions: a proof gives back to the address what its owner mistyped before, and no charge twice."""

from __future__ import annotations

import pytest

from sekisho.wiring import MACHINE
from tests.asgi.driving import Clock
from tests.stepup.flow.driving import Site, challenge, runs_ended

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


async def asked(site: Site, account: str, password: str) -> str:
    """The code of the answer to one more stranger in the house, once its run has ended."""
    found = await site.client(HOUSE).log_in(account, password)
    await runs_ended()
    return found.code


async def room_left(site: Site) -> int:
    """How many strangers the address still lets through to a question."""
    codes = [await asked(site, f"stranger {n}", "guess") for n in range(6)]
    return codes.count("step_up_required")


async def test_a_proof_gives_back_what_its_owner_mistyped() -> None:
    site = await four_an_hour()
    assert [await asked(site, "hana", f"typo {n}") for n in range(3)] == ["step_up_required"] * 3

    client = site.client(HOUSE)
    ticket = challenge(await client.log_in())
    assert (await client.show(ticket, site.code())).status == 303

    assert await room_left(site) == 4


async def test_a_right_password_without_a_proof_gives_nothing_back() -> None:
    site = await four_an_hour()
    for password in ("typo", "right"):
        await asked(site, "hana", password)

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
