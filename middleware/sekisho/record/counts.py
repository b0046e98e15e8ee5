"""Counts of events since the start, by (door, event, reason).

The number of counts is bounded by the settings: a key consists of a door's name and of words, all set by the operator
or the guard. It contains nothing that a client sent; otherwise a flood could fill the memory, and user names would
leak.
"""

from __future__ import annotations

from typing import Final, cast, final


@final
class Counts:
    """The sink that always runs. It takes plain arguments, because every attempt passes through it.

    `numbers`: the counts. Read a copy: other threads may count.
    """

    def __init__(self) -> None:
        # Not a `Counter`: writing to a subclass of `dict` costs ten times as much.
        self.numbers: Final[dict[tuple[str, str, str], int]] = {}
        self._numbers: Final = cast("dict[object, int]", self.numbers)

    def add(self, place: str, what: str, why: str, times: int = 1) -> int:
        """Add to a count, and return it. `place`: a door's or route's name, or empty for the whole service."""
        # An object to the compiler: it would make a typed tuple anew for each look-up.
        key: object = (place, what, why)
        count = self._numbers[key] = self._numbers.get(key, 0) + times
        return count
