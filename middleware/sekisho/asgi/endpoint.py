"""The endpoint: reads an attempt, has it assessed, and refuses it or passes it on.

Pure ASGI. Requests that are no attempts pass untouched, streams included. Here and in the other modules of this room
`as_sent` is the scope as the server gave it, which only the application gets; `scope` is the same with header names in
lower case, which everything else reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.answer import denied, unreadable_attempt
from sekisho.asgi.body_reader import BodyReader, HungUp
from sekisho.asgi.other_requests import why_stale
from sekisho.asgi.proof_headers import LOOK_START, SHOWN, WORK, Carried
from sekisho.asgi.stacked import ASIDE
from sekisho.model import (
    Action,
    Attempt,
    Decision,
    Door,
    DoorKind,
    Encoding,
    SessionUnread,
    StoreUnavailable,
    Unreadable,
)
from sekisho.model.shown_proofs import NOTHING_SHOWN
from sekisho.read import is_basic
from sekisho.read.request import HARMLESS, announces_body, may_hide_body, read_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sekisho.asgi.admission import Admission
    from sekisho.asgi.asker import AskerCookie
    from sekisho.asgi.endpoint_parts import Readers, StepUps
    from sekisho.asgi.first_steps import FirstSteps
    from sekisho.asgi.handlers import Handlers
    from sekisho.asgi.ports import Fresh, Stale
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.types import App, Receive, Scope, Send
    from sekisho.assessment import Assessment
    from sekisho.gate import Gate
    from sekisho.pipeline import Guard
    from sekisho.record import Events


NO_UTF8 = (
    "{}: a client's Basic credentials are no UTF-8, and it is refused; if the application reads Latin-1 there, write "
    "basic:latin-1 for basic in SEKISHO_{}, or basic:utf-8|latin-1 if it does so where UTF-8 fails"
)
UNAVAILABLE_US = 2_000_000  # the store is tried again within a second


class Endpoint:
    """Guards an application, for one event loop.

    Args:
        app: the application.
        gate: refuses before the body is read.
        guard: assesses.
        readers: read a request.
        handlers: take a request to its end.
        admission: knows whether strangers are refused unread.
        step_ups: their ports.
        events: counts requests that cannot be read.
        judges_browsers: whether the browser's family counts for strangers too.
    """

    def __init__(  # noqa: PLR0913 - all its parts arrive from outside
        self,
        app: App,
        gate: Gate,
        guard: Guard,
        *,
        readers: Readers,
        handlers: Handlers,
        admission: Admission,
        step_ups: StepUps,
        events: Events,
        judges_browsers: bool,
    ) -> None:
        self._app: Final = app
        self._gate: Final = gate
        self._guard: Final = guard
        self._reading: Final = readers.reading
        self._attempts: Final = readers.attempts
        self._patience: Final = readers.patience
        self._mark: Final = readers.mark
        self._asker: Final = readers.asker
        self._refuser: Final = handlers.refuser
        self._dispatcher: Final = handlers.dispatcher
        self._own_answers: Final = handlers.own_answers
        self._log_outs: Final = handlers.log_outs
        self._others: Final = handlers.others
        self._first_steps: Final = handlers.first_steps
        self._admission: Final = admission
        self._step_up: Final = step_ups.asks
        self._routes: Final = step_ups.routes
        self._fresh: Final = step_ups.fresh
        self._events: Final = events
        self._judges_browsers: Final = judges_browsers

    def __call__(self, as_sent: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        scope, by_name = read_headers(as_sent)
        try:
            door = self._reading.doors.find(scope)
        except Unreadable:
            return self._others.stray(as_sent, scope, receive, send, enforces=self._refuser.enforces)
        if door is None:
            return self._elsewhere(as_sent, scope, by_name, receive, send)
        return self._at_door(door, as_sent, scope, by_name, receive, send)

    async def _at_door(
        self, door: Door, as_sent: Scope, scope: Scope, by_name: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        as_sent[ASIDE] = self._mark  # a second guard behind this one would charge the attempt once more
        if scope["type"] == "websocket":
            return await self._refuse_websocket(door, as_sent, scope, receive, send)

        if self._admission.shed_share and self._refuser.enforces and not door.is_mixed and self._is_beyond(by_name):
            return await self._refuser.crowded_in_turn(door, scope, send)
        context = self._attempts.context(door, as_sent, scope, by_name, receive, send)
        if _is_planted(context) and self._refuser.enforces:
            self._events.unreadable(door, "cross_site", context.origin)
            self._refuser.note(door, "denied", "cross_site")
            return await self._refuser.answer(context, denied())
        # In monitor mode every attempt is assessed, once; a refusal that is due here is found again later.
        skips_shed, token = door.is_mixed or not self._refuser.enforces, context.presented.token
        stop = self._gate.refusal(context.origin, context.digests, token=token, skips_shed=skips_shed)
        if stop and not self._earns_look(context, stop) and self._refuser.refuses(context, stop):
            return await self._refuser.refuse_in_turn(context, stop)
        # Nothing is awaited inside an exception handler, here and below: compiled code would lose cancellations.
        on: Awaitable[None]
        try:
            attempt = await self._attempts.read(context)
            if attempt is None:
                on = self._app(as_sent, context.body_reader.replay, send)
            elif not attempt.door.fields:
                on = self._log_outs.pass_on(context, attempt.door)
            else:
                on = self._try(context if attempt.door is door else context.at(attempt.door), attempt)
        except (Unreadable, SessionUnread) as error:
            on = self._unread(context, error)
        except Carried as form:
            on = self._unpack(context, form.body)
        except HungUp:
            return self._events.unreadable(door, "hung_up", context.origin)
        return await on

    def _is_beyond(self, by_name: dict[bytes, bytes]) -> bool:
        """Whether to refuse this request unread: the event loop is late, and a stranger would find no room to wait.

        Requests that carry a genuine device token, work or a proof are always read.
        """
        return (
            self._dispatcher.has_no_room()
            and by_name.keys().isdisjoint(SHOWN)
            and not self._guard.devices.has_genuine_token(self._attempts.presented(by_name).token)
            and self._admission.sheds()
        )

    def _earns_look(self, context: RequestContext, stop: Decision) -> bool:
        # The answer to a question for work uses the charge of the question. Otherwise thirty owners behind one address,
        # all asked within a moment, would use up the limit with their questions, and none could answer.
        if self._step_up is None or stop.asked is not Action.THROTTLE:
            return False
        shows = WORK in context.by_name or context.by_name.get(b"cookie", b"").find(LOOK_START) >= 0
        return shows and self._step_up.earns_look(context)

    def _elsewhere(
        self, as_sent: Scope, scope: Scope, by_name: dict[bytes, bytes], receive: Receive, send: Send
    ) -> Awaitable[None]:
        """Serve a request that is no attempt by its headers: a page of the guard's own, or any other."""
        if self._routes is not None and self._routes.finds(scope):
            return self._routes.serve(scope, receive, send, guarded=self)
        if may_hide_body(scope) and self._concerns(scope):
            return self._by_body(as_sent, scope, by_name, receive, send)
        return self._others.serve(as_sent, scope, by_name, receive, send, enforces=self._refuser.enforces)

    def _concerns(self, scope: Scope) -> bool:
        """Whether a body would make this an attempt, or a request for a protected route."""
        return self._reading.doors.find(scope, has_body=True) is not None or self._others.bars_by_body(scope)

    async def _by_body(
        self, as_sent: Scope, scope: Scope, by_name: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        """Serve a request by whether it has a body, which over HTTP/2 its headers need not announce."""
        body_reader = BodyReader(receive)
        try:
            has_body = await body_reader.has_body(patience=self._patience)
        except HungUp:
            return None
        receive = body_reader.replay
        if has_body and (door := self._reading.doors.find(scope, has_body=True)):
            return await self._at_door(door, as_sent, scope, by_name, receive, send)
        enforces = self._refuser.enforces
        return await self._others.serve(as_sent, scope, by_name, receive, send, has_body=has_body, enforces=enforces)

    def _unpack(self, context: RequestContext, body: bytes) -> Awaitable[None]:
        """Unpack a work page's form: its request is handled as if it had been sent again."""
        assert self._routes is not None  # noqa: S101 - or nobody had looked for one
        return self._routes.unpack(context, body, guarded=self)

    async def _try(self, context: RequestContext, attempt: Attempt) -> None:
        family = context.family if attempt.token or self._judges_browsers else 0
        step_up = self._step_up
        shown, asker, linking = NOTHING_SHOWN, b"", b""
        if self._asker is not None and (attempt.secret or attempt.door.kind is DoorKind.LINK):
            asked = await self._asking(self._asker, context, attempt)
            if not isinstance(asked, tuple):
                return await asked
            asker, linking = asked
        assessment: Assessment | None
        try:
            if step_up is not None and not context.by_name.keys().isdisjoint(SHOWN):
                shown = await step_up.shown(context, attempt)
            if asker or linking:
                shown = shown.beside(asker, linking)
            assessment = await self._guard.assess(attempt, context.digests, family=family, shown=shown)
        except StoreUnavailable:
            assessment = None
        if assessment is None:
            return await self._unavailable(context)
        if self._refuser.refuses(context, assessment.decision, assessment):
            return await self._dispatcher.ask_or_refuse(context, assessment, worked=shown.worked)
        own_answers = self._own_answers
        if own_answers.may_answer(attempt) and await own_answers.answers(
            context, assessment, contacted=shown.contacted
        ):
            return None
        return await self._dispatcher.onward(context, assessment, worked=shown.worked)

    async def _asking(
        self, asker: AskerCookie, context: RequestContext, attempt: Attempt
    ) -> tuple[bytes, bytes] | Awaitable[None]:
        """The name of the browser if it asked for the code, and the session's account if it links another.

        Or the answer still owed, where that account must show a proof before: the account that is linked proves nothing
        of the client.
        """
        linking = b""
        if attempt.door.kind is DoorKind.LINK:
            found: Fresh | Stale | None = None
            try:
                if self._fresh is not None:
                    found = await self._fresh.linking(context.scope, context.door)
                account = (found.account if found is not None else "") or await asker.account_of(context.scope)
            except SessionUnread:
                return self._unavailable(context)
            if self._fresh is not None and found is not None and self._refuser.enforces:
                stale = await why_stale(self._fresh, found)
                if stale is not None:
                    return self._fresh.fresh_proof(context.scope, context.send, stale)
            linking = self._guard.account_digest(self._reading.accounts, account)
        return asker.of(context.by_name, attempt) if attempt.secret else b"", linking

    def _unread(self, context: RequestContext, error: Unreadable | SessionUnread) -> Awaitable[None]:
        # If a session's database fails, guesses at codes would be counted by address alone, for as long as it does.
        if isinstance(error, SessionUnread):
            return self._unavailable(context)
        steps = self._first_steps
        if steps is not None and error.reason == "secret_missing" and steps.finds(context):
            return self._first_step(steps, context)
        if steps is not None and error.reason == "account_missing" and steps.may_be_second(context):
            return self._second_step(steps, context, error)
        return self._unreadable(context, error)

    async def _second_step(self, steps: FirstSteps, context: RequestContext, error: Unreadable) -> None:
        on: Awaitable[None]
        try:
            attempt = await steps.second(context)
            on = self._unreadable(context, error) if attempt is None else self._try(context, attempt)
        except Unreadable as other:
            on = self._unreadable(context, other)
        except SessionUnread:
            on = self._unavailable(context)
        return await on

    async def _first_step(self, steps: FirstSteps, context: RequestContext) -> None:
        wait_us, enforces = steps.wait_us(context), self._refuser.enforces
        if wait_us:
            self._refuser.note(context.door, "too_many_attempts", "first steps of one address")
            if enforces:
                return await self._refuser.throttle(context, wait_us)
        if await steps.pass_on(context, withholds=enforces):
            self._refuser.note(context.door, "unreadable_attempt", "a first step that logs in")
            await self._refuser.answer(context, unreadable_attempt(400))
        return None

    async def _unreadable(self, context: RequestContext, error: Unreadable) -> None:
        """Refuse an unreadable attempt and charge its sender: a more lenient application would have tried it."""
        self._events.unreadable(context.door, error.reason, context.origin)
        if error.reason == "not_unicode" and _shows_basic(context):
            self._events.anomaly(NO_UTF8.format(context.door.name, context.door.kind.name))
        if _is_look(context) and self._refuser.enforces:
            return await self._refuser.answer(context, unreadable_attempt(error.status))
        nothing = Attempt(context.door, context.origin, "", "", "")
        assessment: Assessment | None
        try:
            assessment = await self._guard.assess(nothing, context.digests)
        except StoreUnavailable:
            assessment = None
        if assessment is None:
            return await self._unavailable(context)
        return await self._refuse_unreadable(context, error, assessment.decision)

    def _refuse_unreadable(self, context: RequestContext, error: Unreadable, decision: Decision) -> Awaitable[None]:
        # An unreadable attempt names no account, so no proof can be asked for.
        stern = decision.asked in {Action.THROTTLE, Action.DENY}
        if stern:
            self._refuser.note_decision(context.door, decision)
        else:
            self._refuser.note(context.door, "unreadable_attempt", error.reason)
        if not self._refuser.enforces:
            return self._unguarded(context)
        refusal = self._refuser.refusal(decision) if stern else unreadable_attempt(error.status)
        # The rest of the body is still arriving; a kept connection would have to read it.
        return self._refuser.answer(context, refusal, hang_up=error.status in {408, 413})

    def _unavailable(self, context: RequestContext) -> Awaitable[None]:
        self._refuser.note(context.door, "unavailable", "it cannot be counted")
        if not self._refuser.enforces:
            return self._unguarded(context)
        return self._refuser.unavailable(context, UNAVAILABLE_US)

    def _unguarded(self, context: RequestContext) -> Awaitable[None]:
        return self._app(context.as_sent, context.body_reader.replay, context.send)

    def _refuse_websocket(
        self, door: Door, as_sent: Scope, scope: Scope, receive: Receive, send: Send
    ) -> Awaitable[None]:
        # Attempts over a WebSocket would not be counted.
        self._refuser.note(door, "denied", "websocket")
        if not self._refuser.enforces:
            return self._app(as_sent, receive, send)
        return self._refuser.websocket(scope, receive, send)


def _shows_basic(context: RequestContext) -> bool:
    opens = any(fields.encoding is Encoding.BASIC for fields in context.door.fields)
    return opens and is_basic(context.by_name.get(b"authorization", b""))


def _is_look(context: RequestContext) -> bool:
    """Whether this is a plain page view, as any link or image on another site can cause it.

    Such a request is refused but not charged: twenty images on another site would use up their visitor's address limit.
    """
    return (
        context.scope["method"] in HARMLESS
        and context.door.reads_body
        and b"authorization" not in context.by_name
        and not announces_body(context.scope["headers"])
        and not context.body_reader.body
    )


def _is_planted(context: RequestContext) -> bool:
    """Whether a page of another site caused this request unseen, by an image or a hidden frame.

    No genuine log-in arrives this way. A client that sends these headers itself is only refused.
    """
    by_name = context.by_name
    return (
        by_name.get(b"sec-fetch-site") == b"cross-site"
        and not context.door.by_header
        and by_name.get(b"sec-fetch-mode") != b"cors"
        and by_name.get(b"sec-fetch-dest") != b"document"
    )
