"""Runs the application after the client was answered; its result is kept in escrow.

The run has its own scope and `receive`: the server's would report that the client has left, and frameworks then give
up. And the run gets **no identity but the secret**, see `stepup.flow.escrowed_scope` (R1).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.asgi.report import Report
from sekisho.model import DEVICE_CLASS, Basis, Device, Outcome, PasswordsBusy
from sekisho.read import credentials_set, from_body, from_start, keeps_session, unpacked
from sekisho.read.cookie_names import is_ours
from sekisho.read.csrf import has_form_token
from sekisho.read.response.head import is_json
from sekisho.stepup.escrow import ANSWER_BYTES_MAX, HEADERS_BYTES_MAX, Kept, Sealed, headers_bytes
from sekisho.stepup.flow.csrf_cookies import shown, withheld
from sekisho.stepup.flow.escrowed_scope import escrowed_scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sekisho.asgi.admission import Admission
    from sekisho.asgi.past_log_ins import PastLogIns
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.types import App, Message
    from sekisho.assessment import Assessment
    from sekisho.model.headers import Headers
    from sekisho.record import Answers
    from sekisho.stepup.flow.csrf_cookies import CsrfCookies

BUSY = 503
HELD_BYTES_MAX = 1 << 20
"""The longest answer that a client waits for. A page that names a wrong password is mostly shorter."""
PAUSES_S = (0.5, 1.0, 2.0)  # before a busy application is asked again; they count towards its thirty seconds


class RunResult(NamedTuple):
    """Attributes:
    kept: the application's answer, where it accepted the secret.
    outcome: as for an attempt that is answered directly.
    basis: of the outcome.
    whole: the application's answer, right or wrong, where `holds` was set and it could be held.
    """

    kept: Kept
    outcome: Outcome
    basis: Basis
    whole: Sealed | None = None


class GuardedApp(NamedTuple):
    """The application, and the parts that each of its runs uses.

    Attributes:
        app: the application.
        lifespan_state: returns the state of its lifespan.
        csrf: see `stepup.flow.csrf_cookies`.
        answers: receives its answers.
        admission: where a stranger's run holds a place until the application begins to answer.
    """

    app: App
    lifespan_state: Callable[[], Mapping[str, object]]
    csrf: CsrfCookies
    answers: Answers
    admission: Admission


class EscrowedRun:
    """One run.

    Args:
        guarded: the application.
        context: the request.
        assessment: of the attempt.
        begun: awaited when the run starts.
        done: receives the result, exactly once.
        holds: whether the client waits for the whole answer, which may then be longer.
        past: knows earlier log-ins, for the application.
    """

    def __init__(
        self,
        guarded: GuardedApp,
        context: RequestContext,
        assessment: Assessment,
        *,
        begun: Callable[[], Awaitable[None]],
        done: Callable[[RunResult], Awaitable[None]],
        holds: bool = False,
        past: PastLogIns | None = None,
    ) -> None:
        self._app, self._cookies = guarded.app, guarded.csrf
        self._answers, self._admission = guarded.answers, guarded.admission
        self._lifespan_state = guarded.lifespan_state()
        self._door = context.door
        self._report = Report(assessment.attempt, assessment.decision, assessment.exposure, assessment.device, past)
        self._csrf: frozenset[str] = frozenset()
        self._scope: dict[str, Any] = {}
        self._context = context
        self._begun = begun
        self._done = done
        self._holds = holds
        self._ended = False
        self._is_last = True
        self._begin()

    def _begin(self) -> None:
        self._status = 0
        self._headers: Headers = []
        self._body = bytearray()
        self._unread = ""  # why the body was not kept
        self._is_complete = False

    async def __call__(self) -> None:
        DEVICE_CLASS.set(self._report.device)  # in the run's own context, which ends with it
        try:
            await self._begun()
            await self._see()
            for pause_s in PAUSES_S:
                if not await self._was_busy():
                    return
                await asyncio.sleep(pause_s)
                self._go_in_again()
            await self._app(self._scope, self._context.body_reader.detached(), self._send)
        finally:
            # It raised, was cancelled or never finished: regardless of how it began, it does not prove a right secret.
            await self._end(Kept(None), Outcome.FAILED)

    async def _see(self) -> None:
        """Make the request as the application sees it."""
        context, shown_at = self._context, self._cookies.shown_at(self._door)
        self._csrf = await self._cookies.of(context.scope, shown_at, self._lifespan_state)
        self._scope = escrowed_scope(context.scope, shown_at, self._lifespan_state, self._csrf)
        self._scope["state"]["sekisho"] = self._report

    def _go_in_again(self) -> None:
        # It has waited for its turn already, so it does not queue again; but it is counted.
        if self._report.device is Device.STRANGER:
            self._admission.hold(self, self._context.digests)

    async def _was_busy(self) -> bool:
        """Run once. True if the application was busy: no client waits here, so it can be asked again."""
        self._begin()
        self._is_last = False
        try:
            await self._app({**self._scope}, self._context.body_reader.detached(), self._send)
        except PasswordsBusy:
            self._admission.answered(self, BUSY)
            return True
        finally:
            self._is_last = True
        return self._status == BUSY and not self._ended

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self._status = message["status"]
            self._headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            self._admission.answered(self, self._status)
        elif kind == "http.response.body":
            self._take(message.get("body", b""))
            if not message.get("more_body", False):
                await self._judge()
        elif kind.startswith("http.response.") and kind.endswith("send"):
            # A file sent by its path: its content is not available here.
            self._unread = "file"
            await self._judge()

    def _take(self, chunk: bytes) -> None:
        if len(self._body) + len(chunk) > (HELD_BYTES_MAX if self._holds else ANSWER_BYTES_MAX):
            self._unread = "large"
            self._body.clear()
        elif not self._unread:
            self._body += chunk

    async def _judge(self) -> None:
        """Judge the complete answer. What the application does after it does not matter, up to the deadline."""
        if self._status == BUSY and not self._is_last:
            return None
        self._is_complete = True
        body, headers = bytes(self._body), self._headers
        outcome = self._with_fresh_session(self._outcome(headers, body), headers, body)
        if outcome is not Outcome.SUCCEEDED:
            return await self._end(Kept(None), outcome)
        if self._unread or len(body) > ANSWER_BYTES_MAX or headers_bytes(headers) > HEADERS_BYTES_MAX:
            self._answers.unjudged(self._door, "kept")
            return await self._end(Kept(None), outcome)
        return await self._end(Kept(Sealed(self._status, tuple(headers), body)), outcome)

    def _with_fresh_session(self, outcome: Outcome, headers: Headers, body: bytes) -> Outcome:
        """The outcome; UNKNOWN if a CSRF cookie was sent and no session set: it may be in that cookie.

        And if the application kept a session that the client brought, in a cookie that the door names.
        """
        if outcome is not Outcome.SUCCEEDED or not (self._csrf or self._door.cookies):
            return outcome
        plain = unpacked(headers, body) or b""
        if keeps_session(self._door, headers, self._scope, plain):
            self._cookies.withhold(self._door)
            self._answers.kept_session(self._door)
            return Outcome.UNKNOWN
        if not (self._csrf and credentials_set(self._door, headers, plain).is_empty):
            return outcome
        self._answers.unjudged(self._door, "csrf")
        return Outcome.UNKNOWN

    def _outcome(self, headers: Headers, body: bytes) -> Outcome:
        # Judged by the scope that the application saw: parts that were withheld cannot have caused its answer.
        door, status, scope, sent = self._door, self._status, self._scope, self._context.body_reader.whole
        learned = self._report.outcome or from_start(door, status, headers, scope, sent)
        is_large = bool(self._unread) or len(body) > ANSWER_BYTES_MAX
        plain = unpacked(headers, body) if is_json(headers) and not is_large else None
        self._answers.started(door, status, headers, scope, sent, learned, plain)
        if learned is not None:
            return learned
        if is_large:
            self._answers.unjudged(door, self._unread or "large")
            return Outcome.UNKNOWN
        self._answers.read(door, status, headers, plain)
        return Outcome.UNKNOWN if plain is None else from_body(door, status, plain, headers, scope, sent)

    async def _end(self, kept: Kept, outcome: Outcome) -> None:
        if not self._ended:
            self._ended = True
            refused = self._status == 403
            # Most runs that a client waits for are wrong in an attack, which says nothing about the rule of success.
            if refused or not self._holds:
                self._answers.escrowed(
                    self._door, outcome, withheld(self._context.scope, self._door, self._csrf) if refused else None
                )
            if self._answers.watches_tokens(self._door) and self._is_unpaired():
                self._answers.unpaired(self._door, outcome)
            await self._done(RunResult(kept, outcome, self._report.basis, self._whole()))

    def _is_unpaired(self) -> bool:
        """Whether the request brought cookies and a form's token, and the application saw the token alone."""
        if self._door.cookies or self._csrf or all(map(is_ours, shown(self._context.scope))):
            return False
        return has_form_token(self._context.body_reader.whole)

    def _whole(self) -> Sealed | None:
        if not self._holds or self._unread or not self._is_complete:
            return None
        return Sealed(self._status, tuple(self._headers), bytes(self._body))
