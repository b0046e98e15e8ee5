"""Publishes a worker's refusals in the store, in the background: at most twice a second, and only what is new."""

from __future__ import annotations

import asyncio
from importlib import resources
from itertools import islice
from typing import TYPE_CHECKING, Final

from sekisho.feed.entries import HOUR_MS, feed_key, latest_ms
from sekisho.store.periodic import periodically

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.feed.entries import FeedMac
    from sekisho.feed.notes import NotedRefusal, RefusalNotes
    from sekisho.model import Charge
    from sekisho.store import AnyStoreConnection

EVERY_S: Final = 0.5
"""With the command's own pause a block stands within a second of the refusal."""
REFUSED: Final = "the store refuses the feed of SEKISHO_FEED: %s"

LOOKED_MAX: Final = 256
"""Addresses in one publication whose credit is looked at."""

DAY_S: Final = 86_400
FILTER_BITS: Final = 1 << 23
"""A Bloom filter of a day, 1 MiB: it holds no address, and wrongly finds two in a hundred with a million in it."""


class FeedPublisher:
    """Belongs to one event loop.

    Args:
        notes: of this process.
        line: the store connection.
        mac: signs entries.
        namespace: as the ledger's.
        entries_max: more are not kept.
        clock_s: Unix time, as other workers have it.
        enforces: whether refusals are enforced at the moment.
        has_credit: whether the address of a charge has credit; raises `StoreUnavailable`.
    """

    def __init__(
        self,
        notes: RefusalNotes,
        line: AnyStoreConnection,
        mac: FeedMac,
        namespace: str,
        *,
        entries_max: int,
        clock_s: Callable[[], float],
        enforces: Callable[[], bool],
        has_credit: Callable[[Charge], Awaitable[bool]],
    ) -> None:
        self._notes = notes
        self._line = line
        self._mac = mac
        self._key = feed_key(namespace)
        self._entries_max = entries_max
        self._clock_s = clock_s
        self._enforces = enforces
        self._has_credit = has_credit
        self._script = resources.files(__package__).joinpath("publish.lua").read_bytes()

    async def run(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Publish new notes every half second, until this task is cancelled. `sleep`: waits for so many seconds."""
        # What is lost with the store is noted again when the shed's memory of it ends.
        await periodically(self.once, every_s=EVERY_S, refused=REFUSED, sleep=sleep)

    async def once(self) -> None:
        """Publish, in the store's feed, all that was noted since the last call. Raises `StoreUnavailable`."""
        if (taken := self._notes.take()) is None:
            return
        refused = await self._without_credit(taken.refused)
        now_s = self._clock_s()
        today = int(now_s // DAY_S)
        keys = self._key, self._key + b"pause", *(self._key + b"known%d" % day for day in (today, today - 1))
        empties = taken.warned or not self._enforces()
        ends = b"%d" % (now_s * 1000), b"%d" % latest_ms(now_s, self._notes.seconds_max)
        arguments = *ends, b"%d" % empties, b"%d" % self._entries_max
        await self._line.execute(
            b"EVAL", self._script, b"4", *keys, *arguments, *self._packed(taken.known, refused, now_s)
        )

    async def _without_credit(self, refused: dict[bytes, NotedRefusal]) -> dict[bytes, NotedRefusal]:
        """Those whose credit was looked at, and those of the others that have none."""
        sure = {prefix: refusal for prefix, refusal in refused.items() if refusal.unsure is None}
        unsure = ((prefix, refusal) for prefix, refusal in refused.items() if refusal.unsure is not None)
        return sure | {
            prefix: refusal
            for prefix, refusal in islice(unsure, LOOKED_MAX)
            if refusal.unsure is not None and not await self._has_credit(refusal.unsure)
        }

    def _packed(self, known: dict[bytes, bytes], refused: dict[bytes, NotedRefusal], now_s: float) -> list[bytes]:
        packed = [b"%d" % len(known)]
        for digest, prefix in known.items():
            members = self._members(prefix, now_s)
            packed += [*_bits(digest), b"%d" % len(members), *members]
        for prefix, (digest, until_ms, _) in refused.items():
            packed += [*_bits(digest), self._mac.member(prefix, until_ms), b"%d" % until_ms]
        return packed

    def _members(self, prefix: bytes, now_s: float) -> list[bytes]:
        return members_of(self._mac, prefix, now_s, self._notes.seconds_max)


def members_of(mac: FeedMac, prefix: bytes, now_s: float, seconds_max: int) -> list[bytes]:
    """Return all members that a network may have in the feed now: one for each hour in which a refusal may end.

    `seconds_max`: the longest time for which an address is published.
    """
    last_ms = int((now_s + seconds_max) * 1000)
    hours = range(int(now_s * 1000) // HOUR_MS, last_ms // HOUR_MS + 1)
    return [mac.member(prefix, hour * HOUR_MS) for hour in hours]


def _bits(digest: bytes) -> list[bytes]:
    return [b"%d" % (int.from_bytes(digest[at : at + 3]) % FILTER_BITS) for at in range(0, 12, 3)]
