"""Waits for log-ins in flight: ten tabs that log in at once with the right password are not an attack.

A refusal that rests on charges of the last two seconds may be about to change, because each of those log-ins gets its
charge back when it succeeds, at any worker. So a few refused attempts wait and ask again: at once when a log-in ends in
this worker, and at intervals for those that end in others. An attempt that would have room within a moment waits for
that moment. A failed attempt's charge is marked as no longer young, so sequential guesses never wait. Waiting is
bounded by key and by worker; otherwise an attacker could park connections here.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Called: TypeAlias = "asyncio.Future[None]"

WAITERS_MAX = 256
PAUSES_S = (0.25, 0.75, 1.0)  # before each further question; in all as long as a charge counts as young
# Where each request is a log-in: as long in all, but each time a few of those that wait are admitted.
REQUESTS_PAUSES_S = (0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25)
MOMENT_US = 2_000_000
"""Remaining weight of refunded parallel log-ins: each refund leaves the time that its check took."""


async def _until(called: Called, seconds: float) -> bool:
    await asyncio.wait((called,), timeout=seconds)
    return True


class InFlight:
    """The attempts that wait for a counter. Belongs to one event loop.

    Args:
        until: waits for a future for at most so many seconds; returns whether it waited at all. Callers with another
            clock than the loop's replace it.
    """

    def __init__(self, until: Callable[[Called, float], Awaitable[bool]] = _until) -> None:
        self._until = until
        self._waiting: defaultdict[bytes, deque[Called]] = defaultdict(deque)
        self._size = 0
        self._under_way: dict[bytes, int] = {}

    def begin(self, key: bytes) -> None:
        """Note that a log-in that was charged under `key` is passed to the application."""
        count = self._under_way.get(key)
        self._under_way[key] = 1 if count is None else count + 1

    def end(self, key: bytes) -> None:
        """Note that a log-in under `key` has ended, well or not. The last one wakes all attempts waiting for `key`."""
        left = self._under_way[key] - 1
        if left:
            self._under_way[key] = left
            return
        del self._under_way[key]
        if self._size and key in self._waiting:
            self._call(key, len(self._waiting[key]))

    async def wait(self, key: bytes, *, waiters_max: int, seconds_max: float) -> bool:
        """Wait for `key` until woken, at most `seconds_max`. Returns False at once if too many attempts wait."""
        queue = self._waiting.get(key)
        if self._size >= WAITERS_MAX or (queue is not None and len(queue) >= waiters_max):
            return False
        called: Called = asyncio.get_running_loop().create_future()
        self._waiting[key].append(called)
        self._size += 1
        try:
            return await self._until(called, seconds_max)
        except asyncio.CancelledError:
            if called.done():  # woken and cancelled at the same moment: wake the next one instead
                self.settled(key)
            raise
        finally:
            self._leave(key, called)

    def settled(self, key: bytes) -> None:
        """Wake the first attempt that waits for `key`, since one charge there was refunded."""
        self._call(key, 1)

    def _call(self, key: bytes, most: int) -> None:
        if not self._size or key not in self._waiting:  # the usual case
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
