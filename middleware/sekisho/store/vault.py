"""A vault: keeps small values that expire.

It keeps sealed answers that wait for a proof, codes that were sent, marks of used time steps. An attacker who shows a
code twice, or starts a hundred redemptions at once, must succeed only once (CVE-2026-103655): so each operation that
must happen once is one atomic step, never a read followed by a write.

Every entry expires. Entries without an end would let an attacker fill the store, and a counter that lost its expiry
would lock an owner out for good.
"""

from __future__ import annotations

import heapq
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sekisho.model import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_BYTES_MAX = 64
VALUE_BYTES_MAX = 96 * 1024  # the longest sealed answer, its headers, and the same size again as the headers
SECONDS_MAX = 90 * 86_400
ENTRY_BYTES = 400  # memory of an entry besides its key and its value
NUMBER_BYTES = 20  # memory of every count, so that a count that grows by a digit always fits
SWEEP = 8  # expired entries dropped per write: more than a write adds, so the backlog shrinks
STALE_MAX = 64  # expiry times of removed entries that are kept, beyond the number of entries


class Vault(Protocol):
    """Keeps values by key until they expire. In memory, or in Redis.

    Keys are keyed digests of 1 to `KEY_BYTES_MAX` bytes, and values are sealed, at most `VALUE_BYTES_MAX` bytes: a
    reader of the store learns nothing. A key has one use: a value, a mark or a count. `seconds` is above 0 and at most
    `SECONDS_MAX`. Arguments outside these bounds are a bug of the caller and raise `ValueError`.

    Every method raises `StoreUnavailable`. The operation may or may not have been done then, so the caller must grant
    nothing: a taken value may be gone, a mark may be set, and the client starts again. The same holds for cancelled
    callers.
    """

    async def put(self, key: bytes, value: bytes, *, seconds: float, only_new: bool = False) -> bool:
        """Keep a value for so many seconds, replacing any other, and return True.

        `only_new`: if the key has a value already, keep that and return False.
        """
        ...

    async def get(self, key: bytes) -> bytes | None:
        """Return the value of a key; None if there is none or it has expired. For a count: its decimal digits."""
        ...

    async def take(self, key: bytes) -> bytes | None:
        """Remove and return the value of a key; None if there is none. Of several callers at once, one gets it."""
        ...

    async def once(self, key: bytes, *, seconds: float) -> bool:
        """Set a mark at a key. True for the first caller, False for all others until the mark expires.

        Later calls do not prolong the mark.
        """
        ...

    async def count(self, key: bytes, *, seconds: float) -> int:
        """Add one to the count at a key, and return the new count. The count ends `seconds` after its first call.

        Later calls do not prolong it, so repeated calls do not lengthen a lockout.
        """
        ...

    async def forget(self, key: bytes) -> None:
        """Remove the value, mark or count of a key, if there is one."""
        ...


def ensure_key(key: bytes) -> None:
    """Raise `ValueError` for a key that cannot be a digest: one that is empty or too long."""
    if not 1 <= len(key) <= KEY_BYTES_MAX:
        raise ValueError(f"a key has 1 to {KEY_BYTES_MAX} bytes")


def ensure_value(value: bytes) -> None:
    if len(value) > VALUE_BYTES_MAX:
        raise ValueError(f"a value has at most {VALUE_BYTES_MAX} bytes")


def ensure_seconds(seconds: float) -> None:
    if not 0 < seconds <= SECONDS_MAX:  # NaN is no span either
        raise ValueError(f"an end lies above 0 and at most {SECONDS_MAX} seconds ahead")


class _Entry(NamedTuple):
    ends_s: float
    value: bytes

    def __repr__(self) -> str:
        # Sealed, but still not for error reporters that print local variables.
        return "_Entry(...)"


