"""Limits the load on a free service: so many requests at once, and a pause for all if it asks for one.

A hundred workers that each wait for their own 429 would still send a hundred requests. Here one refusal stops all of
them until the stated time. Then half as many requests run at once; each round without a refusal admits one more.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Gate:
    """Admits at most `places` requests at once; use `async with gate:` around one request."""

    def __init__(self, places: int, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        """`clock`: monotonic seconds; `sleep`: by the same clock."""
        self._clock = clock
        self._sleep = sleep
        self._places = asyncio.Semaphore(places)
        self._places_max = places
        self._open = places
        self._closing = 0  # places to withhold when they are released
        self._passed = 0  # since the last change of the number of places
        self._paused_until = clock()

    async def __aenter__(self) -> Self:
        await self._places.acquire()
        while self._closing:
            self._closing -= 1
            await self._places.acquire()
        try:
            # Checked again after each sleep: the pause may have been extended meanwhile.
            while (wait := self._paused_until - self._clock()) > 0:
                await self._sleep(wait)
        except BaseException:
            self._give_back()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._give_back()

    def pause(self, seconds: float) -> None:
        """Admit no request for so many seconds, and half as many at once afterwards."""
        now = self._clock()
        if now >= self._paused_until:  # once a pause: requests in flight are refused together with the first
            self._narrow()
        self._paused_until = max(self._paused_until, now + seconds)

    def passed(self) -> None:
        """Record a served request. After as many as run at once, one more place opens."""
        if self._clock() < self._paused_until:
            return  # it was sent before the pause
        self._passed += 1
        if self._passed >= self._open and self._open < self._places_max:
            self._passed = 0
            self._open += 1
            self._give_back()

    def _narrow(self) -> None:
        fewer = self._open // 2
        self._passed = 0
        self._open -= fewer
        self._closing += fewer

    def _give_back(self) -> None:
        if self._closing:
            self._closing -= 1
        else:
            self._places.release()
