"""The body of an attempt: taken in once, bounded in size and time, then given to the application as it came."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from sekisho.model import Unreadable
from sekisho.read import Body

if TYPE_CHECKING:
    from sekisho.middleware.asgi import Message, Receive


PIECES_MAX = 64  # a message weighs hundreds of bytes whatever it holds, and a body can come in crumbs


class HungUp(Exception):  # noqa: N818 - nobody's mistake
    """The client left before its body was complete. There is nobody to answer, and nothing to pass on."""


class Patience:
    """How long bodies may take, with one timer for all of them: a timer each would cost more than reading most.

    Made in the event loop it belongs to. Late by at most a quarter.
    """

    def __init__(self, seconds_max: float) -> None:
        self._seconds_max = seconds_max
        self._loop = asyncio.get_running_loop()
        self._since: dict[asyncio.Task[Any], float] = {}
        self._ended: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> asyncio.Task[Any]:
        """The running task starts to wait for a body."""
        task = asyncio.current_task(self._loop)
        assert task is not None  # noqa: S101 - there is one wherever `await` is possible
        self._since[task] = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds_max / 4, self._look)
        return task

    def end(self, task: asyncio.Task[Any]) -> bool:
        """It has stopped waiting. Whether that was our doing: the cancellation is ours then, and taken back."""
        self._since.pop(task, None)
        if task not in self._ended:
            return False
        self._ended.discard(task)
        # As `asyncio.timeout` does it: where somebody else has cancelled the task as well, theirs stands.
        return task.uncancel() == 0

    def _look(self) -> None:
        now = self._loop.time()
        late = [task for task, since in self._since.items() if now - since >= self._seconds_max]
        for task in late:
            del self._since[task]
            self._ended.add(task)
            task.cancel()
        self._timer = self._loop.call_later(self._seconds_max / 4, self._look) if self._since else None


class Intake:
    """One request's messages. `receive` is the server's."""

    __slots__ = ("_arrived", "_receive", "whole")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._arrived: deque[Message] | None = None
        self.whole = b""
        """The body as it came, once it has been read."""

    async def read(self, *, bytes_max: int, patience: Patience) -> bytes:
        """The whole body. Raises `Unreadable` (413, 408) or `HungUp`."""
        # One byte a second would hold a worker's memory and a place in its queue for as long as it likes.
        task = patience.begin()
        body: Body | None = None
        arrived: deque[Message] = deque()
        self._arrived = arrived
        try:
            while True:
                message = await self._receive()
                # Many an application takes what came until here for the whole: a password checked, nobody counted.
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
        """What has been read and not been passed on."""
        return b"".join(message.get("body", b"") for message in self._arrived or ())

    async def replay(self) -> Message:
        """The application's `receive`: the same bytes again, then whatever else the server has."""
        return self._arrived.popleft() if self._arrived else await self._receive()

    def detached(self) -> Receive:
        """A `receive` for a run of the application that outlives its client: the same bytes, and then silence.

        The server's would say that the client has left, on which frameworks give up.
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