class MemoryVault:
    """See `Vault`. In this process: for one worker, for the demo and for tests.

    Bounded. No entry is evicted for another: otherwise an attacker could end other clients' challenges by starting many
    (CVE-2024-21662). A full vault raises `StoreUnavailable` for new entries until some expire.

    Args:
        entries_max: how many entries it keeps.
        bytes_max: their memory, with `ENTRY_BYTES` for each.
        clock_s: seconds by a clock that only moves forward.
    """

    def __init__(self, *, entries_max: int, bytes_max: int, clock_s: Callable[[], float]) -> None:
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._clock_s = clock_s
        self._entries: dict[bytes, _Entry] = {}
        self._bytes = 0
        self._ends: list[tuple[float, bytes]] = []  # a heap; some entries may be gone or expire later by now
        # Django may run an event loop in each of several threads of one process.
        self._lock = Lock()

    @property
    def entries(self) -> int:
        """How many entries are held, including expired ones that were not dropped yet."""
        return len(self._entries)

    async def put(self, key: bytes, value: bytes, *, seconds: float, only_new: bool = False) -> bool:
        ensure_key(key)
        ensure_value(value)
        ensure_seconds(seconds)
        with self._lock:
            now_s = self._clock_s()
            if self._live(key, now_s) and only_new:
                return False
            self._keep(key, _Entry(now_s + seconds, value), now_s)
            return True

    async def get(self, key: bytes) -> bytes | None:
        ensure_key(key)
        with self._lock:
            entry = self._live(key, self._clock_s())
        return entry.value if entry else None

    async def take(self, key: bytes) -> bytes | None:
        ensure_key(key)
        with self._lock:
            entry = self._live(key, self._clock_s())
            self._drop(key)
        return entry.value if entry else None

    async def once(self, key: bytes, *, seconds: float) -> bool:
        return await self.put(key, MARK, seconds=seconds, only_new=True)

    async def count(self, key: bytes, *, seconds: float) -> int:
        ensure_key(key)
        ensure_seconds(seconds)
        with self._lock:
            now_s = self._clock_s()
            ends_s, so_far = self._live(key, now_s) or _Entry(now_s + seconds, b"0")
            number = _number(so_far) + 1
            self._keep(key, _Entry(ends_s, b"%d" % number), now_s)
        return number

    async def forget(self, key: bytes) -> None:
        ensure_key(key)
        with self._lock:
            self._drop(key)

    # All below runs under the lock.

    def _live(self, key: bytes, now_s: float) -> _Entry | None:
        entry = self._entries.get(key)
        if entry and entry.ends_s <= now_s:
            self._drop(key)
            return None
        return entry

    def _keep(self, key: bytes, entry: _Entry, now_s: float) -> None:
        """Write if there is room; otherwise the key's old value stays."""
        self._sweep(now_s, SWEEP)
        old = self._entries.get(key)
        more = _weight(key, entry) - (_weight(key, old) if old else 0)
        while len(self._entries) + (old is None) > self._entries_max or self._bytes + more > self._bytes_max:
            if not self._sweep(now_s, 1):
                raise StoreUnavailable
        self._entries[key] = entry
        self._bytes += more
        if old is None or old.ends_s != entry.ends_s:
            self._remember_end(entry.ends_s, key)

    def _drop(self, key: bytes) -> None:
        if entry := self._entries.pop(key, None):
            self._bytes -= _weight(key, entry)

    def _sweep(self, now_s: float, most: int) -> bool:
        """Drop up to `most` expired entries. False where none was due."""
        for _ in range(most):
            if not self._ends or self._ends[0][0] > now_s:
                return False
            ends_s, key = heapq.heappop(self._ends)
            if (entry := self._entries.get(key)) and entry.ends_s == ends_s:
                self._drop(key)
        return True

    def _remember_end(self, ends_s: float, key: bytes) -> None:
        heapq.heappush(self._ends, (ends_s, key))
        # A challenge that is put and taken a million times would leave a million expiry times behind.
        if len(self._ends) > 2 * len(self._entries) + STALE_MAX:
            self._ends = [(entry.ends_s, key) for key, entry in self._entries.items()]
            heapq.heapify(self._ends)


MARK = b"1"
"""The value of a mark."""


def _weight(key: bytes, entry: _Entry) -> int:
    return ENTRY_BYTES + len(key) + max(len(entry.value), NUMBER_BYTES)


def _number(value: bytes) -> int:
    # As in Redis: a value that is no number cannot be counted up.
    try:
        return int(value)
    except ValueError:
        raise StoreUnavailable from None
