"""The true age of a state that workers share, however the clock is set by which they date it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

STEP_S: Final = 60.0
"""Smaller differences are no step: servers of one store differ by that, and one takes over from another."""


class StateAge:
    """Belongs to one worker. It finds out by how much the shared clock was set since a state was made.

    NTP or an administrator sets the store's clock, or another server takes over whose clock differs. By that clock
    alone an alarm would last as much longer as it was set back, and be forgotten where it was set forward. But a worker
    asks regularly, so a state that it hears of is no older than its last question.

    Args:
        clock_s: a monotonic clock in seconds.
    """

    __slots__ = ("_asked_s", "_clock_s", "_made_s")

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._asked_s: float | None = None
        self._made_s = clock_s()

    def asked(self, age_s: float | None) -> None:
        """Note a question to the store. `age_s`: of the new state in its answer, by the shared clock; None: no new one.

        Only of the first answer that age is believed, if it is not below zero.
        """
        now_s = self._clock_s()
        if age_s is not None:
            self._made_s = now_s - max(0.0, age_s if self._asked_s is None else min(age_s, now_s - self._asked_s))
        self._asked_s = now_s

    def made(self) -> None:
        """Note that this worker has made a new state."""
        self._made_s = self._clock_s()

    def step_s(self, age_s: float) -> int:
        """Return by how many seconds the shared clock was set since the state was made: above 0 forward, below 0 back.

        0 for less than a minute. `age_s`: of the state, by the shared clock now.
        """
        step_s = age_s - (self._clock_s() - self._made_s)
        return round(step_s) if abs(step_s) >= STEP_S else 0
