"""Sums amounts of one account against caps, exactly: no window of a period ever holds more than its cap.

GCRA, as for attempts, would admit nearly two periods' worth around a boundary. So amounts are kept with their times.
Pure; `caps.lua` is the same arithmetic in Redis.
"""

from __future__ import annotations

from itertools import islice, pairwise
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sekisho.model import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.model import Cap

ENTRIES_MAX = 64
"""Entries of one account at one route: 1.3 kB in Redis. Of more, those nearest in time are joined."""

_SWEEP = 8  # expired records dropped per write: more than a write adds


class CapEntry(NamedTuple):
    """Amounts that were admitted from `first_us` to `last_us`. All of them count until the last one leaves a window."""

    first_us: int
    last_us: int
    amount: int


Entries = tuple[CapEntry, ...]


class CapVerdict(NamedTuple):
    """Whether an amount was admitted. `at_us`: the store's time, by which it is given back."""

    admitted: bool
    at_us: int


class CapLedger(Protocol):
    """Keeps the sums. Both methods raise `StoreUnavailable`: the amount may have been counted, and must not pass."""

    async def take(self, key: bytes, amount: int, caps: Sequence[Cap]) -> CapVerdict:
        """Count `amount` (minor units, 0 to 10^15) at `key` if that exceeds no cap; returns whether it was counted."""
        ...

    async def give_back(self, key: bytes, amount: int, at_us: int, caps: Sequence[Cap]) -> None:
        """Uncount an amount that `take` admitted at `at_us`. Call it once at most for each."""
        ...


def keep_us(caps: Sequence[Cap]) -> int:
    """Return how long an amount is kept, in microseconds: the longest period of these caps."""
    return max(cap.period_us for cap in caps)


def living(entries: Entries, now_us: int, kept_us: int) -> Entries:
    """Return the entries that may still count at `now_us`. Times in the future become `now_us`.

    Otherwise they would count for years after a clock was set back.
    """
    return tuple(
        CapEntry(min(first_us, now_us), min(last_us, now_us), amount)
        for first_us, last_us, amount in entries
        if last_us > now_us - kept_us
    )


def is_of_another_clock(entries: Entries, now_us: int) -> bool:
    """Whether an amount is of the future: the clock was set back since.

    A refusal is written then: amounts that become of now with each refusal would never leave the window.
    """
    return any(entry.last_us > now_us for entry in entries)


def fits(entries: Entries, amount: int, caps: Sequence[Cap], now_us: int) -> bool:
    """Whether every cap has room for `amount` in the window that ends at `now_us`."""
    return all(
        amount + sum(entry.amount for entry in entries if entry.last_us > now_us - cap.period_us) <= cap.sum_max
        for cap in caps
    )


def added(entries: Entries, amount: int, now_us: int) -> Entries:
    """The entries with an amount that was admitted now.

    If they are too many, the two that are closest in time are joined. Joined entries count longer, never shorter, than
    each would alone.
    """
    if not amount:
        return entries
    if entries and entries[-1].last_us == now_us:
        *before, last = entries
        return (*before, last._replace(amount=last.amount + amount))
    more = (*entries, CapEntry(now_us, now_us, amount))
    return more if len(more) <= ENTRIES_MAX else _joined(more)


def _joined(entries: Entries) -> Entries:
    gaps = [later.last_us - earlier.last_us for earlier, later in pairwise(entries)]
    at = gaps.index(min(gaps))
    one, other = entries[at : at + 2]
    return (*entries[:at], CapEntry(one.first_us, other.last_us, one.amount + other.amount), *entries[at + 2 :])


def without(entries: Entries, amount: int, at_us: int) -> Entries:
    """Return the entries without an amount that was admitted at `at_us`; unchanged if its entry is gone."""
    for at, entry in enumerate(entries):
        if entry.first_us <= at_us <= entry.last_us and entry.amount >= amount:
            rest = entry._replace(amount=entry.amount - amount)
            return (*entries[:at], *((rest,) if rest.amount else ()), *entries[at + 1 :])
    return entries


class MemoryCaps:
    """See `CapLedger`. In this process, for all of its event loops.

    A full one refuses accounts that it does not know: forgetting one would give it its cap anew.

    Args:
        entries_max: the number of accounts and routes.
        clock_us: Unix time in microseconds.
    """

    def __init__(self, *, entries_max: int, clock_us: Callable[[], int]) -> None:
        self._entries_max = entries_max
        self._clock_us = clock_us
        # In the order of the last change. Nothing is awaited between reading and writing; the lock is for threads.
        self._book: dict[bytes, tuple[int, Entries]] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._book)

    async def take(self, key: bytes, amount: int, caps: Sequence[Cap]) -> CapVerdict:
        with self._lock:
            now_us, kept_us = self._clock_us(), keep_us(caps)
            before = self._entries(key)
            entries = living(before, now_us, kept_us)
            if not fits(entries, amount, caps, now_us):
                if is_of_another_clock(before, now_us):
                    self._write(key, entries, now_us, kept_us)
                return CapVerdict(False, now_us)
            self._write(key, added(entries, amount, now_us), now_us, kept_us)
            return CapVerdict(True, now_us)

    async def give_back(self, key: bytes, amount: int, at_us: int, caps: Sequence[Cap]) -> None:
        with self._lock:
            now_us, kept_us = self._clock_us(), keep_us(caps)
            self._write(key, without(living(self._entries(key), now_us, kept_us), amount, at_us), now_us, kept_us)

    def _entries(self, key: bytes) -> Entries:
        return self._book.get(key, (0, ()))[1]

    def _write(self, key: bytes, entries: Entries, now_us: int, kept_us: int) -> None:
        self._sweep(now_us)
        known = self._book.pop(key, None)
        if not entries:
            return
        if known is None and len(self._book) >= self._entries_max:
            raise StoreUnavailable
        self._book[key] = entries[-1].last_us + kept_us, entries

    def _sweep(self, now_us: int) -> None:
        for key in list(islice(self._book, _SWEEP)):
            if self._book[key][0] <= now_us:
                del self._book[key]
