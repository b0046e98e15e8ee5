"""Bounded background runs, fair per network and address: a flood of attempts cannot precede a single caller's.

A run has a *place* while it is queued or running. A caller that finds none free waits for one, and places are given in
turn (`asgi.fair_turns`). Strangers' runs also need a place in the application (`asgi.admission`), which they share with
attempts that are answered directly.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sekisho.asgi.fair_turns import Place, TurnCounts, Turns, Whose

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sekisho.asgi.admission import Admission

ENTERING_MAX: Final = 256
"""How many callers may wait for a place. Each holds a request and its body."""

ENDING_S: Final = 1.0
"""How long a cancelled run may take to end."""

logger = logging.getLogger("sekisho")

Run: TypeAlias = "Callable[[], Coroutine[Any, Any, None]]"


@dataclass(eq=False, repr=False, slots=True)
class RunPlace(Place):
    """Attributes:
    run: the application's.
    context: a new empty one: started when another's run ends, it would inherit that one's user and request; started in
        its caller's, it would inherit what outer middleware derived from the caller's cookies.
    held: whether it is counted among the places that are promised, queued or running.
    """

    run: Run
    context: contextvars.Context = field(default_factory=contextvars.Context)
    held: bool = False


class FairQueue:
    """Background runs. Belongs to one event loop.

    Args:
        admission: each run also holds a place there while it is in the application, under its own `run`; None for known
            devices, which pass.
        running_max: runs at once.
        waiting_max: runs in the queue.
        per_network_max, per_address_max: places of one network, of one address: queued and running.
        seconds_max: how long a run may take before it is cancelled. A run that ignores this keeps its place.
    """

    def __init__(
        self,
        admission: Admission | None = None,
        *,
        running_max: int = 32,
        waiting_max: int = 256,
        per_network_max: int = 32,
        per_address_max: int = 8,
        seconds_max: float = 30,
    ) -> None:
        self._admission = admission
        if admission is not None:
            admission.lines.append(self)
        self._running_max = running_max
        self._waiting_max = waiting_max
        self._per_network_max = per_network_max
        self._per_address_max = per_address_max
        self._seconds_max = seconds_max
        self._held = TurnCounts()  # promised, queued or running
        self._running = TurnCounts()
        self._tasks: set[asyncio.Task[None]] = set()
        self._queue = Turns[RunPlace]()
        # The turn that each queued run waits for, in a task of its own from the start. A task created only when another
        # run ends could be created while the loop ends: it would never run, and asyncio would report it.
        self._turns: dict[RunPlace, asyncio.Future[None]] = {}
        self._entering = Turns[RunPlace]()
        self._answers: dict[RunPlace, asyncio.Future[bool]] = {}
        self._closed = False

    @property
    def occupancy(self) -> float:
        """The share of all places that is taken, from 0 to 1."""
        return self._held.total / (self._running_max + self._waiting_max)

    async def enter(self, network: bytes, address: bytes, run: Run, *, wait_s: float = 10.0) -> bool:
        """Queue a run; returns whether there was a place for it within `wait_s`. It does not wait for the run.

        A caller that is cancelled here leaves no run behind.
        """
        place = RunPlace(network, address, run)
        if self._closed:
            return False
        if self._fits(place):
            self._hold(place)
        elif not await self._promised(place, wait_s):
            return False
        self._enqueue(place)
        self._advance()
        return True

    async def aclose(self, seconds: float) -> None:
        """Admit no more callers; give queued and running tasks `seconds` to end, then cancel them."""
        self._closed = True
        for answer in self._answers.values():
            _tell(answer, had=False)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while self._tasks:  # while something is queued, something runs
                        await asyncio.wait(self._tasks)
        finally:
            await self._end_all()

    async def _end_all(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=ENDING_S)

    def _fits(self, place: RunPlace) -> bool:
        return (
            self._held.total < self._running_max + self._waiting_max
            and self._held.network(place) < self._per_network_max
            and self._held.address(place) < self._per_address_max
        )

    async def _promised(self, place: RunPlace, wait_s: float) -> bool:
        """Wait for a place and hold it. The caller queues the run, because only it knows whether it still wants it."""
        if wait_s <= 0 or not self._room_to_wait(place):
            return False
        loop = asyncio.get_running_loop()
        answer = self._answers[place] = loop.create_future()
        self._entering.add(place)
        timer = loop.call_later(wait_s, _tell, answer)
        try:
            had = await answer and not self._closed
        except asyncio.CancelledError:
            had = False
            raise
        finally:
            timer.cancel()
            if self._answers.pop(place, None):
                self._entering.remove(place)
            if place.held and not had:
                self._held.remove(place)
                self._advance()
        return had

    def _room_to_wait(self, place: RunPlace) -> bool:
        """Whether the caller may wait. When the room is full, the network and address with the most in it give way."""
        if len(self._answers) < ENTERING_MAX:
            return True
        most = self._entering.gives_way(place)
        if most is not None:
            self._entering.remove(most)
            _tell(self._answers.pop(most), had=False)
        return most is not None

    def _advance(self) -> None:
        """Start the runs that may start, and promise the places that become free."""
        if self._admission is not None:
            self._admission.advance()
        else:
            while self.start_next(self._running):
                pass
        while place := self._entering.take(self._held, self._fits):
            self._hold(place)
            _tell(self._answers.pop(place), had=True)

    def start_next(self, in_application: TurnCounts) -> bool:
        """Start the queued run whose network and address have the fewest runs in the application.

        Return False if no run may start. `in_application`: how many runs of each network and address are there.
        """
        if self._running.total >= self._running_max or not (place := self._queue.take(in_application, _any)):
            return False
        if self._admission is not None:
            self._admission.waiting -= 1
            self._admission.hold(place.run, Whose(place.network, place.address))
        self._start(place)
        return True

    def _hold(self, place: RunPlace) -> None:
        place.held = True
        self._held.add(place)

    def _enqueue(self, place: RunPlace) -> None:
        loop = asyncio.get_running_loop()
        self._queue.add(place)
        self._turns[place] = turn = loop.create_future()
        if self._admission is not None:
            self._admission.waiting += 1
        task = loop.create_task(self._run(turn, place.run), context=place.context)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, place))

    def _start(self, place: RunPlace) -> None:
        self._running.add(place)
        turn = self._turns.pop(place)
        if not turn.done():  # a cancelled one is about to end
            turn.set_result(None)

    async def _run(self, turn: asyncio.Future[None], run: Run) -> None:
        await turn
        try:
            async with asyncio.timeout(self._seconds_max):
                await run()
        except Exception as error:  # noqa: BLE001 - no caller waits for its result
            # Its message and frames may contain secrets that were sent to the application.
            logger.error("A log-in that ran in the background ended with %s.", type(error).__name__)  # noqa: TRY400

    def _ended(self, place: RunPlace, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._held.remove(place)
        if self._turns.pop(place, None) is None:
            self._running.remove(place)
            if self._admission is not None:
                self._admission.free(place.run)
        else:
            self._queue.remove(place)
            if self._admission is not None:
                self._admission.waiting -= 1
        self._advance()


def _any(_: RunPlace) -> bool:
    return True


def _tell(answer: asyncio.Future[bool], *, had: bool = False) -> None:
    if not answer.done():
        answer.set_result(had)
