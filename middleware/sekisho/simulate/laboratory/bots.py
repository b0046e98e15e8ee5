"""Bots: they try pairs from a list, or frequent passwords in turn, and answer what they can."""

from __future__ import annotations

import asyncio
from heapq import merge
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from sekisho.simulate.browsers import BROWSERS
from sekisho.simulate.draw import Draw, Walk
from sekisho.simulate.laboratory.browser import ASKED, WORK, Browser
from sekisho.simulate.laboratory.copies import AT_OWNER, ATTACK, CALM, ELSEWHERE
from sekisho.simulate.laboratory.factors import PHISHER
from sekisho.simulate.laboratory.places import DAY_S, BotPlaces
from sekisho.simulate.laboratory.results import CopyUse
from sekisho.simulate.laboratory.site import PIN, bank_account, bots_port, details, has_pin, part_of
from sekisho.simulate.population import zipf_password
from sekisho.simulate.words import leaked_passwords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sekisho.asgi.types import App
    from sekisho.simulate.laboratory.browser import BrowserAnswer
    from sekisho.simulate.laboratory.copies import Copy
    from sekisho.simulate.laboratory.factors import SimulatedFactors
    from sekisho.simulate.laboratory.places import OwnerPlaces
    from sekisho.simulate.laboratory.results import Results
    from sekisho.simulate.laboratory.scenario import Attack
    from sekisho.simulate.population import Population

STEPS_MAX = 3
WEAK = "weak"
"""The class of accounts that are entered at a weak service."""
LINKED = "linked"
"""The class of bank accounts that a bot linked."""
RESET = "reset"
"""The class of accounts whose password a bot has set, and which it did not enter."""
MAIL_S = 60.0
"""After so long a bot looks whether a link has come."""
NEW_PASSWORD = "set-by-a-bot"  # noqa: S105 - simulated


class BotTry(NamedTuple):
    """One attempt of a bot.

    Attributes:
        at_s: seconds after the beginning of the history.
        owner: of the account; -1 if there is none.
        browser: the number of the browser that it imitates.
        weak: it is made at the weak service.
        own: it is a log-in at an account of the attacker's own.
        copies: no attempt: the cookies of this owner's device are copied.
        campaign: the number of the attack in the scenario, from 0.
    """

    at_s: float
    owner: int
    account: str
    password: str
    address: str
    browser: int
    weak: bool
    own: bool = False
    copies: bool = False
    campaign: int = 0

    @property
    def port(self) -> int:
        return bots_port(self.campaign, weak=self.weak)


