"""Reads the feed: what `sekisho feed` gives to the front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sekisho.feed.entries import FeedMac, feed_key, latest_ms, network_of
from sekisho.feed.notes import may_be_blocked
from sekisho.feed.publisher import members_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sekisho.feed.entries import Network
    from sekisho.settings import Settings
    from sekisho.store import AnyStoreConnection


class FeedReader:
    """Args:
    line: the store connection.
    mac: verifies entries.
    namespace: as the workers'.
    entries_max: no more are read.
    seconds_max: the longest time for which an address is published.
    clock_s: Unix time.
    """

    def __init__(
        self,
        line: AnyStoreConnection,
        mac: FeedMac,
        namespace: str,
        *,
        entries_max: int,
        seconds_max: int,
        clock_s: Callable[[], float],
    ) -> None:
        self._line = line
        self._mac = mac
        self._key = feed_key(namespace)
        self._entries_max = entries_max
        self._seconds_max = seconds_max
        self._clock_s = clock_s

    @classmethod
    def of(cls, settings: Settings, line: AnyStoreConnection, clock_s: Callable[[], float]) -> Self:
        """Return a reader of a service's feed, by its settings and its line to the store. `clock_s`: Unix time."""
        mac = FeedMac(settings.listed, settings.namespace)
        return cls(
            line,
            mac,
            settings.namespace,
            entries_max=settings.feed_entries_max,
            seconds_max=settings.feed_seconds_max,
            clock_s=clock_s,
        )

    async def read(self, never: Iterable[Network] = ()) -> dict[Network, float]:
        """The refused networks, each with its end as Unix time. Raises `StoreUnavailable`.

        Args:
            never: networks that are left out, and all that overlap them. The workers leave them out too; this holds
                where their settings are older than the command's.
        """
        now_s = self._clock_s()
        latest, now = b"%d" % latest_ms(now_s, self._seconds_max), b"(%d" % int(now_s * 1000)
        found = await self._line.execute(
            b"ZRANGE", self._key, latest, now, b"BYSCORE", b"REV", b"LIMIT", b"0",
            b"%d" % self._entries_max, b"WITHSCORES",
        )  # fmt: skip
        excepted = list(never)
        ends: dict[Network, float] = {}
        for member, until_ms in _pairs(found):
            network = self._mac.opened(member, until_ms)
            if network is not None and may_be_blocked(network) and not _overlaps(network, excepted):
                ends[network] = max(until_ms / 1000, ends.get(network, 0.0))
        return ends

    async def release(self, prefix: bytes) -> None:
        """Remove the entries of a counted prefix from the feed. Raises `StoreUnavailable`."""
        if network_of(prefix) is not None:
            members = members_of(self._mac, prefix, self._clock_s(), self._seconds_max)
            ended = [part for member in members for part in (b"0", member)]
            await self._line.execute(b"ZADD", self._key, b"XX", *ended)
            await self._line.execute(b"ZREMRANGEBYSCORE", self._key, b"-inf", b"0")


def _pairs(found: list[Any]) -> list[tuple[bytes, int]]:
    """Redis answers in pairs (RESP3) or as a flat list (RESP2)."""
    pairs = found if found and isinstance(found[0], list | tuple) else zip(found[::2], found[1::2], strict=True)
    return [(member, int(float(score))) for member, score in pairs]


def _overlaps(network: Network, excepted: list[Network]) -> bool:
    return any(one.version == network.version and network.overlaps(one) for one in excepted)
