"""The line to the primary that Sentinels name.

Each new connection asks the Sentinels for the primary, and asks that server for its role. An old primary that does not
know of its successor would count attempts that no other worker sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from itertools import count
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from sekisho.settings.store import Several
from sekisho.store.connection import StoreConnection, connection_to, converse
from sekisho.store.refusals import NO_PRIMARY, refusal_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from redis.asyncio.connection import AbstractConnection

    from sekisho.store.options import LineOptions

SENTINEL_US = 200_000  # for one Sentinel's answer
ASKED_MAX = 4  # Sentinels in one try to connect, which has a second in all; the next try asks the others
LISTEN_US = 10_000_000  # to one Sentinel, which may have fallen silent without a word
AGAIN_US = 200_000  # before the next one is listened to
SWITCHED = "+switch-master"


class SentinelLine(StoreConnection):
    """See `StoreConnection`. `url`: `redis+sentinel://host:port,host:port/service`."""

    def __init__(self, url: str, options: LineOptions) -> None:
        self._several = Several.of(url)
        self._sentinels = list(self._several.hosts)  # the one that answered last is asked first
        self._primary = self._sentinels[0]
        super().__init__(self._several.server_url(*self._primary), options)

    async def _reach(self) -> None:
        """Ask the Sentinels for the primary, and that server for its role: a Sentinel may learn late of a failover."""
        self._primary = await self._ask_sentinels()
        # A connection object is for one address.
        await self._connection.disconnect(nowait=True)
        self._connection = connection_to(self._several.server_url(*self._primary))
        role, *_ = await converse(self._connection, "ROLE")
        if role != b"master":
            raise RedisError(NO_PRIMARY)

    async def _ask_sentinels(self) -> tuple[str, int]:
        """Return the primary's host and port.

        Raises `RedisError` or `OSError` where none names it: that of the first that refused, or else of the last.
        """
        faults: list[RedisError | OSError] = []
        for sentinel in self._sentinels[:ASKED_MAX]:
            try:
                return await self._ask_sentinel(sentinel)
            except (RedisError, OSError) as fault:
                faults.append(fault)
            self._sentinels.remove(sentinel)
            self._sentinels.append(sentinel)
        raise next(filter(refusal_of, faults), faults[-1])

    async def _ask_sentinel(self, sentinel: tuple[str, int]) -> tuple[str, int]:
        async with self._asking(sentinel) as connection, asyncio.timeout(SENTINEL_US / 1e6):
            found = await converse(connection, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._several.service)
            if found is None:
                raise RedisError("this Sentinel knows no such service")
            host, port = found
            return host.decode(), int(port)

    @contextlib.asynccontextmanager
    async def _asking(self, sentinel: tuple[str, int]) -> AsyncIterator[AbstractConnection]:
        connection = connection_to(self._several.sentinel_url(*sentinel))
        try:
            yield connection
        finally:
            await connection.disconnect(nowait=True)

    def _duties(self) -> list[Coroutine[Any, Any, None]]:
        return [*super()._duties(), self._listen()]

    async def _listen(self) -> None:
        """End the connection when the Sentinels have chosen another primary, though this one still answers us."""
        for turn in count():
            with contextlib.suppress(RedisError, OSError):
                async with self._asking(self._sentinels[turn % len(self._sentinels)]) as connection:
                    await self._hear(connection)
                    return
            await asyncio.sleep(AGAIN_US / 1e6)

    async def _hear(self, connection: AbstractConnection) -> None:
        """Wait until there is another primary. Raises where this Sentinel is silent."""
        async with asyncio.timeout(SENTINEL_US / 1e6):
            await converse(connection, "SUBSCRIBE", SWITCHED)
        # The new primary may have been chosen before this subscription.
        if await self._ask_sentinels() != self._primary:
            return
        service = self._several.service.encode()
        async with asyncio.timeout(LISTEN_US / 1e6):
            while True:
                _, _, news = await connection.read_response(disable_decoding=True, timeout=math.inf)
                if news.split(b" ")[0] == service:
                    return
