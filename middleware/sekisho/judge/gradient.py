"""A concurrency limit for strangers' attempts in the application, derived from its latency.

A gradient limiter: the limit shrinks as the latency of concurrent strangers exceeds the latency of one stranger alone
(the calm latency), and otherwise grows slowly. It converges to a latency of `TOLERANCE` times the calm one: then an
account owner spends half of the time in the application on the own attempt, and half behind strangers.

Two alternatives were rejected. In the gradient of two moving averages (Netflix concurrency-limits' Gradient2), the
long average drifts to the latency of a lasting flood. In a gradient against the minimum ever seen (Vegas), one quick
answer (a form without a password) lowers the minimum permanently. Here the calm latency is an average too, of attempts
that ran alone. A lasting flood has none, so every `PROBE_S` seconds the limit is one until a few have run alone.

Pure: times arrive as arguments.
"""

from __future__ import annotations

from math import sqrt
from typing import Final, final

TOLERANCE: Final = 2.0
PLACES_START: Final = 8.0
PLACES_MAX: Final = 256.0
SMOOTHING: Final = 0.5  # the fraction of a step towards the target of a round
STEP_MIN: Final = 0.5  # no round more than halves the limit
ROUND_MIN: Final = 8
"""Minimum attempts in a round. A round has as many as there are places, so that each step shows its effect first."""
CALM_WEIGHT: Final = 0.1  # the weight of one attempt that ran alone, in their average
PROBE_S: Final = 10.0
PROBES: Final = 4


@final
class GradientLimit:
    """The number of places, adapted to the latency.

    Args:
        fixed: the operator's choice of the number; 0 to adapt it.
    """

    __slots__ = ("_calm_s", "_count", "_fixed", "_places", "_probe_at_s", "_probes", "_sum_s", "round_s")

    def __init__(self, fixed: int = 0) -> None:
        self._fixed: Final = fixed
        self._places = PLACES_START
        self._calm_s = 0.0
        self._probe_at_s = 0.0  # when attempts must run alone, unless some did before
        self._probes = 0
        self._sum_s = 0.0
        self._count = 0
        self.round_s = 0.0
        """The average latency of the last round, in seconds; 0 before the first."""

    @property
    def places(self) -> int:
        """The number of strangers' attempts that may be in the application at once; at least 1, so none starves."""
        if self._fixed:
            return self._fixed
        return 1 if self._probes else int(self._places)

    def answered(self, took_s: float, beside: int, now_s: float) -> None:
        """Record that the application has answered a stranger.

        Args:
            took_s: the latency, in seconds.
            beside: strangers in the application at once during this attempt, itself included.
            now_s: the time of a monotonic clock, in seconds.
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
        """Record that the application answered a stranger with 503: it is overloaded. The limit falls by a tenth."""
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
        # With less than half of the places in use, the latency says nothing about the limit.
        if 2 * beside < self._places or not self.round_s:
            return
        gradient = max(STEP_MIN, min(1.0, TOLERANCE * self._calm_s / self.round_s))
        target = self._places * gradient + max(1.0, sqrt(self._places) / 2)
        self._places = max(1.0, min(PLACES_MAX, self._places + SMOOTHING * (target - self._places)))

    def _begin_round(self) -> None:
        self._sum_s = 0.0
        self._count = 0
