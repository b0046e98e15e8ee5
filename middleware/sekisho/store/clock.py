"""One time for all workers: the store's clock, where a machine's own clock differs from it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("sekisho")

SAID_FROM_S: Final = 2.0
FOLLOWED_S: Final = 300.0


class StoreClock:
    """Unix time in seconds, from this machine's clock, corrected by the store's.

    One worker writes tickets and tokens, another reads them. If a machine's clock is off by seconds, its tickets seem
    to come from the future, and a change of password seems older than the step-ups that it ends. A difference of up to
    five minutes is corrected; beyond that one of the two clocks is wrong, and the worker cannot know which. A single
    answer proves little: a process that was stopped may have read it seconds late. So a difference counts once the next
    answer confirms it.

    Args:
        clock_s: this machine's.
    """

    __slots__ = ("_ahead_s", "_clock_s", "_heard_s", "_said")

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._ahead_s = self._heard_s = 0.0
        self._said = False

    def __call__(self) -> float:
        return self._clock_s() + self._ahead_s

    def heard(self, store_us: int) -> None:
        """Take in the time of the store's clock, in microseconds of Unix time.

        This clock is corrected once two readings agree. A difference of seconds is logged once.
        """
        ahead_s = store_us / 1e6 - self._clock_s()
        before_s, self._heard_s = self._heard_s, ahead_s
        if abs(ahead_s - before_s) >= SAID_FROM_S:
            return
        self._ahead_s = ahead_s if SAID_FROM_S <= abs(ahead_s) <= FOLLOWED_S else 0.0
        if abs(ahead_s) >= SAID_FROM_S and not self._said:
            self._said = True
            which, followed = ("behind" if ahead_s > 0 else "ahead of"), abs(ahead_s) <= FOLLOWED_S
            log.warning(
                "this machine's clock is %d seconds %s the store's%s: synchronize it (NTP) [SEK037]",
                round(abs(ahead_s)),
                which,
                ", which is used instead" if followed else ", and devices may seem unknown and step-ups expired",
            )
