"""The protocol between a line and its server: each reply is delivered in the turn of the loop that reads it.

redis-py opens the connection (addresses, TLS, passwords, databases) and parses errors. Its streams are not used: they
are made for one waiting caller, and need one task to write and another to read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import hiredis
from redis._parsers import _AsyncHiredisParser
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import InvalidResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis.asyncio.connection import AbstractConnection

    from sekisho.store.batch import BatchCall

PART = object()  # a reply is incomplete


class RespProtocol(asyncio.Protocol):
    """Takes over an open connection.

    Args:
        connection: connected, with no answer outstanding. Its owner still closes it.
        on_reply: called with each reply, errors of the server included. An exception from it ends the connection.
        on_read: called when all replies of one read have been delivered.
    """

    def __init__(
        self, connection: AbstractConnection, on_reply: Callable[[Any], None], on_read: Callable[[], None]
    ) -> None:
        self._on_reply = on_reply
        self._on_read = on_read
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=_AsyncHiredisParser.parse_error, notEnoughData=PART
        )
        self._end: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        writer = connection._writer  # noqa: SLF001 - redis-py lends its transport in no other way
        if writer is None:
            raise Lost("the connection is not open")
        self._transport: asyncio.WriteTransport = writer.transport
        self._transport.set_protocol(self)

    @property
    def is_over(self) -> bool:
        """Whether the connection has ended."""
        return self._end.done()

    async def ended(self) -> None:
        """Wait for the end of the connection, and raise the error that ended it."""
        raise await self._end

    def write(self, calls: Sequence[BatchCall]) -> None:
        # The limit on calls in flight bounds the bytes that wait here.
        self._transport.write(b"".join([call.packed for call in calls]))

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        if self.is_over:  # the next reply would go to the wrong caller
            return
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets(False)) is not PART:
                self._on_reply(reply)
        except Exception as error:  # noqa: BLE001 - after any error the next reply would go to the wrong caller
            self._over(error)
        else:
            self._on_read()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over(exc or Lost("the store hung up"))

    def _over(self, error: Exception) -> None:
        if not self._end.done():
            self._end.set_result(error)
