"""How many attempts of strangers an application bears at once, told by its own latency.

A gradient limiter: the limit shrinks as the latency beside other strangers grows over the latency of one stranger
alone, and grows by a little where it does not. What it settles at is a latency of `TOLERANCE` times the calm one: then
an owner spends half of the time in the application on his own attempt, and half behind strangers.

Chosen over the gradient of two moving averages (Netflix concurrency-limits' Gradient2), whose long average drifts to
the latency of a flood that lasts, and over one against the minimum ever seen (Vegas), which one quick answer (a form
without a password) pulls down for good. Here the calm latency is an average as well, of attempts that ran alone: under
a flood that lasts there are none, so every `PROBE_S` seconds the limit is one until a few have run alone.

Pure: times arrive as arguments.
"""

from __future__ import annotations

from math import sqrt
from typing import Final, final

TOLERANCE: Final = 2.0
PLACES_START: Final = 8.0
PLACES_MAX: Final = 256.0
SMOOTHING: Final = 0.5  # of a step towards where one round points
STEP_MIN: Final = 0.5  # no round more than halves
ROUND_MIN: Final = 8
"""Attempts in a round, at least; else as many as there are places, so that each step is answered before the next."""
CALM_WEIGHT: Final = 0.1  # of an attempt that ran alone, in their average
PROBE_S: Final = 10.0
PROBES: Final = 4


@final
class GradientLimit:
    """The number of places, and the latency that it follows from.

    Args:
        fixed: the number, where an operator has chosen it; 0 to find it out.
    """

    __slots__ = ("_calm_s", "_count", "_fixed", "_places", "_probe_at_s", "_probes", "_sum_s", "round_s")

    def __init__(self, fixed: int = 0) -> None:
        self._fixed: Final = fixed
        self._places = PLACES_START
        self._calm_s = 0.0
        self._probe_at_s = 0.0  # when attempts have to run alone, for want of some that did
        self._probes = 0
        self._sum_s = 0.0
        self._count = 0
        self.round_s = 0.0
        """The average latency of the last round, in seconds; 0 before the first."""

    @property
    def places(self) -> int:
        """Strangers that may be in the application now; never none, so that they do not starve."""
        if self._fixed:
            return self._fixed
        return 1 if self._probes else int(self._places)

    def answered(self, took_s: float, beside: int, now_s: float) -> None:
        """The application has answered a stranger.

        Args:
            took_s: since it was called.
            beside: strangers in it at once, as far as this one saw: itself counts.
            now_s: of a clock that never goes back.
        """
        if beside <= 1:
            self._learn_calm(took_s, now_s)
        elif not self._probes and now_s >= self._probe_at_s:
            self._probes = PROBES
        if self._probes:
            return
        self._sum_s += took_s
        self._count += 1
        if self._count >= ROUND_MIN and self._count >= self._places:
            self._end_round(beside)

    def refused(self) -> None:
        """The application has said that it has too much to do (503): a clearer word than its latency."""
        self._places = max(1.0, self._places * 0.9)

    def _learn_calm(self, took_s: float, now_s: float) -> None:
        self._calm_s += (CALM_WEIGHT if self._calm_s else 1.0) * (took_s - self._calm_s)
        self._probe_at_s = now_s + PROBE_S
        if self._probes:
            self._probes -= 1
            self._begin_round()

    def _end_round(self, beside: int) -> None:
        self.round_s = self._sum_s / self._count
        self._begin_round()
        # Far from full, the latency says nothing about the limit.
        if 2 * beside < self._places or not self.round_s:
            return
        gradient = max(STEP_MIN, min(1.0, TOLERANCE * self._calm_s / self.round_s))
        target = self._places * gradient + max(1.0, sqrt(self._places) / 2)
        self._places = max(1.0, min(PLACES_MAX, self._places + SMOOTHING * (target - self._places)))

    def _begin_round(self) -> None:
        self._sum_s = 0.0
        self._count = 0
