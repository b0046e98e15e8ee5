"""Sums the events of a flood: a file grows with the time that a flood lasts, not with the flood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.record.events import NOBODY, Event

if TYPE_CHECKING:
    from collections.abc import Hashable

SINGLY_MAX: Final = 20  # events of one sort in a second that pass one by one
SORTS_MAX: Final = 1_000  # sorts in a second; they consist of doors and codes, so there are never so many


@final
class Flood:
    """Passes the first events of each sort in a second, and sums the others. Pure: the time comes with the events."""

    def __init__(self) -> None:
        self._second = 0
        self._seen: dict[Hashable, int] = {}
        self._firsts: dict[Hashable, Event] = {}  # the first summed event of each sort
        self._sums: dict[Hashable, int] = {}

    @property
    def is_summing(self) -> bool:
        return bool(self._sums)

    def add(self, event: Event) -> list[Event]:
        """The events to write now: this one unless it is summed, after the sums of a second that has ended."""
        ready = self.ended(event.at_us)
        sort: Hashable = event.sort
        if sort not in self._seen and len(self._seen) >= SORTS_MAX:
            sort = event.kind
        seen = self._seen[sort] = self._seen.get(sort, 0) + 1
        if seen <= SINGLY_MAX:
            ready.append(event)
            return ready
        if seen == SINGLY_MAX + 1:
            self._firsts[sort] = Event(event.kind, event.at_us) if isinstance(sort, str) else event
        self._sums[sort] = self._sums.get(sort, 0) + event.times
        return ready

    def ended(self, now_us: int) -> list[Event]:
        """The sums of a second that has ended. A clock that was set back ends it as well."""
        second = now_us // 1_000_000
        return [] if second == self._second else self._end(second)

    def rest(self) -> list[Event]:
        """All sums, at the end of the process."""
        return self._end(0)

    def _end(self, second: int) -> list[Event]:
        # A sum is of many clients: it names none.
        sums = [self._firsts[sort]._replace(subject=NOBODY, times=times) for sort, times in self._sums.items()]
        self._second, self._seen, self._firsts, self._sums = second, {}, {}, {}
        return sums
