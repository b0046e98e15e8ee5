"""How long decisions take, as counts: a histogram of which all workers' parts add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, final

from sekisho.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.model import Decision
    from sekisho.record.counts import Counts

    Took: TypeAlias = Callable[[int, str, Decision], None]

BOUNDS_US: Final = (100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000)


@final
class DecisionTimes:
    """Counts each decision in the smallest bound that holds it, and the sum of their microseconds."""

    def __init__(self, counts: Counts) -> None:
        self._counts: Final = counts
        names = [*[str(bound) for bound in BOUNDS_US], "inf"]
        self._keys: Final[list[object]] = [("", "decision", name) for name in names]
        self._sum: Final[object] = ("", "decision", "us")
        self._bounds: Final[list[int]] = list(BOUNDS_US)

    def add(self, us: int) -> None:
        """Count one decision that took `us` microseconds."""
        self._counts.add_at(self._keys[self._bucket(us)], 1)
        self._counts.add_at(self._sum, us)

    def _bucket(self, us: int) -> int:
        # Most decisions fall into one of the first five: a search by halves would look at as many.
        bounds, at = self._bounds, 0
        while at < len(bounds) and bounds[at] < us:
            at += 1
        return at


@final
class Stopwatch(Value):
    """Attributes:
    clock_us: a monotonic clock in microseconds.
    times: counts each duration.
    took: is given each duration in microseconds, the name of the door and the decision; None where nothing wants them.
    """

    __slots__ = ("clock_us", "times", "took")

    def __init__(self, clock_us: Callable[[], int], times: DecisionTimes, took: Took | None = None) -> None:
        self.clock_us: Final = clock_us
        self.times: Final = times
        self.took: Final = took

    def stop(self, began_us: int, door: str, decision: Decision) -> None:
        """Count the time of a decision from `began_us`, by the stopwatch's clock, until now.

        `door`: the door's name.
        """
        us = self.clock_us() - began_us
        self.times.add(us)
        if self.took is not None:
            self.took(us, door, decision)
