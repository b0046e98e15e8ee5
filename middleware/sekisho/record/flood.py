"""Sums the events of a flood: a file grows with the time that a flood lasts, not with the flood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, final

from sekisho.record.events import NOBODY, Event
from sekisho.record.notes import client_of, event_of, sort_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from sekisho.record.notes import Note
    from sekisho.record.subjects import Subjects

SINGLY_MAX: Final = 20  # events of one sort in a second that pass one by one
SORTS_MAX: Final = 1_000  # sorts in a second; they consist of doors and codes, so there are never so many


class Singly(Protocol):
    """How many such events pass one by one in a second. `was_flood`: more came in the second before."""

    def __call__(self, item: Event | Note, /, *, was_flood: bool) -> int: ...


def _twenty(_: Event | Note, /, *, was_flood: bool) -> int:  # noqa: ARG001 - a `Singly`
    return SINGLY_MAX


@final
class _Sort:
    """The events of one sort in a second.

    Attributes:
        is_rest: whether they are all further sorts of a kind.
        first: the first that was summed; None: none was.
        client: of all that were summed; empty if they are of several.
        seen, summed: how many there are.
        was_flood: more than `SINGLY_MAX` came in the second before.
    """

    __slots__ = ("client", "first", "is_rest", "seen", "summed", "was_flood")

    def __init__(self, was_flood: bool, is_rest: bool) -> None:
        self.first: Event | Note | None = None
        self.client = b""
        self.seen = 0
        self.summed = 0
        self.was_flood: Final = was_flood
        self.is_rest: Final = is_rest


@final
class Flood:
    """Passes the first events of each sort in a second, and sums the others. Pure: the time comes with the events.

    Args:
        subjects: makes the subjects of notes; None: they have none.
        singly: how many of each sort pass one by one.
        names_one: whether a sum names its client, where all its events are of one.
    """

    def __init__(self, subjects: Subjects | None = None, singly: Singly = _twenty, *, names_one: bool = False) -> None:
        self._subjects = subjects
        self._singly = singly
        self._names_one = names_one
        self._second = 0
        self._sorts: dict[Hashable, _Sort] = {}
        self._sums: list[_Sort] = []
        self._floods: frozenset[Hashable] = frozenset()

    @property
    def is_summing(self) -> bool:
        return bool(self._sums)

    def add(self, item: Event | Note, ready: list[Event]) -> None:
        """Take one event: append it to `ready`, to be written now, or add it to a sum.

        If its second is a new one, the sums of the second before are appended first.
        """
        at_us = _at_us(item)
        if at_us // 1_000_000 != self._second:
            ready += self._end(at_us // 1_000_000)
        of = self._sort(item)
        of.seen += 1
        if of.seen <= self._singly(item, was_flood=of.was_flood):
            ready.append(self._made(item))
        else:
            self._sum(of, item, _client(item) if self._names_one else b"", 1 if isinstance(item, tuple) else item.times)

    def more(self, item: Event | Note, times: int) -> list[Event]:
        """Add `times` events like `item` to a sum; none is written by itself.

        Returns sums to write, of a second that has ended.
        """
        ready = self.ended(_at_us(item))
        of = self._sort(item)
        of.seen += times
        self._sum(of, item, b"", times)
        return ready

    def ended(self, now_us: int) -> list[Event]:
        """Remove and return the sums if `now_us` is in another second than they are; otherwise return none."""
        second = now_us // 1_000_000
        return [] if second == self._second else self._end(second)

    def rest(self) -> list[Event]:
        """Remove and return all sums: the process is about to end."""
        return self._end(0)

    def _sort(self, item: Event | Note) -> _Sort:
        sort: Hashable = sort_of(item) if isinstance(item, tuple) else item.sort
        found = self._sorts.get(sort)
        if found is None and len(self._sorts) >= SORTS_MAX:
            sort = _kind(item)
            found = self._sorts.get(sort)
        if found is None:
            found = self._sorts[sort] = _Sort(sort in self._floods, isinstance(sort, str))
        return found

    def _sum(self, of: _Sort, item: Event | Note, client: bytes, times: int) -> None:
        if of.first is None:
            of.first, of.client = Event(_kind(item), _at_us(item)) if of.is_rest else item, client
            self._sums.append(of)
        elif of.client != client:
            of.client = b""
        of.summed += times

    def _end(self, second: int) -> list[Event]:
        sums = [self._summed(of.first, of) for of in self._sums if of.first is not None]
        self._floods = frozenset([sort for sort, of in self._sorts.items() if of.seen > SINGLY_MAX])
        self._second, self._sorts, self._sums = second, {}, []
        return sums

    def _summed(self, first: Event | Note, of: _Sort) -> Event:
        if of.summed == 1 and self._names_one:
            return self._made(first)
        if not isinstance(first, tuple):
            # A sum is of many clients: it names none.
            return first._replace(subject=NOBODY, times=of.summed)
        event, origin = event_of(first, None, times=of.summed), first[6]
        if of.client and self._subjects is not None and origin is not None:
            return event._replace(subject=self._subjects.of_origin(origin))
        return event

    def _made(self, item: Event | Note) -> Event:
        return event_of(item, self._subjects) if isinstance(item, tuple) else item


def _kind(item: Event | Note) -> str:
    return item[0] if isinstance(item, tuple) else item.kind


def _at_us(item: Event | Note) -> int:
    return item[1] if isinstance(item, tuple) else item.at_us


def _client(item: Event | Note) -> bytes:
    return client_of(item) if isinstance(item, tuple) else b""
