"""Watches the application's answer on its way out: only the answer shows the outcome of the attempt.

Only a JSON answer whose body decides is held back, and of that a bounded part: streams are not delayed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.asgi.keeper import AnsweredAttempt
from sekisho.model import Outcome
from sekisho.read import ANSWER_BYTES_MAX, from_body, from_start, unpacked
from sekisho.read.response.head import readable

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sekisho.asgi.keeper import Keeper
    from sekisho.asgi.report import Report
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.types import Message
    from sekisho.assessment import Assessment


_SUCCEEDED: Final = Outcome.SUCCEEDED  # the name alone is a call in Python 3.11
BODIES: Final = frozenset({"http.response.body", "http.response.pathsend", "http.response.zerocopysend"})


class ResponseObserver(AnsweredAttempt):
    """An application's `send` that learns the outcome. The application's report overrules what the answer shows.

    `send` is a plain function that mostly returns the server's own awaitable: no coroutine stands in between.
    """

    def __init__(self, context: RequestContext, assessment: Assessment, report: Report, keeper: Keeper) -> None:
        AnsweredAttempt.__init__(self, context, assessment)  # `super()` alone takes as long as all of this
        self._report = report
        self._keeper = keeper
        self._held: list[Message] | None = None
        self._size = 0
        self._ended = False

    @property
    def has_begun(self) -> bool:
        """Whether any part of the answer has been sent."""
        return bool(self.status) and not self._held

    def send(self, message: Message) -> Awaitable[None]:
        kind = message["type"]
        if kind == "http.response.start":
            return self._start(message)
        if self._held:
            if kind == "http.response.body":
                return self._hold(self._held, message)
            # An answer that ends in any other way (a file sent by path) has no body that could be read.
            if kind in BODIES:
                return self._let_go(message)
        return self._pass(kind, message)

    def _pass(self, kind: str, message: Message) -> Awaitable[None]:
        # Early hints, pushes and trailers are neither the answer nor its end.
        if kind in BODIES and not message.get("more_body", False):
            self._end()
        return self.context.send(message)

    def close(self) -> Awaitable[None] | None:
        """Note that the application has returned: an answer without an end is no success.

        Returns an awaitable that sends the messages that were held back; None if none were.
        """
        if self._held:
            return self._close_held()
        self.abandon()
        return None

    async def _close_held(self) -> None:
        await self._release()
        self.abandon()

    def abandon(self) -> None:
        """Note that the application has failed, or never finished its answer.

        An unfinished answer is a failed attempt.
        """
        if not self._ended:
            self.outcome = Outcome.FAILED
            self._report.outcome = None
            self._end()

    def _start(self, message: Message) -> Awaitable[None]:
        message = readable(message)
        status = self.status = message["status"]
        headers = self.headers = list(message.get("headers", ()))
        context = self.context
        learned = self._report.outcome or from_start(
            context.door, status, headers, context.scope, context.body_reader.whole
        )
        self._keeper.started(self, learned)
        if learned is None:
            self._held = [message]
            return _nothing()
        self.outcome = learned
        return context.send(self._dressed(message))

    async def _let_go(self, message: Message) -> None:
        self._keeper.unjudged(self, "file")
        await self._release()
        await self._pass(message["type"], message)

    async def _hold(self, held: list[Message], message: Message) -> None:
        held.append(message)
        self._size += len(message.get("body", b""))
        if not message.get("more_body", False):
            await self._release(self._read(held), ends=True)
        elif self._size > ANSWER_BYTES_MAX:
            self._keeper.unjudged(self, "large")
            await self._release()

    def _read(self, held: list[Message]) -> bytes:
        """Judge the held body, and return it as it was judged; empty where it cannot be judged."""
        context, headers = self.context, self.headers
        if self._size > ANSWER_BYTES_MAX:
            self._keeper.unjudged(self, "large")
            return b""
        body = unpacked(headers, b"".join(bytes(part.get("body", b"")) for part in held[1:]))
        if body is not None:
            self.outcome = from_body(context.door, self.status, body, headers, context.scope, context.body_reader.whole)
        self._keeper.read(self, body)
        return body or b""

    async def _release(self, body: bytes = b"", *, ends: bool = False) -> None:
        (start, *bodies), self._held = self._held or [], None
        start = self._dressed(start, body)
        if ends:
            self._end()
        for message in (start, *bodies):
            await self.context.send(message)

    def _dressed(self, start: Message, body: bytes = b"") -> Message:
        if (self._report.outcome or self.outcome) is not _SUCCEEDED:
            return start
        self.basis = self._report.basis
        extra, self.renewed = self._keeper.success_headers(self, body)
        return {**start, "headers": [*self.headers, *extra]}

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            report = self._report
            self.outcome = report.outcome or self.outcome
            self.basis = report.basis
            if report.account:
                self.account = report.account
            self._keeper.ended(self)


async def _nothing() -> None: ...
