"""Bounded background runs, fair per network and address: nobody's thousand attempts stand before another's one.

A run has a *place* while it is queued or under way. Whoever finds none left waits for one, and no place is given out of
turn: the next is always for the network that has the fewest, then for the address in it that has the fewest; among
equals they take turns. A list of proxies in one network therefore counts for one.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

ENTERING_MAX: Final = 256
"""Callers that may wait for a place. Each holds a request and its body."""

ENDING_S: Final = 1.0
"""How long a run that was cancelled may take to notice."""

logger = logging.getLogger("sekisho")


@dataclass(eq=False, repr=False, slots=True)
class _Place:
    network: bytes
    address: bytes
    run: Callable[[], Coroutine[Any, Any, None]]
    # Of its own, and empty: started when another's run ends, it would find that one's user and request; started in its
    # caller's, what outer middleware has made of the caller's cookies.
    context: contextvars.Context = field(default_factory=contextvars.Context)
    held: bool = False


class _Counts:
    """How many places each network and each address has of something; nothing is kept at zero."""

    def __init__(self) -> None:
        self.total = 0
        self._each: Counter[tuple[bytes, ...]] = Counter()

    def add(self, place: _Place, number: int = 1) -> None:
        self.total += number
        for key in ((place.network,), (place.network, place.address)):
            self._each[key] += number
            if not self._each[key]:
                del self._each[key]

    def remove(self, place: _Place) -> None:
        self.add(place, -1)

    def network(self, place: _Place) -> int:
        return self._each[place.network,]

    def address(self, place: _Place) -> int:
        return self._each[place.network, place.address]


class _Turns:
    """Places in line: networks take turns, addresses take turns in their network, each address is first come first."""

    def __init__(self) -> None:
        self.counts = _Counts()
        self._networks: dict[bytes, dict[bytes, deque[_Place]]] = {}

    def add(self, place: _Place) -> None:
        self._networks.setdefault(place.network, {}).setdefault(place.address, deque()).append(place)
        self.counts.add(place)

    def remove(self, place: _Place) -> None:
        addresses = self._networks[place.network]
        addresses[place.address].remove(place)
        self.counts.remove(place)
        if not addresses[place.address]:
            del addresses[place.address]
        if not addresses:
            del self._networks[place.network]

    def take(self, having: _Counts, fits: Callable[[_Place], bool]) -> _Place | None:
        """The next that fits, by who has the fewest in `having`; its network and address go to the end."""
        turns = [
            ((having.network(places[0]), turn, having.address(places[0])), places[0])
            for turn, addresses in enumerate(self._networks.values())
            for places in addresses.values()
            if fits(places[0])
        ]
        if not turns:
            return None
        _, place = min(turns, key=lambda each: each[0])  # the first of equals
        self.remove(place)
        if addresses := self._networks.pop(place.network, None):
            self._networks[place.network] = addresses
            if places := addresses.pop(place.address, None):
                addresses[place.address] = places
        return place

    def last_of_most(self) -> _Place:
        """The newest place of the address with the most, in the network with the most."""
        return max(self._newest(), key=lambda place: (self.counts.network(place), self.counts.address(place)))

    def _newest(self) -> Iterator[_Place]:
        return (places[-1] for addresses in self._networks.values() for places in addresses.values())

    def __iter__(self) -> Iterator[_Place]:
        return (place for addresses in self._networks.values() for places in addresses.values() for place in places)


class Lanes:
    """Runs that nobody waits for. Belongs to one event loop.

    Args:
        running_max: runs at once.
        waiting_max: runs in the queue.
        per_network_max, per_address_max: places of one network, of one address: queued and running.
        seconds_max: what a run may take before it is cancelled. One that ignores this keeps its place.
    """

    def __init__(
        self,
        *,
        running_max: int = 32,
        waiting_max: int = 256,
        per_network_max: int = 32,
        per_address_max: int = 8,
        seconds_max: float = 30,
    ) -> None:
        self._running_max = running_max
        self._waiting_max = waiting_max
        self._per_network_max = per_network_max
        self._per_address_max = per_address_max
        self._seconds_max = seconds_max
        self._held = _Counts()  # promised, queued or running
        self._running = _Counts()
        self._tasks: set[asyncio.Task[None]] = set()
        self._queue = _Turns()
        self._entering = _Turns()
        self._answers: dict[_Place, asyncio.Future[bool]] = {}
        self._closed = False

    @property
    def occupancy(self) -> float:
        """How much of all places is taken, from 0 to 1."""
        return self._held.total / (self._running_max + self._waiting_max)

    async def enter(
        self, network: bytes, address: bytes, run: Callable[[], Coroutine[Any, Any, None]], *, wait_s: float = 10.0
    ) -> bool:
        """Whether there was a place within `wait_s`. Returns at once when there is; never waits for the run itself.

        Whoever is cancelled here leaves no run behind.
        """
        place = _Place(network, address, run)
        if self._closed:
            return False
        if self._fits(place):
            self._hold(place)
        elif not await self._promised(place, wait_s):
            return False
        self._queue.add(place)
        self._advance()
        return True

    async def aclose(self, seconds: float) -> None:
        """Let in nobody else; give what is queued and running `seconds` to end, then cancel it."""
        self._closed = True
        for answer in self._answers.values():
            _tell(answer, had=False)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while self._tasks:  # nothing is queued where nothing runs
                        await asyncio.wait(self._tasks)
        finally:
            await self._end_all()

    async def _end_all(self) -> None:
        for place in tuple(self._queue):
            self._queue.remove(place)
            self._held.remove(place)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=ENDING_S)

    def _fits(self, place: _Place) -> bool:
        return (
            self._held.total < self._running_max + self._waiting_max
            and self._held.network(place) < self._per_network_max
            and self._held.address(place) < self._per_address_max
        )

    async def _promised(self, place: _Place, wait_s: float) -> bool:
        """Wait for a place and hold it; the caller queues the run, for only the caller knows that it still wants it."""
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

    def _room_to_wait(self, place: _Place) -> bool:
        """Whether the caller may wait. When all room is taken, whoever has the most of it gives way."""
        waiting = self._entering.counts
        if len(self._answers) < ENTERING_MAX:
            return True
        most = self._entering.last_of_most()
        if most.network == place.network:
            fewer = waiting.address(place) + 1 < waiting.address(most)
        else:
            fewer = waiting.network(place) + 1 < waiting.network(most)
        if fewer:
            self._entering.remove(most)
            _tell(self._answers.pop(most), had=False)
        return fewer

    def _advance(self) -> None:
        """Start what may run, and promise the places that this leaves free."""
        while self._running.total < self._running_max and (place := self._queue.take(self._running, _any)):
            self._start(place)
        while place := self._entering.take(self._held, self._fits):
            self._hold(place)
            _tell(self._answers.pop(place), had=True)

    def _hold(self, place: _Place) -> None:
        place.held = True
        self._held.add(place)

    def _start(self, place: _Place) -> None:
        self._running.add(place)
        task = asyncio.get_running_loop().create_task(self._run(place), context=place.context)
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._ended(place, task))

    async def _run(self, place: _Place) -> None:
        try:
            async with asyncio.timeout(self._seconds_max):
                await place.run()
        except Exception as error:  # noqa: BLE001 - nobody waits for it who could be told
            # Its message and its frames may hold what the application was sent.
            logger.error("A log-in that ran in the background ended with %s.", type(error).__name__)  # noqa: TRY400

    def _ended(self, place: _Place, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._running.remove(place)
        self._held.remove(place)
        self._advance()


def _any(_: _Place) -> bool:
    return True


def _tell(answer: asyncio.Future[bool], *, had: bool = False) -> None:
    if not answer.done():
        answer.set_result(had)
