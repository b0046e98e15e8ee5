"""Spaces refusals out while they keep the event loop busy.

A flood sends its next attempt on a connection as soon as the last one is refused. With five hundred connections, each
turn of the loop refuses five hundred attempts, and a log-in needs several turns. While the loop is late, refusals leave
at a limited rate, and each of the others is held for a moment: its connection sends nothing meanwhile. The rate rises
while the loop is in time, and falls when it is late, so that as many are refused as the loop bears.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

RATE_MIN: Final = 500.0
"""Refusals a second that leave however late the loop is: a tenth of a core at most."""

RATE_MAX: Final = 20_000.0
"""More a second than a worker can refuse: from here on nothing is held."""

RISE: Final = 1.02  # of the rate, with each tick in time: half as much again in a second; a late tick halves it

HELD_S_MAX: Final = 2.0
"""Longest time for which a refusal is held, in seconds. An owner behind a refused address waits no longer."""

HELD_MAX: Final = 2_048
"""Refusals that are held at once, of some ten kilobytes each. All further ones leave at once."""

TICK_S: Final = 0.05
LATE_S: Final = 0.02  # a log-in needs about five turns of the loop
CALM_S: Final = 1.0  # the pace is kept until no refusal has had to wait for so long


@final
class RefusalPace:
    """Belongs to one event loop.

    Args:
        clock_s: monotonic time in seconds, with a finer resolution than the loop's own.
        later: calls a function after so many seconds (`call_later`).
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        *,
        clock_s: Callable[[], float],
        later: Callable[[float, Callable[[], object]], object],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._clock_s: Final = clock_s
        self._later: Final = later
        self._sleep: Final = sleep
        self._is_kept = False
        self._rate = RATE_MIN
        self._next_s = 0.0  # when the next refusal may leave
        self._held = 0
        self._refused = False
        self._ticking = False

    def holds(self) -> bool:
        """Whether a refusal has to wait for its turn. The loop's delay is measured only while this is called."""
        self._refused = True
        if not self._ticking:
            self._tick()
        return self._is_kept

    async def hold(self) -> None:
        """Wait until this refusal may leave. It returns at once if too many refusals wait."""
        wait_s = self._turn_s()
        if wait_s <= 0.0:
            return
        self._held += 1
        try:
            await self._sleep(wait_s)
        finally:
            self._held -= 1

    def _turn_s(self) -> float:
        """How long a refusal is held, in seconds."""
        if self._held >= HELD_MAX:
            return 0.0
        now_s = self._clock_s()
        wait_s = max(0.0, self._next_s - now_s)
        if wait_s >= HELD_S_MAX:
            return HELD_S_MAX
        self._next_s = now_s + wait_s + 1.0 / self._rate
        return wait_s

    def _tick(self) -> None:
        self._ticking = True
        self._later(TICK_S, partial(self._ticked, self._clock_s() + TICK_S))

    def _ticked(self, due_s: float) -> None:
        self._ticking = False
        now_s = self._clock_s()
        if now_s - due_s >= LATE_S:
            self._rate = max(RATE_MIN, self._rate / 2.0) if self._is_kept else RATE_MIN
            self._is_kept = True
        else:
            self._rate *= RISE
            self._is_kept = self._is_kept and self._rate < RATE_MAX and now_s - self._next_s < CALM_S
        if self._refused or self._is_kept:
            self._refused = False
            self._tick()
