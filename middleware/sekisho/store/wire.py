"""The bytes between a line and its server, each reply told in the turn of the loop that brings it.

redis-py opens the connection: addresses, TLS, passwords and databases are its business, and so is what an error means.
Then its streams are left aside: they are made for one caller who waits, and took a task to write and another to read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import hiredis
from redis._parsers import _AsyncHiredisParser
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import InvalidResponse

from sekisho.store.batch import packed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis.asyncio.connection import AbstractConnection

    from sekisho.store.batch import Call

PART = object()  # of a reply: the rest is still on its way


class Wire(asyncio.Protocol):
    """Takes an open connection over.

    Args:
        connection: connected, and with no answer outstanding. It still is what closes it.
        on_reply: given each reply; an error that the server answered is one, too. What it raises ends the connection.
        on_read: told when the replies of one read have all been given.
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
        """Whether nothing will be answered any more."""
        return self._end.done()

    async def ended(self) -> None:
        """Wait for the end, and raise what it was."""
        raise await self._end

    def write(self, calls: Sequence[Call]) -> None:
        # What may lie here unsent is bounded by how many calls may be under way.
        self._transport.write(packed([call.command for call in calls]))

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        if self.is_over:  # the next answer is not for whom it would be given to
            return
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets(False)) is not PART:
                self._on_reply(reply)
        except Exception as error:  # noqa: BLE001 - whatever it is, what comes next would be given to somebody else
            self._over(error)
        else:
            self._on_read()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over(exc or Lost("the store hung up"))

    def _over(self, error: Exception) -> None:
        if not self._end.done():
            self._end.set_result(error)
