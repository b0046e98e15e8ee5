"""The body of an attempt: taken in once, bounded in size and time, then given to the application as it came."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from sekisho.model import Unreadable
from sekisho.read import Body

if TYPE_CHECKING:
    from sekisho.middleware.asgi import Message, Receive


PIECES_MAX = 64  # a message weighs hundreds of bytes whatever it holds, and a body can come in crumbs


class HungUp(Exception):  # noqa: N818 - nobody's mistake
    """The client left before its body was complete. There is nobody to answer, and nothing to pass on."""


class Intake:
    """One request's messages. `receive` is the server's."""

    __slots__ = ("_arrived", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._arrived: deque[Message] = deque()

    async def read(self, *, bytes_max: int, seconds_max: float) -> bytes:
        """The whole body. Raises `Unreadable` (413, 408) or `HungUp`."""
        try:
            # One byte a second would hold a worker's memory and a place in its queue for as long as it likes.
            async with asyncio.timeout(seconds_max):
                return await self._read(Body(bytes_max))
        except TimeoutError:
            raise Unreadable(408, "body_too_slow") from None

    async def replay(self) -> Message:
        """The application's `receive`: the same bytes again, then whatever else the server has."""
        return self._arrived.popleft() if self._arrived else await self._receive()

    async def _read(self, body: Body) -> bytes:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                # Many an application takes what came until here for the whole: a password checked, and nobody counted.
                raise HungUp
            more = message.get("more_body", False)
            if (chunk := message.get("body", b"")) or not more:
                self._keep(message)
            body.add(chunk)
            if not more:
                return body.bytes

    def _keep(self, message: Message) -> None:
        if len(self._arrived) >= PIECES_MAX:
            joined = b"".join(each.get("body", b"") for each in self._arrived)
            self._arrived = deque([{"type": "http.request", "body": joined, "more_body": True}])
        self._arrived.append(message)
