"""Sums the events of a flood: a file grows with the time that a flood lasts, not with the flood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, final

from sekisho.record.draft import Draft
from sekisho.record.events import NOBODY, Event

if TYPE_CHECKING:
    from collections.abc import Hashable

    from sekisho.record.subjects import Subjects

SINGLY_MAX: Final = 20  # events of one sort in a second that pass one by one
SORTS_MAX: Final = 1_000  # sorts in a second; they consist of doors and codes, so there are never so many


class Singly(Protocol):
    """How many such events pass one by one in a second. `was_flood`: more came in the second before."""

    def __call__(self, item: Event | Draft, /, *, was_flood: bool) -> int: ...


def _twenty(_: Event | Draft, /, *, was_flood: bool) -> int:  # noqa: ARG001 - a `Singly`
    return SINGLY_MAX


@final
class _Sum:
    """Events of one sort that are summed: the first of them, how many there are, and whether all are of one client."""

    __slots__ = ("client", "first", "times")

    def __init__(self, first: Event | Draft, client: bytes | None) -> None:
        self.first = first
        self.client = client
        self.times = 0


@final
class Flood:
    """Passes the first events of each sort in a second, and sums the others. Pure: the time comes with the events.

    Args:
        subjects: makes the subjects of drafts; None: they have none.
        singly: how many of each sort pass one by one.
        names_one: whether a sum names its client, where all its events are of one.
    """

    def __init__(self, subjects: Subjects | None = None, singly: Singly = _twenty, *, names_one: bool = False) -> None:
        self._subjects = subjects
        self._singly = singly
        self._names_one = names_one
        self._second = 0
        self._seen: dict[Hashable, int] = {}
        self._sums: dict[Hashable, _Sum] = {}
        self._floods: frozenset[Hashable] = frozenset()

    @property
    def is_summing(self) -> bool:
        return bool(self._sums)

    def add(self, item: Event | Draft) -> list[Event]:
        """The events to write now: this one unless it is summed, after the sums of a second that has ended."""
        ready = self.ended(item.at_us)
        sort = self._sort(item)
        seen = self._seen[sort] = self._seen.get(sort, 0) + 1
        if seen <= self._singly(item, was_flood=sort in self._floods):
            ready.append(self._made(item, self._subjects))
        else:
            self._sum(sort, item, item.times)
        return ready

    def more(self, item: Event | Draft, times: int) -> list[Event]:
        """As `add`, for `times` events like this one, of which none is written by itself."""
        ready = self.ended(item.at_us)
        sort = self._sort(item)
        self._seen[sort] = self._seen.get(sort, 0) + times
        self._sum(sort, item, times)
        self._sums[sort].client = None
        return ready

    def ended(self, now_us: int) -> list[Event]:
        """The sums of a second that has ended. A clock that was set back ends it as well."""
        second = now_us // 1_000_000
        return [] if second == self._second else self._end(second)

    def rest(self) -> list[Event]:
        """All sums, at the end of the process."""
        return self._end(0)

    def _sort(self, item: Event | Draft) -> Hashable:
        sort: Hashable = item.sort
        return item.kind if sort not in self._seen and len(self._seen) >= SORTS_MAX else sort

    def _sum(self, sort: Hashable, item: Event | Draft, times: int) -> None:
        found = self._sums.get(sort)
        client = _client(item) if self._names_one else None
        if found is None:
            first = Event(item.kind, item.at_us) if isinstance(sort, str) else item
            found = self._sums[sort] = _Sum(first, client)
        elif found.client != client:
            found.client = None
        found.times += times

    def _end(self, second: int) -> list[Event]:
        sums = [self._summed(each) for each in self._sums.values()]
        self._floods = frozenset([sort for sort, seen in self._seen.items() if seen > SINGLY_MAX])
        self._second, self._seen, self._sums = second, {}, {}
        return sums

    def _summed(self, each: _Sum) -> Event:
        first = each.first
        if each.times == 1 and self._names_one:
            return self._made(first, self._subjects)
        if isinstance(first, Draft):
            if each.client and self._subjects is not None and first.origin is not None:
                return first.event(None, times=each.times)._replace(subject=self._subjects.of_origin(first.origin))
            return first.event(None, times=each.times)
        # A sum is of many clients: it names none.
        return first._replace(subject=NOBODY, times=each.times)

    def _made(self, item: Event | Draft, subjects: Subjects | None) -> Event:
        return item.event(subjects) if isinstance(item, Draft) else item


def _client(item: Event | Draft) -> bytes | None:
    return item.client if isinstance(item, Draft) else None
