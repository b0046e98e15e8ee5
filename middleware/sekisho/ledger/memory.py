"""The ledger in this process's memory: the reference arithmetic on a bounded dictionary.

It serves one worker, the demo, and the time while a store is lost. A full ledger never forgets a counted identity to
make room; otherwise an attacker who invents user names could erase a victim's count (CVE-2024-21662). Instead, new
identities share 2^16 counters by hash.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from sekisho.ledger import arithmetic as ledger
from sekisho.ledger.device_buckets import changed
from sekisho.ledger.newcomers import Newcomers, account_end_us, newcomer_keys, short_lived_end_us
from sekisho.ledger.packing import packed, unpacked
from sekisho.ledger.records import FRESH, Record, expires_us, failures_kept_us, unblocked
from sekisho.ledger.tags import GENERATION_US
from sekisho.model import Charged

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.model import Charge, LimitSet, Verdict

SHARED_PER_KIND = 2**14  # four kinds of counter: 2^16 in all
_ACCOUNT = b"a"
KINDS = (b"n", b"i", b"d", _ACCOUNT)  # all but secrets and credit, which `unblock` does not reset
MINUTE_US = 60_000_000
NEVER_US = 2**62
SWEEP = 8  # expired records examined per write: more than one write can add, so the backlog shrinks


_NEVER_SHARED = frozenset((b"s", b"c"))


class BoundedBook(MutableMapping[bytes, Record]):
    """Records by key: at most `entries_max`, and the shared ones. The caller sets `now_us` before it writes."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._records: dict[bytes, bytes | Record] = {}
        self._shared: dict[bytes, Record] = {}
        # Keys by the minute after which they are due, each key once. A record that still matters then is put back.
        self._ends: dict[int, list[bytes]] = {}
        self._minutes: list[int] = []  # a heap of these minutes
        self._due_us = NEVER_US  # the end of the first of them
        self.now_us = 0

    def __getitem__(self, key: bytes) -> Record:
        found = self._records.get(key)
        return unpacked(found) if found is not None else self._shared[_shared(key)]

    def get(self, key: bytes, default: Any = None) -> Any:
        """Return the record under `key`, or `default`. Quicker than the inherited method, which raises an error."""
        found = self._records.get(key)
        if found is not None:
            return unpacked(found)
        return self._shared.get(_shared(key), default) if self._shared else default

    def __setitem__(self, key: bytes, record: Record) -> None:
        if self.now_us >= self._due_us:
            self._sweep()
        records = self._records
        if key in records:
            records[key] = packed(record)
        elif len(records) < self._entries_max:
            records[key] = packed(record)
            self._note_end(key, _first_look_us(record, self.now_us))
        # Secrets are only observed; a set shared by many would only raise false alarms. Credit belongs to one address.
        elif key[:1] not in _NEVER_SHARED:
            self._shared[_shared(key)] = record

    def __delitem__(self, key: bytes) -> None:
        # Its entry in `_ends` is removed when it is due.
        if self._records.pop(key, None) is None:
            del self._shared[_shared(key)]

    def __iter__(self) -> Iterator[bytes]:
        yield from self._records
        yield from self._shared

    def __len__(self) -> int:
        return len(self._records) + len(self._shared)

    def can_add(self, keys: tuple[bytes, ...]) -> bool:
        """Whether there is room for these keys, and no record under any of them."""
        records = self._records
        for key in keys:
            if key in records:
                return False
        return not self._shared and len(records) + len(keys) <= self._entries_max

    def add(self, records: dict[bytes, bytes], end_us: int) -> None:
        """Add packed records, all of them new. At `end_us` they are looked at, and removed if they have ended."""
        if self.now_us >= self._due_us:
            for _ in records:
                self._sweep()
        self._records.update(records)
        minute = end_us // MINUTE_US
        if minute not in self._ends:
            self._begin(minute)
        self._ends[minute].extend(records)

    def _sweep(self) -> None:
        for _ in range(SWEEP):
            if self.now_us < self._due_us:
                return
            keys = self._ends[self._minutes[0]]
            key = keys.pop()
            if not keys:
                del self._ends[heapq.heappop(self._minutes)]
                self._due_us = (self._minutes[0] + 1) * MINUTE_US if self._minutes else NEVER_US
            held = self._records.get(key)
            if held is None:
                continue
            record = unpacked(held)
            end_us = expires_us(record, self.now_us)
            if end_us > self.now_us:
                self._note_end(key, end_us)
            else:
                del self._records[key]

    def _note_end(self, key: bytes, end_us: int) -> None:
        minute = end_us // MINUTE_US
        if minute not in self._ends:
            self._begin(minute)
        self._ends[minute].append(key)

    def _begin(self, minute: int) -> None:
        self._ends[minute] = []
        heapq.heappush(self._minutes, minute)
        self._due_us = (self._minutes[0] + 1) * MINUTE_US


