"""Two worlds for tests: an attacker sends the same requests to both, and one account's password differs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

from sekisho.cli.guards import SETTINGS, clocks_of
from sekisho.simulate.laboratory import EPOCH_S, Ports
from sekisho.simulate.laboratory.browser import ASKED, WORK, Browser
from sekisho.simulate.laboratory.factors import SENT, SimulatedFactors
from sekisho.simulate.laboratory.policy import policies
from sekisho.simulate.laboratory.run import SECRET, _running
from sekisho.simulate.laboratory.scenario import OwnerHabits
from sekisho.simulate.laboratory.site import Shop
from sekisho.simulate.population import Population
from sekisho.simulate.virtual_loop import VirtualLoop
from sekisho.wiring import on_clocks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sekisho.simulate.laboratory.browser import BrowserAnswer
    from sekisho.wiring import LoginGuard

OWNERS = 400
HABITS = OwnerHabits(count=OWNERS, mail_share=1.0, passkey_share=0.0)
POPULATION = Population(OWNERS, 1)
TARGET, OWN = 3, 5
HOME = "198.51.100.9"
GUESS = "tomato 2019!"
MINUTE_S, HOUR_S, DAY_S = 60.0, 3_600.0, 86_400.0


class Seen(NamedTuple):
    """What an attacker sees of an answer, and when."""

    status: int
    code: str
    length: int
    wait_s: float
    took_s: float

    @classmethod
    def of(cls, answer: BrowserAnswer, began_s: float) -> Seen:
        took_s = round(asyncio.get_running_loop().time() - began_s, 3)
        return cls(answer.status, answer.code, len(answer.body), answer.wait_s, took_s)


class World:
    """One world, with what an attacker has seen there so far.

    `GUESS` is the password of the attacker's own account `OWN`.

    Attributes:
        right: whether it is that of `TARGET` too.
        rest_s: between two rounds of background tasks.
        seen: what the attacker has seen.
        sensed: of it, the codes of log-ins at the attacker's own account.
        guard: the guarded service.
    """

    def __init__(
        self,
        settings: Mapping[str, str],
        *,
        right: bool,
        rest_s: float,
        shop: Callable[[Mapping[str, str]], Shop] = Shop,
    ) -> None:
        self.right = right
        self.seen: list[Seen] = []
        self.sensed: list[str] = []
        self.rest_s = rest_s
        clock_s = asyncio.get_running_loop().time
        factors = SimulatedFactors(POPULATION, HABITS, 1, in_use=True, clock_s=lambda: EPOCH_S + clock_s())
        assert factors.account_class(TARGET) == SENT
        self.factors = factors
        self.passwords = {POPULATION.account(owner): POPULATION.password(owner) for owner in range(OWNERS)}
        self.passwords |= {account(OWN): GUESS, account(TARGET): GUESS if right else GUESS[::-1]}
        self.shop = shop(self.passwords)
        self.ports = Ports(
            self.shop, clock_s, factors.stored, factors.on_code, SECRET, lambda _: None, self.shop.exists
        )
        self.guard = self.built(settings)

    def built(self, settings: Mapping[str, str]) -> LoginGuard:
        """A guard before the service, with these settings."""
        clocks = clocks_of(self.ports)._replace(rest=lambda seconds: asyncio.sleep(max(seconds, self.rest_s)))
        made: Any = on_clocks(clocks, puzzle_size=lambda _level, _occupancy: 256, chance=lambda: 0.5)
        factors = {"owners": self.factors.stored, "on_code": self.factors.on_code} if "factors" in settings else {}
        built: LoginGuard = made(self.shop, **factors, **{**SETTINGS, "secret": SECRET, **settings})
        return built

    async def tried(self, address: str, name: str, password: str, *, browser: Browser | None = None) -> BrowserAnswer:
        """A log-in of the attacker, who solves all work."""
        client, began_s = browser or Browser(self.guard, "bot"), asyncio.get_running_loop().time()
        answer = self._note(await client.log_in(address, name, password), began_s)
        if answer.code == WORK:
            began_s = asyncio.get_running_loop().time()
            answer = self._note(await client.work(answer, address, name, password), began_s)
        return answer

    async def sense(self, browser: Browser | None = None) -> None:
        """The attacker logs in to the own account, at home."""
        self.sensed.append((await self.tried(HOME, account(OWN), GUESS, browser=browser)).code)

    async def guess(self, address: str) -> BrowserAnswer:
        """Guess the password of `TARGET`; where the guard asks, have a code sent, and guess it four times."""
        browser = Browser(self.guard, "bot")
        answer = await self.tried(address, account(TARGET), GUESS, browser=browser)
        if answer.code == ASKED and "webhook" in json.loads(answer.body)["factors"]:
            began_s = asyncio.get_running_loop().time()
            self._note(await browser.ask_for_code(answer, address), began_s)
            for number in range(4):
                began_s = asyncio.get_running_loop().time()
                self._note(await browser.prove(answer, address, "webhook", f"{number:08}"), began_s)
        return answer

    async def owner_in(self, owner: int, address: str, browser: Browser | None = None) -> BrowserAnswer | None:
        """The owner logs in, solves work and shows a proof where these are asked. The attacker does not see it."""
        client, name = browser or Browser(self.guard, "owner"), account(owner)
        answer = await client.log_in(address, name, self.passwords[name])
        if answer.code == WORK:
            answer = await client.work(answer, address, name, self.passwords[name])
        return await self.factors.prove(owner, client, answer, address) if answer.code == ASKED else answer

    def _note(self, answer: BrowserAnswer, began_s: float) -> BrowserAnswer:
        self.seen.append(Seen.of(answer, began_s))
        return answer


def account(owner: int) -> str:
    return POPULATION.account(owner)


def settings_of(policy: str, **more: str) -> dict[str, str]:
    """The settings of a policy of the laboratory, with these in addition."""
    return {**policies()[policy].settings, **more}


def played(
    settings: Mapping[str, str],
    play: Callable[[World], Awaitable[None]],
    *,
    right: bool,
    rest_s: float = MINUTE_S,
    shop: Callable[[Mapping[str, str]], Shop] = Shop,
) -> World:
    """A world with these settings, after the play."""

    async def run() -> World:
        world = World(settings, right=right, rest_s=rest_s, shop=shop)
        async with _running(world.guard):
            await play(world)
        return world

    # Without jitter, through which an attacker sees by repetition: a code that was sent would shift all later draws.
    with patch("random.random", lambda: 0.5), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(run())
