"""Waiting for log-ins under way: ten tabs that log in at once with the right password are not an attack.

A refusal that rests on charges of the last two seconds may be about to change: each of those log-ins gives its charge
back when it succeeds, at whichever worker it is. So a few such attempts wait and ask again: at once when one ends
here, and now and then for those that end elsewhere. Those who would have room in a moment wait for that moment. A
charge whose attempt has failed is told to be no longer young, so that who guesses one after the other never waits.
Waiting is bounded by key and by worker, or it would be a place to park connections.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

Called: TypeAlias = "asyncio.Future[None]"

WAITERS_MAX = 256
PAUSES_S = (0.25, 0.75, 1.0)  # before each time that one asks again: in all, as long as a charge counts as young
MOMENT_US = 2_000_000
"""What parallel log-ins weigh after they have been given back: each refund leaves the time that its check took."""


async def _until(called: Called, seconds: float) -> bool:
    await asyncio.wait((called,), timeout=seconds)
    return True


class InFlight:
    """Who waits for which counter. Belongs to one event loop.

    `until` waits for a future, but for no longer than so many seconds, and says whether it has waited at all: for who
    goes by another clock than the loop's.
    """

    def __init__(self, until: Callable[[Called, float], Awaitable[bool]] = _until) -> None:
        self._until = until
        self._waiting: defaultdict[bytes, deque[Called]] = defaultdict(deque)
        self._size = 0
        self._under_way: dict[bytes, int] = {}

    def begin(self, keys: Iterable[bytes]) -> None:
        """A log-in that was charged under these keys goes to the application."""
        under_way = self._under_way
        for key in keys:
            under_way[key] = under_way.get(key, 0) + 1

    def end(self, keys: Iterable[bytes]) -> None:
        """It has ended, well or not. After the last one there is nothing more to wait for."""
        for key in keys:
            left = self._under_way.pop(key) - 1
            if left:
                self._under_way[key] = left
            elif key in self._waiting:
                self._call(key, len(self._waiting[key]))

    async def wait(self, key: bytes, *, waiters_max: int, seconds_max: float) -> bool:
        """Wait until `key` was settled here or so many seconds have passed. False, at once, where there is no place."""
        queue = self._waiting.get(key)
        if self._size >= WAITERS_MAX or (queue is not None and len(queue) >= waiters_max):
            return False
        called: Called = asyncio.get_running_loop().create_future()
        self._waiting[key].append(called)
        self._size += 1
        try:
            return await self._until(called, seconds_max)
        except asyncio.CancelledError:
            if called.done():  # called, and gone in the same moment: the next in line goes in its place
                self.settled(key)
            raise
        finally:
            self._leave(key, called)

    def settled(self, key: bytes) -> None:
        """One charge was given back: the first in line may ask again."""
        self._call(key, 1)

    def _call(self, key: bytes, most: int) -> None:
        if key not in self._waiting:  # as nearly always
            return
        still = [called for called in self._waiting[key] if not called.done()]
        for called in still[:most]:
            called.set_result(None)

    def _leave(self, key: bytes, called: Called) -> None:
        self._size -= 1
        queue = self._waiting[key]
        queue.remove(called)
        if not queue:
            del self._waiting[key]
