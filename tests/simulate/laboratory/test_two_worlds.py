"""Two worlds that differ in one guess: the guess is right in one of them, and a stranger sees no difference."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING

import pytest

from sekisho.cli.guards import build_of
from sekisho.simulate.laboratory import EPOCH_S, Ports
from sekisho.simulate.laboratory.browser import ASKED, Browser
from sekisho.simulate.laboratory.factors import SENT, SimulatedFactors
from sekisho.simulate.laboratory.policy import policies
from sekisho.simulate.laboratory.run import SECRET, _running
from sekisho.simulate.laboratory.scenario import OwnerHabits
from sekisho.simulate.laboratory.site import Shop
from sekisho.simulate.population import Population
from sekisho.simulate.virtual_loop import VirtualLoop
from tests.simulate.laboratory.worlds import Seen

if TYPE_CHECKING:
    from sekisho.asgi.types import App
    from sekisho.simulate.laboratory.browser import BrowserAnswer

HABITS = OwnerHabits(count=20, mail_share=1.0, passkey_share=0.0)
POPULATION = Population(20, 1)
HERE = "240.0.1.7"


class Attacker:
    def __init__(self, app: App) -> None:
        self._app = app
        self.seen: list[Seen] = []

    def note(self, answer: BrowserAnswer, began_s: float) -> BrowserAnswer:
        self.seen.append(Seen.of(answer, began_s))
        return answer

    async def guess(self, address: str, account: str, password: str) -> tuple[Browser, BrowserAnswer]:
        browser, began_s = Browser(self._app, "bot"), asyncio.get_running_loop().time()
        return browser, self.note(await browser.log_in(address, account, password), began_s)

    async def question(self, browser: Browser, asked: BrowserAnswer) -> None:
        """Have a code sent, and guess it four times."""
        for number in range(5):
            began_s = asyncio.get_running_loop().time()
            coming = (
                browser.prove(asked, HERE, "webhook", f"00000{number}") if number else browser.ask_for_code(asked, HERE)
            )
            self.note(await coming, began_s)


async def attack(app: App, before: int, *, right: bool) -> list[Seen]:
    """The guess comes after so many others at its address, half of them at its account."""
    attacker, account = Attacker(app), POPULATION.account(3)
    for number in range(before):
        await attacker.guess(HERE, account if number % 2 else f"nobody {number}", f"wrong {number}")
        await asyncio.sleep(1)
    password = POPULATION.password(3)
    password = password if right else password[::-1] + "x"
    browser, answer = await attacker.guess(HERE, account, password)
    if answer.code == ASKED and "webhook" in json.loads(answer.body)["factors"]:
        await attacker.question(browser, answer)
    for number in range(12):
        await attacker.guess(f"240.0.{number}.8", account, f"probe {number}")
        await attacker.guess(HERE, f"somebody {number}", f"probe {number}")
        await attacker.guess(f"240.9.{number}.8", account if number % 3 else f"anybody {number}", password)
        await asyncio.sleep(30)
    return attacker.seen


async def world(policy: str, before: int, *, right: bool) -> list[Seen]:
    clock_s = asyncio.get_running_loop().time
    factors = SimulatedFactors(POPULATION, HABITS, 1, in_use=True, clock_s=lambda: EPOCH_S + clock_s())
    assert factors.account_class(3) == SENT
    shop = Shop({POPULATION.account(owner): POPULATION.password(owner) for owner in range(20)})
    build, _ = build_of(policy, policies())
    built = build(Ports(shop, clock_s, factors.stored, factors.on_code, SECRET, lambda _: None, shop.exists))
    async with _running(built.app):
        return await attack(built.app, before, right=right)


def played(policy: str, before: int, *, right: bool) -> list[Seen]:
    random.seed(1)
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(world(policy, before, right=right))


@pytest.mark.parametrize("before", [0, 4, 8, 9, 10, 18, 19, 20])
@pytest.mark.parametrize("policy", ["factors", "familiar", "pci"])
def test_a_right_guess_at_a_threshold_shows_in_nothing_that_follows(policy: str, before: int) -> None:
    """Status, length, `Retry-After` and time of every later answer, codes and their guesses included, are the same."""
    assert played(policy, before, right=True) == played(policy, before, right=False)


def test_the_comparison_sees_a_right_guess() -> None:
    """Without factors a right guess opens a session: the two worlds differ."""
    assert played("default", 0, right=True) != played("default", 0, right=False)
