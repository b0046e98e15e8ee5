"""Counts of events since the start, by (door, event, reason).

The number of counts is bounded by the settings: a key consists of a door's name and of words, all set by the operator
or the guard. It contains nothing that a client sent; otherwise a flood could fill the memory, and user names would
leak.
"""

from __future__ import annotations

from typing import Final, final

from sekisho.record.live_counts import LiveCounts


@final
class Counts:
    """The sink that always runs. It takes plain arguments, because every attempt passes through it.

    `numbers`: the counts as they are now.
    """

    def __init__(self) -> None:
        self._counts: Final[dict[object, Count]] = {}
        self.numbers: Final = LiveCounts(self._counts)

    def add(self, place: str, what: str, why: str, times: int = 1) -> int:
        """Add `times` to a count, and return the new count.

        `place`: a door's or route's name, or empty for the whole service. `what`: the event. `why`: its reason.
        """
        # An object to the compiler: it would make a typed tuple anew for each look-up.
        return self.add_at((place, what, why), times)

    def add_at(self, key: object, times: int) -> int:
        """As `add`, for a caller that keeps its `key`, the tuple (place, what, why). Returns the new count."""
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = Count()
        count.number += times
        return count.number


@final
class Count:
    """One count. It is changed in place: to write a number into the dictionary costs as much as to find it there."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0
