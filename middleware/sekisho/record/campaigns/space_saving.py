"""Finds the most frequent keys of a stream in bounded memory.

Space-Saving, by Metwally, Agrawal and El Abbadi: "Efficient Computation of Frequent and Top-k Elements in Data
Streams" (ICDT 2005). With m counters and N keys heard, each key that came more than N/m times has a counter, and a
counter is too high by `error` at most, which is never more than N/m.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Heavy(NamedTuple):
    """A key with a counter.

    Attributes:
        most: how often it came, at most.
        error: by how much `most` may be too high.
    """

    key: str
    most: int
    error: int

    @property
    def least(self) -> int:
        """The least number of times that this key can have come."""
        return self.most - self.error


class SpaceSaving:
    """Counts keys.

    Args:
        counters_max: keys that have a counter at once.
    """

    def __init__(self, counters_max: int) -> None:
        self._most: Final = counters_max
        self._counts: dict[str, int] = {}
        self._errors: dict[str, int] = {}
        # Keys by their count, in the order in which they reached it.
        self._buckets: dict[int, dict[str, None]] = {}
        self._least = 1
        self.heard = 0

    @property
    def error_max(self) -> int:
        """The most by which a count may be too high; each key that came more often than this has a counter."""
        return self.heard // self._most if len(self._counts) == self._most else 0

    def add(self, key: str) -> None:
        self.heard += 1
        count = self._counts.get(key, 0)
        if count:
            self._leave(key, count)
            self._enter(key, count + 1)
        elif len(self._counts) < self._most:
            self._least = 1
            self._enter(key, 1)
        else:
            self._replace(key)

    def heavy(self, least: int) -> list[Heavy]:
        """The keys that certainly came at least `least` times, the most frequent first."""
        found = [Heavy(key, count, self._errors.get(key, 0)) for key, count in self._counts.items()]
        return sorted((each for each in found if each.least >= least), key=lambda each: (-each.most, each.key))

    def least(self) -> Iterator[tuple[str, int]]:
        """Yield each key that has a counter, with the least number of times that it can have come; in no order."""
        for key, count in self._counts.items():
            yield key, count - self._errors.get(key, 0)

    def _replace(self, key: str) -> None:
        """Give the counter of the rarest key to this one: it may have come as often."""
        count = self._least
        rarest = next(iter(self._buckets[count]))
        self._leave(rarest, count)
        del self._counts[rarest]
        self._errors.pop(rarest, None)
        self._errors[key] = count
        self._enter(key, count + 1)

    def _enter(self, key: str, count: int) -> None:
        self._counts[key] = count
        self._buckets.setdefault(count, {})[key] = None

    def _leave(self, key: str, count: int) -> None:
        bucket = self._buckets[count]
        del bucket[key]
        if not bucket:
            del self._buckets[count]
            # Each key that leaves a bucket goes to the next one, or is followed by one that does.
            if count == self._least:
                self._least = count + 1
