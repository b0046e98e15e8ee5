"""The body reader: reads an attempt's body once, bounded in size and time, and replays it to the application."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from sekisho.model import Unreadable
from sekisho.read import Body

if TYPE_CHECKING:
    from sekisho.asgi.types import Message, Receive


PIECES_MAX: Final = 64  # a message takes hundreds of bytes of memory even for one byte of body


class HungUp(Exception):  # noqa: N818 - not an error
    """The client disconnected before its body was complete."""


class Patience:
    """A time limit for bodies, with one timer for all: a timer for each would cost more than reading the body.

    Create it in its event loop. It fires late by at most a quarter of the limit.
    """

    def __init__(self, seconds_max: float) -> None:
        self._seconds_max = seconds_max
        self._loop = asyncio.get_running_loop()
        self._since: dict[asyncio.Task[Any], float] = {}
        self._ended: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> asyncio.Task[Any]:
        """Begin to time the running task, which now waits for a body. Returns the task, for `end`."""
        task = asyncio.current_task(self._loop)
        assert task is not None  # noqa: S101 - there is one wherever `await` is possible
        self._since[task] = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds_max / 4, self._look)
        return task

    def end(self, task: asyncio.Task[Any]) -> bool:
        """Stop timing a task.

        Returns whether the timer has cancelled it, because it waited too long; the cancellation is undone.
        """
        self._since.pop(task, None)
        if task not in self._ended:
            return False
        self._ended.discard(task)
        # As in `asyncio.timeout`: another party's cancellation of the same task remains.
        return task.uncancel() == 0

    def _look(self) -> None:
        now = self._loop.time()
        late = [task for task, since in self._since.items() if now - since >= self._seconds_max]
        for task in late:
            del self._since[task]
            self._ended.add(task)
            task.cancel()
        self._timer = self._loop.call_later(self._seconds_max / 4, self._look) if self._since else None


class BodyReader:
    """One request's messages. `receive` is the server's."""

    __slots__ = ("_arrived", "_receive", "whole")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._arrived: deque[Message] | None = None
        self.whole = b""
        """The body as it came, once it has been read."""

    async def read(self, *, bytes_max: int, patience: Patience) -> bytes:
        """Read and return the whole body. Raises `Unreadable` (413: too large, 408: too slow) or `HungUp`."""
        # Slow body attack: one byte a second would hold memory and a connection without end.
        task = patience.begin()
        body: Body | None = None
        arrived: deque[Message] = deque()
        self._arrived = arrived
        try:
            while True:
                message = await self._receive()
                # Many applications take a cut body for the whole: the password would be checked but not counted.
                if message["type"] == "http.disconnect":
                    raise HungUp
                chunk, more = message.get("body", b""), message.get("more_body", False)
                if body is None and not more and len(chunk) <= bytes_max:  # all at once, as nearly all come
                    arrived.append(message)
                    self.whole = bytes(chunk)
                    return self.whole
                body = body or Body(bytes_max)
                if chunk or not more:
                    self._keep(message)
                body.add(chunk)
                if not more:
                    self.whole = body.bytes
                    return self.whole
        except asyncio.CancelledError:
            if patience.end(task):
                raise Unreadable(408, "body_too_slow") from None
            raise
        finally:
            patience.end(task)

    async def has_body(self, *, patience: Patience) -> bool:
        """Whether there is a body at all: reads up to its first byte, or its end. Raises `HungUp`.

        One that is late counts as there.
        """
        task = patience.begin()
        arrived: deque[Message] = deque()
        self._arrived = arrived
        try:
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise HungUp
                chunk, more = message.get("body", b""), message.get("more_body", False)
                if chunk or not more:  # empty frames are as many as a client likes
                    arrived.append(message)
                    return bool(chunk)
        except asyncio.CancelledError:
            if patience.end(task):
                return True
            raise
        finally:
            patience.end(task)

    @property
    def body(self) -> bytes:
        """The bytes that were read and not yet passed on."""
        return b"".join(message.get("body", b"") for message in self._arrived or ())

    async def replay(self) -> Message:
        """The application's `receive`: first the messages that were read, then the server's further ones."""
        return self._arrived.popleft() if self._arrived else await self._receive()

    def detached(self) -> Receive:
        """Return a `receive` for a run that outlives its client: it gives the bytes that were read, then no message.

        The server's own `receive` would report the disconnect, and frameworks would abort the run.
        """
        left = iter(tuple(self._arrived or ()))

        async def receive() -> Message:
            for message in left:
                return message
            await asyncio.Event().wait()
            raise AssertionError  # nobody sets it

        return receive

    def _keep(self, message: Message) -> None:
        arrived = self._arrived
        assert arrived is not None  # noqa: S101 - `read` has begun
        if len(arrived) >= PIECES_MAX:
            joined = b"".join(each.get("body", b"") for each in arrived)
            arrived.clear()
            arrived.append({"type": "http.request", "body": joined, "more_body": True})
        arrived.append(message)
