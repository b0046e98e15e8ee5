"""A home that gets another IPv6 /56 each day is familiar in its region, in calm, and nothing is learned there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sekisho.model import Posture
from sekisho.wiring import MACHINE
from tests.asgi.driving import Clock
from tests.stepup.flow.driving import challenge, seen
from tests.stepup.flow.test_familiar import QUESTION_S, Town, run, timed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stepup.flow.driving import Client

HOMES = [f"2001:db8:11:{n}00::7" for n in range(9)]  # nine /56 of 2001:db8::/40
ELSEWHERE = "2001:db8:111:100::7"
FIREFOX, SAFARI = (
    ((b"user-agent", agent),) for agent in (b"Mozilla/5.0 Firefox/140.0", b"Mozilla/5.0 Version/18.5 Safari/605.1.15")
)
DAY_S = 86_400


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of counters. Waits are on the loop's virtual time, codes on the machine's."""
    found = Clock()
    loop_s: Callable[[], float] = lambda: asyncio.get_running_loop().time()  # noqa: E731
    monkeypatch.setattr(
        "sekisho.wiring.LoginGuard._clocks", MACHINE._replace(wall_us=found, monotonic_us=found, monotonic_s=loop_s)
    )
    return found


async def prove(town: Town, client: Client) -> None:
    """`kenji` is asked, and shows a code from a message."""
    ticket = challenge(await client.log_in("kenji"))
    await client.send("/sekisho/step-up/send", f"challenge={ticket}&factor=webhook".encode())
    assert (await client.show(ticket, await town.codes.get(), factor="webhook")).status == 303


async def renumbered(clock: Clock, days: int = 3) -> Town:
    """`kenji` has proved himself in another /56 on each of these days."""
    town = Town(step_up_familiar="own-network")
    for home in HOMES[:days]:
        await prove(town, town.client(home, headers=FIREFOX))
        clock.advance(DAY_S)
    return town


def test_a_home_that_is_renumbered_is_familiar_in_its_region(clock: Clock) -> None:
    """To a browser of a family that it has used. A wrong secret there gets the same answer as anywhere, as late."""

    async def story() -> None:
        town = await renumbered(clock)
        took_s, found = await timed(town.client(HOMES[8], headers=FIREFOX), "kenji", "right")
        assert (found.status, took_s) == (303, 0.0)
        tries = [
            (HOMES[7], FIREFOX, "wrong"),
            (HOMES[7], SAFARI, "right"),
            (HOMES[7], SAFARI, "wrong"),
            (ELSEWHERE, FIREFOX, "right"),
            (ELSEWHERE, FIREFOX, "wrong"),
        ]
        answers = [await timed(town.client(at, headers=browser), "kenji", password) for at, browser, password in tries]
        assert {took_s for took_s, _ in answers} == {QUESTION_S}
        assert [seen(one) for _, one in answers] == [seen(answers[0][1])] * 5

    run(story)


def test_two_days_make_no_region_familiar(clock: Clock) -> None:
    async def story() -> None:
        town = await renumbered(clock, 2)
        assert (await town.client(HOMES[8], headers=FIREFOX).log_in("kenji")).status == 401

    run(story)


def test_in_an_alarm_a_region_spares_nobody(clock: Clock) -> None:
    """Row P13: a bot in the region has a quiet /56 for each guess."""

    async def story() -> None:
        town = await renumbered(clock)
        await town.raise_alarm()
        assert (await town.client(HOMES[8], headers=FIREFOX).log_in("kenji")).status == 401
        assert (await town.client(HOMES[2], headers=FIREFOX).log_in("kenji")).status == 303  # a network with a proof

    run(story)


@pytest.mark.parametrize("shows", [True, False])
def test_only_a_proof_makes_a_network_of_the_region_familiar(clock: Clock, shows: bool) -> None:
    """Row P13: a thief in the region, let in again and again in calm, is asked in the next alarm."""

    async def story() -> None:
        town = await renumbered(clock)
        if shows:
            await prove(town, town.client(HOMES[8], headers=SAFARI))
        for _ in range(3):
            assert (await town.client(HOMES[8], headers=FIREFOX).log_in("kenji")).status == 303
        await town.raise_alarm()
        assert (await town.client(HOMES[8], headers=FIREFOX).log_in("kenji")).status == (303 if shows else 401)

    run(story)


def test_an_owner_who_proves_nothing_is_asked_again_after_sixty_days(clock: Clock) -> None:
    """What the region lets in does not keep it known."""

    async def story() -> None:
        town = await renumbered(clock)
        for _ in range(28):
            assert (await town.client(HOMES[8], headers=FIREFOX).log_in("kenji")).status == 303
            clock.advance(2 * DAY_S)
        clock.advance(DAY_S)
        assert (await town.client(HOMES[8], headers=FIREFOX).log_in("kenji")).status == 401

    run(story)


def test_the_region_spares_no_account_with_an_enrolled_factor(clock: Clock) -> None:
    async def story() -> None:
        town = await renumbered(clock)
        town.watch.force(Posture.CALM)
        await town.enrol("4")
        assert (await town.client(HOMES[8], headers=FIREFOX).log_in("kenji")).status == 401

    run(story)
