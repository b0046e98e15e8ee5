"""A vault: small things that are kept for a while, and end.

A sealed answer that waits for its proof, a code on its way, the mark that a time step was used. Whoever shows a code
twice, or starts a hundred redemptions at once, must find that one of them won (CVE-2026-103655): so what must happen
once is one step here, never a look followed by a write.

Everything ends. What never expires fills the store for whoever can ask for more, and a counter that lost its expiry
locks an owner out for good.
"""

from __future__ import annotations

import heapq
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sekisho.model import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_BYTES_MAX = 64
VALUE_BYTES_MAX = 96 * 1024  # the longest answer that is sealed, its headers, and as much again as these
SECONDS_MAX = 90 * 86_400
ENTRY_BYTES = 400  # what an entry weighs besides its key and its value
NUMBER_BYTES = 20  # what every count weighs, so that one that grows by a digit is never refused for want of room
SWEEP = 8  # ended entries dropped per write: more than one write can add, so the backlog shrinks
STALE_MAX = 64  # ends of entries that are gone, beyond as many as there are entries


class Vault(Protocol):
    """Keeps values by key until they end. In memory, or in Redis.

    Keys are keyed digests made by the caller, 1 to `KEY_BYTES_MAX` bytes, and values are sealed by the caller, at most
    `VALUE_BYTES_MAX` bytes: whoever reads the store learns nothing. A key serves one use: a value, a mark or a count.
    `seconds` is above 0 and at most `SECONDS_MAX`. What lies outside these bounds is a mistake of ours: `ValueError`.

    Every method raises `StoreUnavailable`. Nobody knows then whether it was done, so nothing may be granted: a value
    that was taken may be gone, a mark may be set, and the client starts again. The same holds for callers that are
    cancelled.
    """

    async def put(self, key: bytes, value: bytes, *, seconds: float, only_new: bool = False) -> bool:
        """Keep a value in the place of any other. `only_new`: leave what is there, and answer False."""
        ...

    async def get(self, key: bytes) -> bytes | None:
        """The value, which stays; None where there is none or it has ended. Of a count, its decimal digits."""
        ...

    async def take(self, key: bytes) -> bytes | None:
        """The value, which is gone with this. Of any number of callers at once, one gets it."""
        ...

    async def once(self, key: bytes, *, seconds: float) -> bool:
        """True for the first caller, False for all others until it ends. Asking again does not lengthen it."""
        ...

    async def count(self, key: bytes, *, seconds: float) -> int:
        """Add one; how many it makes, this one included.

        The period begins with the first and does not slide: whoever goes on asking is not locked out for longer.
        """
        ...

    async def forget(self, key: bytes) -> None:
        """Drop what is kept, marked or counted under a key. Harmless where there is nothing."""
        ...


def ensure_key(key: bytes) -> None:
    """Refuse what cannot be a digest. An empty key would be everybody's."""
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
        # Sealed, but an error reporter that prints frames is no place for it either.
        return "_Entry(...)"


class MemoryVault:
    """See `Vault`. In this process: for one worker, for the demo and for tests.

    Bounded. Nobody's entry is forgotten to make room for another's, or whoever starts challenges enough could end
    everybody else's (CVE-2024-21662): when it is full, newcomers get `StoreUnavailable` until something ends.

    Args:
        entries_max: how many entries it keeps.
        bytes_max: what they weigh together, `ENTRY_BYTES` each included.
        clock_s: seconds by a clock that only moves forward.
    """

    def __init__(self, *, entries_max: int, bytes_max: int, clock_s: Callable[[], float]) -> None:
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._clock_s = clock_s
        self._entries: dict[bytes, _Entry] = {}
        self._bytes = 0
        self._ends: list[tuple[float, bytes]] = []  # a heap; may name what is gone or ends otherwise by now
        # Django may serve one process from an event loop in each of several threads.
        self._lock = Lock()

    @property
    def entries(self) -> int:
        """How many are held, those included that ended and have not been swept out."""
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
        """Write, where there is room. What lived under this key lives on where there is none."""
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
        """Look at `most` of what is due, and drop what has ended. False where nothing was due."""
        for _ in range(most):
            if not self._ends or self._ends[0][0] > now_s:
                return False
            ends_s, key = heapq.heappop(self._ends)
            if (entry := self._entries.get(key)) and entry.ends_s == ends_s:
                self._drop(key)
        return True

    def _remember_end(self, ends_s: float, key: bytes) -> None:
        heapq.heappush(self._ends, (ends_s, key))
        # Put and taken a million times, one challenge would leave a million ends behind.
        if len(self._ends) > 2 * len(self._entries) + STALE_MAX:
            self._ends = [(entry.ends_s, key) for key, entry in self._entries.items()]
            heapq.heapify(self._ends)


MARK = b"1"
"""What stands under a key that is only there or not."""


def _weight(key: bytes, entry: _Entry) -> int:
    return ENTRY_BYTES + len(key) + max(len(entry.value), NUMBER_BYTES)


def _number(value: bytes) -> int:
    # As Redis has it: what is no number is not counted up, and the caller cannot go on.
    try:
        return int(value)
    except ValueError:
        raise StoreUnavailable from None