class AttackTries:
    """The attempts of one attack, in order of time.

    Args:
        campaign: the number of the attack in the scenario, from 0: each has addresses, targets and pairs of its own.
        own: the first of the owners who are this attacker.
        copied: how many owners' cookies earlier campaigns copy: no two copy the same device.
        from_s: when the scenario begins, in seconds after the beginning of the history.
    """

    def __init__(
        self,
        attack: Attack,
        population: Population,
        places: OwnerPlaces,
        seed: int,
        *,
        campaign: int = 0,
        own: int = 0,
        copied: int = 0,
        from_s: float,
    ) -> None:
        self.attack = attack
        self._campaign = campaign
        self._population = population
        self._places = places
        self._victim, self._copied_before = Walk(Draw(seed, "copied"), population.owners), copied
        seed += campaign << 64
        self._address = BotPlaces(attack, places, seed, campaign).address
        self._own = range(own, own + attack.own_accounts)
        self._own_random = Random(f"own {seed}")  # noqa: S311 - simulated
        self._random = Random(f"attack {seed} {attack}")  # noqa: S311 - simulated
        self._target = Walk(Draw(seed, "target"), population.owners)
        self._from_s = from_s + attack.from_h * 3600
        self._right = self._placed()

    def _placed(self) -> dict[int, int]:
        """The owners of the right pairs, by the number of the attempt."""
        attack = self.attack
        if attack.passwords or attack.links:
            return {}
        if attack.copies:
            return {n: self._victim(self._copied_before + n) for n in range(attack.right)}
        number = min(attack.right or round(attack.attempts * attack.right_share), attack.attempts)
        owners = self._random.sample(range(self._population.reusing), min(number, self._population.reusing))
        return dict(zip(self._random.sample(range(attack.attempts), len(owners)), owners, strict=True))

    def __iter__(self) -> Iterator[BotTry]:
        attempts = [self._copied(), self._uses()] if self.attack.copies else [self._guesses()]
        return merge(*attempts, self._own_log_ins(), key=_at_s)

    def _copied(self) -> Iterator[BotTry]:
        for owner in self._right.values():
            yield self._try(self._from_s, owner, 0)._replace(copies=True)

    def _uses(self) -> Iterator[BotTry]:
        """Log-ins with the copies in turn, in equal steps."""
        owners, step_s = list(self._right.values()), self.attack.hours * 3600 / self.attack.attempts
        for number in range(self.attack.attempts):
            at_s = self._from_s + (number + self._random.random()) * step_s
            yield self._try(at_s, owners[number % len(owners)], number)

    def _try(self, at_s: float, owner: int, number: int) -> BotTry:
        """A log-in with an owner's right password."""
        return BotTry(
            at_s=at_s,
            owner=owner,
            account=self._population.account(owner),
            password=self._population.password(owner),
            address=self._places.address(owner, at_s) if self.attack.at_owner else self._address(number),
            browser=owner % len(BROWSERS),
            weak=False,
            campaign=self._campaign,
        )

    def _own_log_ins(self) -> Iterator[BotTry]:
        """Once a day at each account of its own, until the attack ends."""
        days = int((self._from_s + self.attack.hours * 3600) // DAY_S) if self._own else 0
        for day in range(days):
            times = sorted(self._own_random.random() for _ in self._own)
            for number, (owner, time) in enumerate(zip(self._own, times, strict=True)):
                yield self._try((day + time) * DAY_S, owner, number)._replace(own=True)

    def _guesses(self) -> Iterator[BotTry]:
        attack, pause_s = self.attack, self.attack.hours * 3600 / max(1, self.attack.attempts)
        for number in range(attack.attempts):
            owner, account, password = self._pair(number)
            yield BotTry(
                at_s=self._from_s + (number + self._random.random()) * pause_s,
                owner=owner,
                account=account,
                password=password,
                address=(attack.in_pool and self._places.in_pool(owner, number)) or self._address(number),
                browser=number % attack.browsers % len(BROWSERS),
                weak=attack.weak_share > 0 and self._random.random() < attack.weak_share,
                campaign=self._campaign,
            )

    def _pair(self, number: int) -> tuple[int, str, str]:
        population, word = self._population, self._random.getrandbits(64)
        if self.attack.links:
            owner = self._target(number)
            return owner, bank_account(owner), PIN
        if self.attack.passwords:
            owner = self._target(number)
            return owner, population.account(owner), leaked_passwords()[number % self.attack.passwords]
        if number in self._right:
            owner = self._right[number]
            return owner, population.account(owner), population.password(owner)
        if self._random.random() < self.attack.known_share:
            owner = self._target(number)
            return owner, population.account(owner), f"{zipf_password(word)}{owner % 10}"
        return -1, population.account(population.owners + number), zipf_password(word)


def _at_s(attempt: BotTry) -> float:
    return attempt.at_s


class Bots:
    """Sends the attempts. Bots see answers alone; that a pair was right is counted here, and steers nothing."""

    def __init__(
        self,
        app: App,
        weak: App | None,
        population: Population,
        factors: SimulatedFactors,
        results: Results,
        mail: Mapping[str, str],
        *,
        copied: Callable[[int, float, int], Copy],
        is_attacked: Callable[[float], bool],
    ) -> None:
        self._app = app
        self._copied = copied
        self._is_attacked = is_attacked
        self._copies: dict[tuple[Attack, int], Copy] = {}
        self._mail = mail
        self._weak = weak
        self._population = population
        self._factors = factors
        self._results = results
        self._own_browsers: dict[int, Browser] = {}

    async def attempt(self, attempt: BotTry, attack: Attack) -> None:
        if attempt.own:
            return await self._own_log_in(attempt)
        if attempt.copies:
            return self._copy(attempt, attack)
        if attack.copies:
            return await self._use(attempt, attack)
        if attack.resets:
            return await self._reset(attempt)
        return await self._guess(attempt, attack)

    async def _reset(self, attempt: BotTry) -> None:
        """Have a link sent to a mailbox of the attacker's own, set a password with it, and log in."""
        results, account, where = self._results, attempt.account, attempt.address
        results.sent(part_of(attempt.port))
        # A right pair stands for what an owner's reset asks for: a list has the one as it has the other.
        knows = self._is_right(attempt)
        if knows:
            results.right[self._factors.account_class(attempt.owner)] += 1
        browser, to = Browser(self._app, BROWSERS[attempt.browser], port=attempt.port), f"{account}@thief.test"
        await browser.ask_reset(where, account, details(account) if knows else "guessed", to)
        await asyncio.sleep(MAIL_S)
        if to not in self._mail:
            return
        changed = await browser.confirm_reset(where, account, self._mail[to], NEW_PASSWORD)
        if not changed.is_done:
            return
        answer = await browser.log_in(where, account, NEW_PASSWORD)
        results.take(self._factors.account_class(attempt.owner) if answer.entered else RESET, attempt.owner)

    def _copy(self, attempt: BotTry, attack: Attack) -> None:
        self._copies[attack, attempt.owner] = self._copied(attempt.owner, attempt.at_s, attempt.port)
        self._results.right[self._class(attempt, attack)] += 1

    async def _use(self, attempt: BotTry, attack: Attack) -> None:
        """Log in with a copy and the right password. The copy gets what the device would."""
        copy = self._copies[attack, attempt.owner]
        use = CopyUse(
            copy.kind,
            ATTACK if self._is_attacked(attempt.at_s) else CALM,
            AT_OWNER if attack.at_owner else ELSEWHERE,
            copy.use(attempt.at_s),
        )
        answer = await self._answered(copy.browser, attempt, attack)
        self._results.sent(part_of(attempt.port))
        counts = self._results.copies_of(use)
        counts.used += 1
        counts.entered += answer.entered
        counts.asked += answer.code == ASKED
        if answer.entered:
            self._results.take(self._class(attempt, attack), attempt.owner)

    async def _own_log_in(self, attempt: BotTry) -> None:
        """An attacker at an account of its own answers every question, and keeps the cookies."""
        browser = self._own_browsers.setdefault(attempt.owner, Browser(self._app, BROWSERS[attempt.browser]))
        answer = await browser.log_in(attempt.address, attempt.account, attempt.password)
        if answer.code == WORK:
            answer = await browser.work(answer, attempt.address, attempt.account, attempt.password)
        if answer.code == ASKED:
            await self._factors.prove(attempt.owner, browser, answer, attempt.address)

    async def _guess(self, attempt: BotTry, attack: Attack) -> None:
        results, is_right = self._results, has_pin(attempt.owner) if attack.links else self._is_right(attempt)
        results.sent(part_of(attempt.port))
        if is_right:
            results.right[self._class(attempt, attack)] += 1
        answer = await self._sent(attempt, attack)
        if answer.entered and is_right:
            results.take(self._class(attempt, attack), attempt.owner)

    def _class(self, attempt: BotTry, attack: Attack) -> str:
        if attack.links:
            return LINKED
        return WEAK if attempt.weak else self._factors.account_class(attempt.owner)

    def _is_right(self, attempt: BotTry) -> bool:
        return attempt.owner >= 0 and self._population.password(attempt.owner) == attempt.password

    async def _sent(self, attempt: BotTry, attack: Attack) -> BrowserAnswer:
        app = self._weak if attempt.weak and self._weak is not None else self._app
        browser = Browser(app, BROWSERS[attempt.browser], port=attempt.port)
        if attack.links:
            return await browser.link(attempt.address, attempt.account, attempt.password)
        return await self._answered(browser, attempt, attack)

    async def _answered(self, browser: Browser, attempt: BotTry, attack: Attack) -> BrowserAnswer:
        """Log in, and answer what can be answered."""
        answer = await browser.log_in(attempt.address, attempt.account, attempt.password)
        for _ in range(STEPS_MAX):
            if answer.code == WORK and attack.solves:
                self._results.solved += 1
                answer = await browser.work(answer, attempt.address, attempt.account, attempt.password)
            elif answer.code == ASKED and attack.relays and attempt.owner >= 0:
                # The phisher's page shows the question; its victim answers as if the service had asked.
                proved = await self._factors.prove(attempt.owner, browser, answer, attempt.address, PHISHER)
                return answer if proved is None else proved
            else:
                break
        return answer
