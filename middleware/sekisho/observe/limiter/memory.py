"""The ledger in this process's memory: the reference arithmetic on a bounded dictionary.

For one worker, for the demo, and for the time a store is gone. Nobody already counted is forgotten to make room, or
whoever can invent user names could wash a victim's count away (CVE-2024-21662): when it is full, newcomers share
2^16 counters by hash.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING

from sekisho.observe.limiter import ledger
from sekisho.observe.limiter.ledger import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.model import Charge, LimitSet, Verdict

SHARED_PER_KIND = 2**14  # four kinds of counter: 2^16 in all
KINDS = (b"n", b"i", b"d", b"a")  # all but secrets, which nobody unblocks
SWEEP = 8  # expired records looked at per write: more than one write can add, so the backlog shrinks


class BoundedBook(MutableMapping[bytes, Record]):
    """Records by key, at most `entries_max` and the shared ones. `now_us` is set by whoever writes."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._records: dict[bytes, Record] = {}
        self._shared: dict[bytes, Record] = {}
        self._ends: list[tuple[int, bytes]] = []  # each key once; a record that lives on is put back when due
        self.now_us = 0

    def __getitem__(self, key: bytes) -> Record:
        found = self._records.get(key)
        return found if found is not None else self._shared[_shared(key)]

    def __setitem__(self, key: bytes, record: Record) -> None:
        self._sweep()
        if key in self._records:
            self._records[key] = record
        elif len(self._records) < self._entries_max:
            self._records[key] = record
            heapq.heappush(self._ends, (ledger.expires_us(record, self.now_us), key))
        elif key[:1] != b"s":  # a secret's set is observation: shared among strangers it would only cry wolf
            self._shared[_shared(key)] = record

    def __delitem__(self, key: bytes) -> None:
        # Its place in `_ends` goes when it is due.
        if self._records.pop(key, None) is None:
            del self._shared[_shared(key)]

    def __iter__(self) -> Iterator[bytes]:
        yield from self._records
        yield from self._shared

    def __len__(self) -> int:
        return len(self._records) + len(self._shared)

    def _sweep(self) -> None:
        for _ in range(SWEEP):
            if not self._ends or self._ends[0][0] > self.now_us:
                return
            _, key = heapq.heappop(self._ends)
            if (record := self._records.get(key)) is None:
                continue
            ends = ledger.expires_us(record, self.now_us)
            if ends > self.now_us:
                heapq.heappush(self._ends, (ends, key))
            else:
                del self._records[key]


def _shared(key: bytes) -> bytes:
    return key[:1] + (int.from_bytes(key[1:3]) % SHARED_PER_KIND).to_bytes(2)


class MemoryLedger:
    """See `sekisho.model.Ledger`. `clock_us` is any clock in microseconds that all calls share."""

    def __init__(self, limits: LimitSet, *, entries_max: int, clock_us: Callable[[], int]) -> None:
        self.limits = limits
        self._clock_us = clock_us
        self.book = BoundedBook(entries_max)

    async def charge(self, charge: Charge) -> Verdict:
        return self.charge_now(charge)

    def charge_now(self, charge: Charge) -> Verdict:
        self.book.now_us = self._clock_us()
        return ledger.apply(self.book, charge, self.limits, self.book.now_us)

    def settle(
        self, charge: Charge, verdict: Verdict, *, renewed: bool = False, proved: bool = False, right: bool = False
    ) -> None:
        self.book.now_us = self._clock_us()
        ledger.undo(
            self.book,
            charge,
            verdict,
            self.limits,
            self.book.now_us,
            renewed=renewed,
            proved=proved,
            right=right,
        )

    def fail(self, charge: Charge, verdict: Verdict) -> None:
        self.book.now_us = self._clock_us()
        ledger.fail(self.book, charge, verdict, self.limits, self.book.now_us)

    def forget(self, digests: tuple[bytes, ...]) -> None:
        """Drop what is counted of these networks, addresses, devices and accounts, as `sekisho unblock` asks."""
        for digest in digests:
            for kind in KINDS:
                self.book.pop(kind + digest, None)
