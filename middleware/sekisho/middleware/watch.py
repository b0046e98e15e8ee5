"""The application's answer, watched on its way out: what became of the attempt shows there and nowhere else.

Nothing is held back but a JSON answer whose body decides, and of that a bounded part: a stream stays a stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import Attempt, Decision, Outcome
from sekisho.read import from_body, from_start

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.middleware.asgi import Message, Send
    from sekisho.model import Door

    Headers = list[tuple[bytes, bytes]]

HELD_BYTES_MAX = 65_536  # an answer with more than this before its end is let go, its outcome unknown


class Report:
    """What the application finds in `scope["state"]["sekisho"]`.

    Attributes:
        attempt: what was read.
        decision: what was found out about it.
        account: the application's own id of the account, once it has reported one.
    """

    __slots__ = ("account", "attempt", "decision", "outcome")

    def __init__(self, attempt: Attempt, decision: Decision) -> None:
        self.attempt = attempt
        self.decision = decision
        self.account: str | None = None
        self.outcome: Outcome | None = None

    def report(self, *, success: bool, account: str | None = None) -> None:
        """Say what became of the attempt, where the response does not show it. Best before the response begins.

        Args:
            success: whether the secret was right.
            account: the application's own id of the account.
        """
        self.outcome = Outcome.SUCCEEDED if success else Outcome.FAILED
        self.account = account


class Watch:
    """An application's `send` that learns the outcome.

    Args:
        send: the server's.
        door: its rules say what success looks like.
        path: `scope["path"]` of the request.
        report: what the application says overrules what its answer looks like.
        on_start: told status and headers of every answer.
        on_success: gives the headers to add once success is certain.
        on_end: told the outcome, exactly once, before the last message leaves.
    """

    __slots__ = ("_door", "_ended", "_headers", "_held", "_on_end", "_on_start", "_on_success", "_outcome", "_path",
                 "_report", "_send", "_size", "_status")  # fmt: skip

    def __init__(
        self,
        send: Send,
        *,
        door: Door,
        path: str,
        report: Report,
        on_start: Callable[[int, Headers], None],
        on_success: Callable[[], Headers],
        on_end: Callable[[Outcome], None],
    ) -> None:
        self._send = send
        self._door = door
        self._path = path
        self._report = report
        self._on_start = on_start
        self._on_success = on_success
        self._on_end = on_end
        self._held: list[Message] = []
        self._size = 0
        self._status = 0
        self._headers: Headers = []
        self._outcome = Outcome.UNKNOWN
        self._ended = False

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            await self._start(message)
        elif kind == "http.response.body" and self._held:
            await self._hold(message)
        else:
            # Whatever else ends an answer (a file sent by path) has no body that could be looked at.
            await self._release()
            if not message.get("more_body", False) and kind != "http.response.debug":
                self._end()
            await self._send(message)

    async def close(self) -> None:
        """The application has returned: what is still held goes out, and an answer without an end is no success."""
        await self._release()
        self.abandon()

    def abandon(self) -> None:
        """The application has failed, or never finished its answer."""
        if not self._ended:
            self._outcome = Outcome.FAILED
            self._report.outcome = None
            self._end()

    async def _start(self, message: Message) -> None:
        self._status = message["status"]
        self._headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
        self._on_start(self._status, self._headers)
        learned = self._report.outcome or from_start(self._door, self._status, self._headers, self._path)
        if learned is None:
            self._held.append(message)
        else:
            self._outcome = learned
            await self._send(self._dressed(message))

    async def _hold(self, message: Message) -> None:
        self._held.append(message)
        self._size += len(message.get("body", b""))
        if not message.get("more_body", False):
            if self._size <= HELD_BYTES_MAX:
                body = b"".join(bytes(part.get("body", b"")) for part in self._held[1:])
                self._outcome = from_body(self._door, self._status, body, self._headers)
            await self._release(ends=True)
        elif self._size > HELD_BYTES_MAX:
            await self._release()

    async def _release(self, *, ends: bool = False) -> None:
        held, self._held = self._held, []
        if ends:
            self._end()
        for i, message in enumerate(held):
            await self._send(message if i else self._dressed(message))

    def _dressed(self, start: Message) -> Message:
        if (self._report.outcome or self._outcome) is not Outcome.SUCCEEDED:
            return start
        return {**start, "headers": [*start.get("headers", ()), *self._on_success()]}

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._on_end(self._report.outcome or self._outcome)