def _first_look_us(record: Record, now_us: int) -> int:
    """When to look whether a new record has expired: at its end, or before it where its TATs expire last."""
    _, at_us, (generation, young, _), failures, _, _ = record
    if failures:
        return at_us + failures_kept_us(failures)
    if young:
        return (generation + 2) * GENERATION_US
    return expires_us(record, now_us)


def _shared(key: bytes) -> bytes:
    return key[:1] + (int.from_bytes(key[1:3]) % SHARED_PER_KIND).to_bytes(2)


class MemoryLedger:
    """See `sekisho.model.Ledger`. `clock_us` is a clock in microseconds that all calls share."""

    def __init__(self, limits: LimitSet, *, entries_max: int, clock_us: Callable[[], int]) -> None:
        self._clock_us = clock_us
        self.book = BoundedBook(entries_max)
        self._limits = limits
        self._newcomers = Newcomers(limits)

    @property
    def limits(self) -> LimitSet:
        return self._limits

    @limits.setter
    def limits(self, limits: LimitSet) -> None:
        self._limits = limits
        self._newcomers = Newcomers(limits)

    async def charge(self, charge: Charge) -> Verdict:
        return self.charge_now(charge)

    def charge_now(self, charge: Charge) -> Verdict:
        book, now_us = self.book, self._clock_us()
        book.now_us = now_us
        keys = newcomer_keys(charge)
        if keys and book.can_add(keys):
            book.add(self._newcomers.short_lived(charge, keys, now_us), short_lived_end_us(now_us))
            book.add(self._newcomers.account(charge, keys, now_us), account_end_us(now_us))
            return self._newcomers.verdict(now_us)
        return ledger.apply(book, charge, self._limits, now_us)

    def settle(self, charge: Charge, verdict: Verdict, effects: int = 0) -> None:
        self.book.now_us = self._clock_us()
        ledger.undo(
            self.book,
            charge,
            verdict,
            self._limits,
            self.book.now_us,
            effects,
        )

    def fail(self, charge: Charge, verdict: Verdict) -> None:
        # Most failures change no record; then no time is needed.
        if verdict.last or verdict.charged & Charged.KNOWN_DEVICE:
            self.book.now_us = self._clock_us()
            ledger.fail(self.book, charge, verdict, self._limits, self.book.now_us)

    def forget(self, digests: tuple[bytes, ...], *, history: bool = False, ended: tuple[bytes, ...] = ()) -> None:
        """Delete the counts under these digests of networks, addresses, devices and accounts, for `sekisho unblock`.

        Args:
            digests: see above.
            history: whether the accounts' histories are deleted as well, for `sekisho forget`.
            ended: digests of accounts of which no device is trusted any more, for `sekisho takeover`.
        """
        self.book.now_us = self._clock_us()
        for digest in digests:
            for kind in KINDS:
                record = self.book.pop(kind + digest, None)
                if record is not None and record.buckets:
                    self.book[kind + digest] = unblocked(record, history=history)
        width = len(self._limits.known_device)
        for digest in ended:
            key, now_us = _ACCOUNT + digest, self.book.now_us
            self.book[key] = changed(self.book.get(key, FRESH), b"", now_us, now_us, width)
