"""Simulated days behind one address: a company's proxy at nine o'clock, and a carrier's NAT with a bot in it."""

from __future__ import annotations

import asyncio
import heapq
from random import Random
from typing import TYPE_CHECKING

import pytest

from benchmarks.nat import House
from sekisho.model import Action, Basis, Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

US = 1_000_000
DAY_S = 86_400
NINE = 9 * 3_600
WORK_S = 1.0
CHECK_S = 0.25
PATIENCE_S = 900  # an owner who is told to wait for longer in all is lost
TYPOS = 0.05  # assumed


class Behind:
    """People behind one address. Times are seconds since the first midnight."""

    def __init__(self, seed: int = 1, *, typos: float = TYPOS) -> None:
        self.typos = typos
        self.house = House(allowed=False)
        self.chance = Random(seed)
        self.start_us = self.house.now_us // (DAY_S * US) * DAY_S * US
        self.lost: dict[int, int] = {}
        self.came: dict[int, int] = {}
        self.bots_sent = self.bots_through = 0
        self._due: list[tuple[int, int, AsyncIterator[float]]] = []

    def later(self, at_s: float, steps: AsyncIterator[float]) -> None:
        heapq.heappush(self._due, (self.start_us + int(at_s * US), len(self._due) + self.chance.getrandbits(40), steps))

    async def run(self) -> None:
        while self._due:
            self.house.now_us, number, steps = heapq.heappop(self._due)
            seconds = await anext(steps, None)
            if seconds is not None:
                heapq.heappush(self._due, (self.house.now_us + int(seconds * US), number, steps))

    async def owner(self, number: int, day: int) -> AsyncIterator[float]:
        """An owner on a new device, who comes back when told to, and mistypes now and then."""
        self.came[day] = self.came.get(day, 0) + 1
        mistypes, question, waited_s = self.chance.random() < self.typos, b"", 0.0
        while waited_s < PATIENCE_S:
            found = await self.house.tries(number, "", question)
            asked = found.decision.asked
            if asked is Action.CHALLENGE:
                self.house.settler.put_off(found)
                question = self.house.settler.work_receipt(found) or b"-"
                yield WORK_S
                found = await self.house.tries(number, "", question.removeprefix(b"-"), worked=True)
                asked, question = found.decision.asked, b""
            if asked is Action.ALLOW:
                self.house.settler.begin(found)
                yield CHECK_S
                outcome = Outcome.FAILED if mistypes else Outcome.SUCCEEDED
                self.house.settler.settle(found, outcome, Basis.RULE, renewed=False)
                if not mistypes:
                    return
                mistypes = False
                yield 5.0
                continue
            wait_s = found.decision.wait_us / US + 1
            waited_s += wait_s
            yield wait_s
        self.lost[day] = self.lost.get(day, 0) + 1

    async def bot(self, until_s: float, every_s: float, *, works: bool) -> AsyncIterator[float]:
        """A stuffer with a list of other accounts, all passwords wrong."""
        number = 10**6
        while self.house.now_us < self.start_us + until_s * US:
            number += 1
            self.bots_sent += 1
            found = await self.house.tries(number, "", b"")
            if found.decision.asked is Action.CHALLENGE:
                self.house.settler.put_off(found)
                if works:
                    question = self.house.settler.work_receipt(found)
                    found = await self.house.tries(number, "", question, worked=True)
            if found.decision.asked is Action.ALLOW:
                self.bots_through += 1
                self.house.settler.begin(found)
                self.house.settler.settle(found, Outcome.FAILED, Basis.RULE, renewed=False)
            yield every_s


def test_a_company_proxy_at_nine_o_clock() -> None:
    """Of 1,000 owners on new devices within ten minutes at most one in a hundred is lost, from the first day on."""
    world = Behind()
    for day in range(2):
        for number in range(1_000):
            world.later(day * DAY_S + NINE + world.chance.random() * 600, world.owner(number, day))

    asyncio.run(world.run())

    assert world.came == {0: 1_000, 1: 1_000}
    assert world.lost.get(0, 0) <= 10
    assert world.lost.get(1, 0) <= 10


@pytest.mark.parametrize(("works", "through_max"), [(False, 0.001), (True, 0.02)])
def test_a_carriers_nat_with_a_bot_in_it(works: bool, through_max: float) -> None:
    """A bot that stuffs all day costs at most one owner in a hundred the log-in, whether or not it does the work."""
    world = Behind()
    for day in range(3):
        for number in range(500):
            world.later(day * DAY_S + world.chance.random() * DAY_S, world.owner(number, day))
    world.later(2 * DAY_S, world.bot(3 * DAY_S, 5.0, works=works))

    asyncio.run(world.run())

    assert world.came[2] == 500
    assert world.lost.get(2, 0) <= 5
    assert world.bots_sent > 17_000
    assert world.bots_through <= world.bots_sent * through_max


def test_a_school_on_its_first_day_does_not_use_up_its_limit_by_mistyping() -> None:
    """400 owners of new accounts within ten hours, of whom four in ten mistype: 160 wrong passwords.

    The address has a hundred a day, and no credit yet. Each right password gives back what its owner mistyped.
    """
    world = Behind(typos=0.4)
    for number in range(400):
        world.later(8 * 3_600 + world.chance.random() * 36_000, world.owner(number, 0))

    asyncio.run(world.run())

    assert world.came == {0: 400}
    assert world.lost == {}


async def guesses_beside_own_account(house: House) -> int:
    """For a day, a bot guesses at another account each minute; before each it mistypes at its own, and logs in there.

    Returns how many of its guesses were let through.
    """
    through = 0
    for number in range(1_440):
        for owner, outcome in ((7, Outcome.FAILED), (7, Outcome.SUCCEEDED), (1_000 + number, Outcome.FAILED)):
            house.now_us += 20 * US
            found = await house.tries(owner, "", b"", worked=True)
            if found.decision.asked is Action.ALLOW:
                through += owner != 7
                house.settler.begin(found)
                house.settler.settle(found, outcome, Basis.RULE, renewed=False)
    return through


async def guesses_beside_new_accounts(house: House, accounts: int) -> int:
    """For a day, a bot guesses at 2,160 accounts. Before each guess two accounts of its own log in for the first time.

    Of these it has so many; twenty log in before the first guess. Returns how many of its guesses were let through.
    """
    through = 0
    own = iter(range(accounts))
    for number in range(-10, 2_160):
        house.now_us += 40 * US
        guess = [(10_000 + number, Outcome.FAILED)] if number >= 0 else []
        for owner, outcome in [*((each, Outcome.SUCCEEDED) for _, each in zip(range(2), own, strict=False)), *guess]:
            found = await house.tries(owner, "", b"", worked=True)
            if found.decision.asked is Action.ALLOW:
                through += outcome is Outcome.FAILED
                house.settler.begin(found)
                house.settler.settle(found, outcome, Basis.RULE, renewed=False)
    return through


@pytest.mark.parametrize(("accounts", "guesses_max"), [(0, 200), (100, 250), (1_000, 700)])
def test_two_of_an_attackers_new_accounts_buy_one_guess(accounts: int, guesses_max: int) -> None:
    """Beside those that any address has in a day: 100, and 100 that come back within it."""
    assert asyncio.run(guesses_beside_new_accounts(House(allowed=False), accounts)) <= guesses_max


def test_an_attackers_own_account_gives_back_no_guess_at_others() -> None:
    """An address that has earned nothing has a hundred a day, and those that come back within it."""
    assert asyncio.run(guesses_beside_own_account(House(allowed=False))) <= 200
