"""Politeness towards a service that is given away: so many requests at once, and when it asks for a pause, all pause.

A hundred workers that each wait out their own 429 still knock a hundred times. Here one refusal stops everybody until
the time it named, and half as many go on from there; each round without a refusal lets one more in.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Gate:
    """At most `places` at once; use it as `async with gate:` around one request."""

    def __init__(self, places: int, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        """`clock` in seconds, monotonic; `sleep` by the same clock."""
        self._clock = clock
        self._sleep = sleep
        self._places = asyncio.Semaphore(places)
        self._places_max = places
        self._open = places
        self._closing = 0  # places to be withheld when they are given back
        self._passed = 0  # since the gate last became narrower or wider
        self._paused_until = clock()

    async def __aenter__(self) -> Self:
        await self._places.acquire()
        while self._closing:
            self._closing -= 1
            await self._places.acquire()
        try:
            # Again after each sleep: somebody else may have been asked to wait longer.
            while (wait := self._paused_until - self._clock()) > 0:
                await self._sleep(wait)
        except BaseException:
            self._give_back()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._give_back()

    @property
    def open_places(self) -> int:
        """How many may be inside at once for now."""
        return self._open

    def pause(self, seconds: float) -> None:
        """Nobody enters for so long; half as many afterwards."""
        now = self._clock()
        if now >= self._paused_until:  # once a pause: what was under way is refused along with the first
            self._narrow()
        self._paused_until = max(self._paused_until, now + seconds)

    def passed(self) -> None:
        """One was served. As many as are let in at once, and one more is."""
        if self._clock() < self._paused_until:
            return  # it had set out before
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
