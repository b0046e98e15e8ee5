"""The body of an attempt: taken in once, bounded in size and time, then given to the application as it came."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from sekisho.model import Unreadable
from sekisho.read import Body

if TYPE_CHECKING:
    from sekisho.middleware.asgi import Message, Receive


class Intake:
    """One request's messages. `receive` is the server's."""

    __slots__ = ("_arrived", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._arrived: deque[Message] = deque()

    async def read(self, *, bytes_max: int, seconds_max: float) -> bytes | None:
        """The whole body, or None where the client hung up. Raises `Unreadable` (413, 408)."""
        try:
            # One byte a second would hold a worker's memory and a place in its queue for as long as it likes.
            async with asyncio.timeout(seconds_max):
                return await self._read(Body(bytes_max))
        except TimeoutError:
            raise Unreadable(408, "body_too_slow") from None

    async def replay(self) -> Message:
        """The application's `receive`: the same messages again, then whatever else the server has."""
        return self._arrived.popleft() if self._arrived else await self._receive()

    async def _read(self, body: Body) -> bytes | None:
        while True:
            message = await self._receive()
            self._arrived.append(message)
            if message["type"] == "http.disconnect":
                return None
            body.add(message.get("body", b""))
            if not message.get("more_body", False):
                return body.bytes
