"""Owners: they log in from day to day, mistype, forget, travel, change phones, and answer what they are asked."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.simulate.browsers import BROWSERS
from sekisho.simulate.laboratory.browser import ASKED, PROOF_FAILED, WORK, Browser, BrowserAnswer
from sekisho.simulate.laboratory.copies import NO_TOKEN, Copy, kind_of
from sekisho.simulate.laboratory.factors import mail_address
from sekisho.simulate.laboratory.habits import AGAIN_S, PATIENCE_S, READ_MAIL_S, RETYPE_S, STEPS_MAX
from sekisho.simulate.laboratory.places import AWAY, DAY_S, PROXY, OwnerPlaces
from sekisho.simulate.laboratory.resets import Reset
from sekisho.simulate.laboratory.results import COPIED, FORGOTTEN, KNOWN, SET_BY_BOT, OwnerCounts, ResetCounts
from sekisho.simulate.laboratory.site import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

    from sekisho.asgi.types import App
    from sekisho.simulate.laboratory.factors import SimulatedFactors
    from sekisho.simulate.laboratory.results import Results
    from sekisho.simulate.laboratory.scenario import Scenario
    from sekisho.simulate.population import Population

NO_PROOF: Final = "no proof at hand"
PROOF_REFUSED: Final = "proof refused"
NO_FAULT: Final = Fault()

BY_HOUR: Final = (3, 2, 1, 1, 1, 2, 4, 6, 8, 9, 8, 8, 9, 8, 7, 7, 7, 7, 8, 9, 10, 10, 8, 5)
"""Log-ins by the hour of the day: assumed, with the evening peak of a consumer service."""


class Visit(NamedTuple):
    """One log-in of an owner, decided before the run.

    Attributes:
        at_s: seconds after the beginning of the history.
        owner: their number.
        typo: the password is mistyped first.
        forgets: three wrong passwords are tried, and then no other.
        device: which of the owner's devices, from 0.
        new_device: it has lost its cookies, or was bought just now.
        away: from another network than usual.
        at_hand: the owner can show their factor.
        resets: the password is forgotten for good, and reset first.
        kept_out: the application refuses the right password.
    """

    at_s: float
    owner: int
    typo: bool
    forgets: bool
    device: int
    new_device: bool
    away: bool
    at_hand: bool
    resets: bool = False
    kept_out: bool = False


def visits(scenario: Scenario, places: OwnerPlaces, random: Random, fault: Fault = NO_FAULT) -> list[Visit]:
    """All log-ins, in order of time: those of the history, and those of the scenario."""
    found = sorted(_visits(scenario, places, random))
    return sorted(each for visit in found for each in _until_in(visit, fault)) if fault.share else found


def _until_in(visit: Visit, fault: Fault) -> Iterator[Visit]:
    """A log-in, and further ones hour by hour as long as the application refuses the right password (assumed)."""
    after_s = 0.0
    while fault.holds(visit.owner, visit.at_s + after_s):
        yield _later(visit, after_s)._replace(kept_out=True)
        after_s += AGAIN_S
    yield _later(visit, after_s)


def _later(visit: Visit, after_s: float) -> Visit:
    return visit._replace(at_s=visit.at_s + after_s, new_device=visit.new_device and not after_s)


def _visits(scenario: Scenario, places: OwnerPlaces, random: Random) -> Iterator[Visit]:
    owners, history_s = scenario.owners, scenario.owners.history_days * DAY_S
    end_s = history_s + scenario.hours * 3600
    for owner in range(people := owners.count - scenario.own_accounts):
        at_s = 0.0
        while (at_s := at_s + random.expovariate(owners.logins_per_day / DAY_S)) < end_s:
            yield _visit(scenario, places, owner, _at_hour(at_s, random), random)
    for _ in range(_extra(scenario)):
        at_s = history_s + 3600 * (owners.surge_from_h + random.random() * owners.surge_hours)
        yield _visit(scenario, places, random.randrange(people), at_s, random)


def resets(scenario: Scenario, places: OwnerPlaces, random: Random) -> list[Visit]:
    """All log-ins that begin with a reset, in order of time: those of the history, and those of the scenario."""
    return sorted(_resets(scenario, places, random))


def _resets(scenario: Scenario, places: OwnerPlaces, random: Random) -> Iterator[Visit]:
    owners = scenario.owners
    span_s = owners.history_days * DAY_S + scenario.hours * 3600
    people = owners.count - scenario.own_accounts
    for _ in range(round(people * owners.resets_per_month * span_s / (30 * DAY_S))):
        at_s = _at_hour(random.random() * span_s, random)
        visit = _visit(scenario, places, random.randrange(people), at_s, random)
        yield visit._replace(typo=False, forgets=False, resets=True)


def _extra(scenario: Scenario) -> int:
    """The additional log-ins of a surge."""
    owners = scenario.owners
    return round(owners.count * owners.logins_per_day * owners.surge_hours / 24 * (owners.surge - 1))


def _at_hour(at_s: float, random: Random) -> float:
    """The same day, at an hour drawn by the daily rhythm."""
    hour = random.choices(range(24), BY_HOUR)[0]
    return at_s // DAY_S * DAY_S + (hour + random.random()) * 3600


def _visit(scenario: Scenario, places: OwnerPlaces, owner: int, at_s: float, random: Random) -> Visit:
    habits = scenario.owners
    away = random.random() < habits.travel_share
    if habits.proxy_hour >= 0 and not away and places.kind(owner) == PROXY:
        at_s = at_s // DAY_S * DAY_S + (habits.proxy_hour + random.gauss(0, 1 / 12)) * 3600
    return Visit(
        at_s=max(0.0, at_s),
        owner=owner,
        typo=random.random() < habits.typo_share,
        forgets=random.random() < habits.forget_share,
        device=int(habits.devices * random.random() ** 3),
        new_device=random.random() < habits.new_device_share,
        away=away,
        at_hand=random.random() < habits.at_hand_share,
    )


class OwnersAtHome:
    """Carries visits out. It has what owners have: passwords, browsers, mailboxes, phones.

    Args:
        app: the guarded service.
        from_s: when the scenario begins; visits before are history and not counted.
        mail: the links that the service has sent, by mail address; None where it resets no password.
    """

    def __init__(
        self,
        app: App,
        population: Population,
        places: OwnerPlaces,
        factors: SimulatedFactors,
        results: Results,
        *,
        cookies_share: float,
        from_s: float,
        mail: Mapping[str, str] | None = None,
    ) -> None:
        self._app = app
        self._mail = mail
        self._set_back: set[int] = set()
        self._own_passwords: dict[int, str] = {}
        self._population = population
        self._places = places
        self._factors = factors
        self._results = results
        self._cookies_share = cookies_share
        self._from_s = from_s
        self._browsers: dict[tuple[int, int], Browser] = {}
        self._entered: set[int] = set()
        self._at_it: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def visit(self, visit: Visit) -> None:
        # On one device at a time: with one mailbox for two log-ins, the code of one would be typed at the other.
        async with self._at_it[visit.owner]:
            await self._visit(visit)

    async def _visit(self, visit: Visit) -> None:
        if visit.new_device:
            self._browsers.pop((visit.owner, visit.device), None)
        browser = self._browser(visit)
        where = self._places.away(int(visit.at_s)) if visit.away else self._places.address(visit.owner, visit.at_s)
        resets = self._reset_counts(visit)
        has_set = resets is not None and await self._reset(visit, browser, where, resets)
        # Without a new password the owner cannot log in now, and remembers the old one until the next time (assumed).
        if has_set or not visit.resets:
            log_in = _LogIn(self, visit, browser, where, self._counts(visit, browser))
            await log_in.run()
            browser.entered_s += [visit.at_s] if log_in.has_entered else []
            if resets is not None and has_set:
                resets.asked += log_in.was_asked
                resets.entered += log_in.has_entered
        browser.forget()

    def _reset_counts(self, visit: Visit) -> ResetCounts | None:
        """What a reset adds to that comes before this log-in; None where there is none.

        The owner of a password that a bot has set finds out before the next log-in (assumed).
        """
        was_set = visit.owner not in self._set_back and self._results.is_taken(visit.owner)
        if self._mail is None or not (visit.resets or was_set):
            return None
        if visit.at_s < self._from_s:
            return ResetCounts()  # thrown away
        return self._results.resets_for(SET_BY_BOT if was_set else FORGOTTEN)

    async def _reset(self, visit: Visit, browser: Browser, where: str, counts: ResetCounts) -> bool:
        """Set a new password where the owner's was forgotten, and the owner's where a bot has set one."""
        owner, old = visit.owner, self.password(visit.owner)
        password = f"{old[:20]} {int(visit.at_s)}" if visit.resets else old
        reset = Reset(browser, where, self.account(owner), mail_address(owner), self._mail or {}, counts)
        if not await reset.run(password):
            return False
        self._own_passwords[owner] = password
        self._set_back |= {owner} if self._results.is_taken(owner) else set()
        for (other, _), each in self._browsers.items():
            # A reset makes strangers of all other devices: to their owner they are no longer known.
            each.known &= other != owner or each is browser
        await asyncio.sleep(RETYPE_S)
        return True

    def _browser(self, visit: Visit) -> Browser:
        key = visit.owner, visit.device
        if key not in self._browsers:
            agent = BROWSERS[(visit.owner + visit.device) % len(BROWSERS)]
            keeps = self._population.share(visit.owner) < self._cookies_share
            self._browsers[key] = Browser(self._app, agent, keeps=keeps)
        return self._browsers[key]

    def _counts(self, visit: Visit, browser: Browser) -> OwnerCounts:
        if visit.at_s < self._from_s or visit.forgets:
            return OwnerCounts()  # thrown away
        if browser.copied:
            return self._results.kind(COPIED)
        if browser.known:
            return self._results.kind(KNOWN)
        return self._results.kind(AWAY if visit.away else self._places.kind(visit.owner))

    def copied(self, owner: int, at_s: float, port: int) -> Copy:
        """Copy all cookies of the device that the owner uses most, as malicious software on it does.

        Args:
            owner: of the device.
            at_s: now, in seconds after the beginning of the history.
            port: that the copy is sent from.
        """
        device = self._browsers.get((owner, 0))
        if device is None:
            return Copy(NO_TOKEN, Browser(self._app, BROWSERS[owner % len(BROWSERS)], port=port), None, at_s)
        return Copy(kind_of(device, at_s), device.copy(port), device, at_s)

    def account(self, owner: int) -> str:
        return self._population.account(owner)

    def password(self, owner: int) -> str:
        return self._own_passwords.get(owner) or self._population.password(owner)

    def typed(self, visit: Visit) -> list[str]:
        """The passwords that an owner types, one after the other."""
        right = self.password(visit.owner)
        if visit.kept_out:
            return [right] * 3
        if visit.forgets:
            return [f"{right}{n}" for n in range(3)]
        return [f"{right}{right[-1]}", right] if visit.typo else [right]

    def retyped(self, visit: Visit, password: str) -> str:
        """Return what an owner types again after a wait: the right password, unless it is forgotten (assumed)."""
        return password if visit.forgets else self.password(visit.owner)

    async def prove(self, visit: Visit, browser: Browser, asked: BrowserAnswer, where: str) -> BrowserAnswer | None:
        """Answer a question with the owner's factor; return the service's answer, None if no proof is at hand."""
        return await self._factors.prove(visit.owner, browser, asked, where) if visit.at_hand else None

    def has_proof(self, visit: Visit, asked: BrowserAnswer) -> bool:
        """Whether the owner has a proof at hand that the question accepts."""
        return visit.at_hand and self._factors.can_answer(visit.owner, asked)

    def entered(self, visit: Visit, counts: OwnerCounts) -> None:
        counts.entered += 1
        self._entered.add(visit.owner)

    def asked(self, visit: Visit, counts: OwnerCounts, password: str) -> None:
        """Count a log-in in which a proof was asked for. `password`: the last one that was answered by a question."""
        counts.asked += 1
        mistyped = password != self.password(visit.owner) or visit.kept_out
        counts.asked_mistyped += mistyped
        counts.asked_enrolled += (enrolled := not mistyped and self._factors.has_enrolled(visit.owner))
        counts.asked_first += not (mistyped or enrolled or visit.owner in self._entered)

    def lost(self, visit: Visit, counts: OwnerCounts, code: str) -> None:
        counts.lost += 1
        counts.unproved += code == NO_PROOF
        if visit.at_s >= self._from_s and not visit.forgets:
            self._results.refused_by[code] += 1


class _LogIn:
    """One log-in, from the first password to the session.

    Attributes:
        has_entered: it ended with a session.
    """

    __slots__ = (
        "_asked_behind", "_browser", "_counts", "_owners", "_visit", "_waited", "_where", "_why", "_worked",
        "has_entered",
    )  # fmt: skip

    def __init__(self, owners: OwnersAtHome, visit: Visit, browser: Browser, where: str, counts: OwnerCounts) -> None:
        self._owners = owners
        self._visit = visit
        self._browser = browser
        self._where = where
        self._counts = counts
        self._asked_behind = ""  # the last password that was answered by a question
        self._why = ""  # the last question led to no session
        self._worked = self._waited = 0  # 1: in this log-in, for any of its passwords
        self.has_entered = False

    @property
    def was_asked(self) -> bool:
        return bool(self._asked_behind)

    async def run(self) -> None:
        self._counts.log_ins += 1
        answer = await self._answered()
        self._counts.worked += self._worked
        self._counts.waited += self._waited
        if self._asked_behind:
            self._owners.asked(self._visit, self._counts, self._asked_behind)
        if answer is not None and answer.entered:
            self.has_entered = True
            self._owners.entered(self._visit, self._counts)
        elif not self._is_wrong(answer):
            self._owners.lost(self._visit, self._counts, answer.code if answer else self._why)

    def _is_wrong(self, answer: BrowserAnswer | None) -> bool:
        """Whether the application itself refused the last password, in its own answer or behind a right proof."""
        if answer is None:
            return self._why == PROOF_REFUSED and self._visit.kept_out
        return answer.wrong

    async def _answered(self) -> BrowserAnswer | None:
        """The answer to the last password. None where the owner gives up."""
        answer: BrowserAnswer | None = None
        for password in self._owners.typed(self._visit):
            answer = await self._typed(password)
            # No code comes after a wrong password: the owner gives up waiting for it, and types the password anew.
            if answer is not None and not answer.wrong:
                break
            await asyncio.sleep(RETYPE_S)
        return answer

    async def _typed(self, password: str) -> BrowserAnswer | None:
        """Type a password, and answer what comes of it. None where the owner gives up."""
        account = self._owners.account(self._visit.owner)
        answer = await self._browser.log_in(self._where, account, password)
        for _ in range(STEPS_MAX):
            if answer.code == WORK:
                self._worked = 1
                answer = await self._browser.work(answer, self._where, account, password)
            elif answer.code == ASKED:
                self._asked_behind = password
                return await self._asked(answer)
            elif answer.wait_s and answer.wait_s <= PATIENCE_S:
                self._waited = 1
                await asyncio.sleep(answer.wait_s)
                password = self._owners.retyped(self._visit, password)
                answer = await self._browser.log_in(self._where, account, password)
            else:
                break
        return answer

    async def _asked(self, answer: BrowserAnswer) -> BrowserAnswer | None:
        await asyncio.sleep(READ_MAIL_S)
        self._why = PROOF_REFUSED if self._owners.has_proof(self._visit, answer) else NO_PROOF
        proved = await self._owners.prove(self._visit, self._browser, answer, self._where)
        # A right proof behind a wrong password is answered as a wrong one: the owner types the password anew.
        return None if proved is None or proved.code == PROOF_FAILED else proved
