"""One scenario before one guard: owners and bots do what they do, in order of time."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from enum import Enum
from heapq import merge
from itertools import repeat
from random import Random
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sekisho.model import SekishoError
from sekisho.simulate.laboratory.bots import AttackTries, Bots, BotTry
from sekisho.simulate.laboratory.factors import SimulatedFactors
from sekisho.simulate.laboratory.owners import OwnersAtHome, Visit, resets, visits
from sekisho.simulate.laboratory.places import DAY_S, OwnerPlaces
from sekisho.simulate.laboratory.results import Results
from sekisho.simulate.laboratory.site import ASK, Fault, Shop, part_of
from sekisho.simulate.population import Population
from sekisho.simulate.virtual_loop import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
    from typing import Any

    from sekisho.asgi.types import App, Message, Receive, Scope, Send
    from sekisho.owners import MemoryOwners
    from sekisho.simulate.laboratory.scenario import Attack, Scenario
    from sekisho.stepup.factors.webhook import CodeHook

EPOCH_S = 1_751_328_000.0
"""When simulated time begins: 1 July 2025, 00:00 UTC. A day of the simulation is a day of the calendar."""

SECRET = b"only for simulations: this signs nothing that matters"


class NotStarted(SekishoError):  # noqa: N818 - a state of the guard
    """The guard did not start; the text is its reason, which names settings and no values."""


class Weak(Enum):
    """A weak service beside the guarded one: none, one that counts by itself, or one that counts together with it."""

    NONE = "none"
    APART = "apart"
    TOGETHER = "together"


class Ports(NamedTuple):
    """What a guard is built with.

    Attributes:
        app: the application behind it.
        clock_s: seconds since the beginning of the history, as the event loop counts them.
        owners: contacts and enrolments.
        on_code: sends a code to an owner.
        secret: of the service.
        asked: is told what a puzzle would have cost, in PBKDF2 iterations.
        exists: whether an account exists, for limiters that ask.
        weak: the service beside it, whose guard asks for no proof.
        links: bank accounts can be linked.
        resets: passwords can be reset.
        on_file: at a door that sends links to addresses on file alone.
        monitored: a guard without factors stood there before the scenario began.
        step_s: by how many seconds the service's clock has been set, at this moment.
        bursts: when more than one guess a second comes, and the minute after: from and until, as `clock_s` counts.
    """

    app: App
    clock_s: Callable[[], float]
    owners: MemoryOwners
    on_code: CodeHook
    secret: bytes
    asked: Callable[[int], None]
    exists: Callable[[str], bool]
    weak: Weak = Weak.NONE
    links: bool = False
    step_s: Callable[[], float] = lambda: 0.0
    resets: bool = False
    on_file: bool = False
    monitored: bool = False
    bursts: tuple[tuple[float, float], ...] = ()


class BuiltGuard(NamedTuple):
    """A guard in front of the application.

    Attributes:
        alarms: how often its posture has risen so far.
        before: what stood there until the scenario began; None for the same.
        weak: the weak service, behind a guard of its own; None where there is none.
    """

    app: App
    alarms: Callable[[], int] = lambda: 0
    weak: App | None = None
    before: App | None = None

    def at(self, clock_s: Callable[[], float], begins_s: float) -> App:
        """Return an application that passes requests to `before` until `begins_s`, then to `app`; or `app` itself."""
        if (before := self.before) is None:
            return self.app

        async def present(scope: Scope, receive: Receive, send: Send) -> None:
            return await (self.app if clock_s() >= begins_s else before)(scope, receive, send)

        return present


LOOK_S = 60.0
"""How often a run looks for alarms between two log-ins."""

Build: TypeAlias = "Callable[[Ports], BuiltGuard]"
"""Builds a guard. It is called on the event loop of the run."""


def simulate(
    scenario: Scenario,
    build: Build,
    *,
    seed: int,
    has_factors: bool = False,
    look: Callable[[int], None] = lambda _done: None,
) -> Results:
    """Run a scenario. The same scenario, seed and guard give the same results.

    Args:
        scenario: what happens.
        build: the guard.
        seed: of all that is drawn.
        has_factors: whether the guard asks for factors: owners have enrolled theirs then.
        look: is told how many log-ins and attempts have begun.
    """
    random.seed(seed)  # the guard's jitter
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_run(scenario, build, seed, has_factors, look))


async def _run(scenario: Scenario, build: Build, seed: int, has_factors: bool, look: Callable[[int], None]) -> Results:
    clock_s = asyncio.get_running_loop().time
    run = _Run(scenario, seed, has_factors=has_factors, clock_s=clock_s)
    await run.factors.enrol(SECRET)
    built = build(run.ports())
    async with _running(built.before), _running(built.app), _running(built.weak):
        await run.play(built, look)
    run.results.checks = run.shop.checks
    for port, checks in run.shop.checks_of_bots.items():
        run.results.checked(part_of(port), checks)
    return run.results


class _Run:
    def __init__(self, scenario: Scenario, seed: int, *, has_factors: bool, clock_s: Callable[[], float]) -> None:
        owners = scenario.owners
        self._scenario = scenario
        self._seed = seed
        self._clock_s = clock_s
        self._from_s = owners.history_days * DAY_S
        self._population = Population(owners.count, seed, reusing_share=owners.reusing_share)
        self._places = OwnerPlaces(owners, seed)
        self._under_way: set[asyncio.Task[None]] = set()
        self._failed: BaseException | None = None
        self.results = Results()
        self.factors = SimulatedFactors(
            self._population, owners, seed, in_use=has_factors, clock_s=lambda: EPOCH_S + clock_s()
        )
        self._owner = {self._population.account(owner): owner for owner in range(owners.count)}
        passwords = {account: self._population.password(owner) for account, owner in self._owner.items()}
        begins_s = self._from_s + owners.fault_from_h * 3600
        self._fault = Fault(begins_s, begins_s + owners.fault_hours * 3600, owners.fault_share)
        self._resets = any(attack.resets for attack in scenario.attacks)
        self.shop = Shop(passwords, ASK if self._resets else "", self._refuses)

    def ports(self) -> Ports:
        factors = self.factors
        return Ports(
            self.shop, self._clock_s, factors.stored, factors.on_code, SECRET, self._asked,
            self.shop.exists, _weak(self._scenario.attacks),
            any(attack.links for attack in self._scenario.attacks), self._step_s,
            self._resets,
            any(attack.on_file for attack in self._scenario.attacks),
            self._scenario.monitored,
            tuple(self._bursts()),
        )  # fmt: skip

    def _bursts(self) -> Iterator[tuple[float, float]]:
        for attack in self._scenario.attacks:
            from_s, span_s = self._from_s + attack.from_h * 3600, attack.hours * 3600
            if attack.attempts > span_s:
                yield from_s, from_s + span_s + 60

    def _refuses(self, account: str) -> bool:
        return self._fault.holds(self._owner[account], self._clock_s())

    def _step_s(self) -> float:
        is_set = self._clock_s() >= self._from_s + self._scenario.step_at_h * 3600
        return self._scenario.step_s if is_set else 0.0

    def _asked(self, hashes: int) -> None:
        self.results.hashes += hashes

    async def play(self, built: BuiltGuard, look: Callable[[int], None]) -> None:
        """Begin every log-in and attempt at its time, and wait for the last and for the scenario's end."""
        watch = asyncio.get_running_loop().create_task(self._watch(built))
        try:
            await self._play(built, look)
        finally:
            watch.cancel()

    async def _watch(self, built: BuiltGuard) -> None:
        """Note alarms as they are raised: after a burst at night the next log-in may be hours away."""
        while True:
            await asyncio.sleep(LOOK_S)
            self._note_alarms(built)

    def _note_alarms(self, built: BuiltGuard) -> None:
        if built.alarms() > len(self.results.alarms):
            self.results.alarms.append(self._clock_s() - self._from_s)

    async def _play(self, built: BuiltGuard, look: Callable[[int], None]) -> None:
        done = 0
        for done, (at_s, work) in enumerate(self._agenda(built), 1):
            await self._until(at_s)
            self._start(work)
            self._note_alarms(built)
            if not done % 1000:
                look(done)
        look(done)
        await self._until(self._from_s + self._scenario.hours * 3600)  # an alarm may rise after the last guess
        while self._under_way:
            await asyncio.wait(self._under_way)
        if self._failed is not None:
            raise self._failed

    async def _until(self, at_s: float) -> None:
        if (early_s := at_s - self._clock_s()) > 0:
            await asyncio.sleep(early_s)
        if self._failed is not None:
            raise self._failed

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failed = task.exception()

    def _agenda(self, built: BuiltGuard) -> Iterator[tuple[float, Coroutine[Any, Any, None]]]:
        app = built.at(self._clock_s, self._from_s)
        owners = OwnersAtHome(
            app,
            self._population,
            self._places,
            self.factors,
            self.results,
            cookies_share=self._scenario.owners.cookies_share,
            from_s=self._from_s,
            mail=self.shop.mail if self._resets else None,
        )
        bots = Bots(
            app,
            built.weak,
            self._population,
            self.factors,
            self.results,
            self.shop.mail,
            copied=owners.copied,
            is_attacked=lambda at_s: self._scenario.is_attacked((at_s - self._from_s) / 3600),
        )
        by_attack = list(self._campaigns())
        log_ins = visits(self._scenario, self._places, Random(f"owners {self._seed}"), self._fault)  # noqa: S311 - simulated
        forgotten = resets(self._scenario, self._places, Random(f"resets {self._seed}"))  # noqa: S311 - simulated
        streams: list[Iterator[tuple[Visit | BotTry, Attack | None]]] = [
            ((visit, None) for visit in log_ins),
            ((visit, None) for visit in forgotten),
            *by_attack,
        ]
        for each, attack in merge(*streams, key=_at_s):
            if isinstance(each, Visit):
                yield each.at_s, owners.visit(each)
            elif attack is not None:
                yield each.at_s, bots.attempt(each, attack)

    def _campaigns(self) -> Iterator[Iterator[tuple[Visit | BotTry, Attack | None]]]:
        own = self._population.owners - self._scenario.own_accounts
        copied = 0
        for number, attack in enumerate(self._scenario.attacks):
            tries = AttackTries(
                attack,
                self._population,
                self._places,
                self._seed,
                campaign=number,
                own=own,
                copied=copied,
                from_s=self._from_s,
            )
            yield zip(tries, repeat(attack))
            own += attack.own_accounts
            copied += attack.copied


def _at_s(item: tuple[Visit | BotTry, Attack | None]) -> float:
    return item[0].at_s


def _weak(attacks: Sequence[Attack]) -> Weak:
    at_it = [attack for attack in attacks if attack.weak_share]
    if not at_it:
        return Weak.NONE
    return Weak.TOGETHER if any(attack.together for attack in at_it) else Weak.APART


@asynccontextmanager
async def _running(app: App | None) -> AsyncIterator[None]:
    """The lifespan of an application, as a server drives it; None: there is none."""
    if app is None:
        yield
        return
    asked: asyncio.Queue[Message] = asyncio.Queue()
    told: asyncio.Queue[Message] = asyncio.Queue()
    lifespan = asyncio.ensure_future(app({"type": "lifespan"}, asked.get, told.put))
    asked.put_nowait({"type": "lifespan.startup"})
    begun = await told.get()
    if begun["type"] != "lifespan.startup.complete":
        raise NotStarted(begun.get("message", "the guard did not start"))
    try:
        yield
    finally:
        asked.put_nowait({"type": "lifespan.shutdown"})
        await lifespan
