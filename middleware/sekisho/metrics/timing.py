"""How long decisions take, as counts: a histogram of which all workers' parts add up."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from sekisho.model import Decision
    from sekisho.record import Counts

BOUNDS_US: Final = (100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000)


@final
class DecisionTimes:
    """Counts each decision in the smallest bound that holds it, and the sum of their microseconds."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._names = [*(str(bound) for bound in BOUNDS_US), "inf"]

    def __call__(self, us: int, _door: str = "", _decision: Decision | None = None) -> None:
        self._counts.add("", "decision", self._names[bisect_left(BOUNDS_US, us)])
        self._counts.add("", "decision", "us", us)
