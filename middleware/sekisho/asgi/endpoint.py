"""The endpoint: reads an attempt, has it assessed, and refuses it or passes it on.

Pure ASGI. Requests that are no attempts pass untouched, streams included. Here and in the other modules of this room
`as_sent` is the scope as the server gave it, which only the application gets; `scope` is the same with header names in
lower case, which everything else reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.answer import (
    Refusal,
    breached_password,
    challenge_required,
    denied,
    disposable_address,
    refuse_websocket,
    retry_after_s,
    send_answer,
    step_up_required,
    too_many_attempts,
    unavailable,
    unreadable_attempt,
)
from sekisho.asgi.body_reader import BodyReader, HungUp
from sekisho.asgi.log_out import LogOut
from sekisho.asgi.other_requests import OtherRequests, why_stale
from sekisho.asgi.proof_headers import LOOK_START, SHOWN, WORK, Carried
from sekisho.asgi.proved_keeper import ProvedKeeper
from sekisho.asgi.report import Report
from sekisho.asgi.request_context import DEVICE_HEADER, RequestContext
from sekisho.asgi.response_observer import ResponseObserver
from sekisho.asgi.shared_addresses import AnswerGate, SharedAddresses
from sekisho.judge.attempt_kind import is_log_in
from sekisho.judge.policy import named_wait_us
from sekisho.model import (
    DEVICE_CLASS,
    Action,
    Attempt,
    Decision,
    Device,
    Door,
    DoorKind,
    Encoding,
    Mode,
    Origin,
    PasswordsBusy,
    SessionUnread,
    StoreUnavailable,
    Unreadable,
)
from sekisho.model.mail_domain import is_of_domains
from sekisho.model.shown_proofs import NOTHING_SHOWN
from sekisho.read import is_basic
from sekisho.read.request import HARMLESS, announces_body, may_hide_body, read_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sekisho.asgi.asker import AskerCookie
    from sekisho.asgi.endpoint_parts import Places, Readers, Refusing, StepUps
    from sekisho.asgi.first_steps import FirstSteps
    from sekisho.asgi.keeper import Keeper
    from sekisho.asgi.ports import Fresh, Stale
    from sekisho.asgi.types import App, Receive, Scope, Send
    from sekisho.assessment import Assessment
    from sekisho.detect import PostureWatch
    from sekisho.model import Verdict
    from sekisho.model.headers import Headers
    from sekisho.pipeline import Guard


NO_UTF8 = (
    "{}: a client's Basic credentials are no UTF-8, and it is refused; if the application reads Latin-1 there, write "
    "basic:latin-1 for basic in SEKISHO_{}, or basic:utf-8|latin-1 if it does so where UTF-8 fails"
)
UNAVAILABLE_US = 2_000_000  # the store is tried again within a second
CROWDED_US = 2_000_000  # a stranger who waits has a turn within a second
CROWDED = "as many strangers' attempts are under way as the application bears"
_STRANGER: Final = Device.STRANGER  # the name alone is a call in Python 3.11
UNWORKED_SHARE = 0.5
"""The share of the waiting room for strangers who could be asked for work and have done none."""


class Endpoint:
    """Guards an application, for one event loop.

    Args:
        app: the application.
        guard: assesses.
        keeper: settles, by the application's answer.
        others: serves requests at no door.
        readers: read a request.
        refusing: refuses and records.
        places: where strangers wait.
        step_ups: their ports.
        mode: `ENFORCE`, or `MONITOR` to refuse no attempt.
        watch: knows the posture; None where the posture changes nothing.
    """

    def __init__(  # noqa: PLR0913 - all its parts arrive from outside
        self,
        app: App,
        guard: Guard,
        keeper: Keeper,
        others: OtherRequests,
        *,
        readers: Readers,
        refusing: Refusing,
        places: Places,
        step_ups: StepUps,
        mode: Mode,
        watch: PostureWatch | None,
    ) -> None:
        self._app = app
        self._guard = guard
        self._keeper = keeper
        self._others = others
        self._reading = readers.reading
        self._attempts = readers.attempts
        self._patience = readers.patience
        self._cookie = readers.cookie
        self._asker = readers.asker
        self._first_steps = readers.first_steps
        self._renderer = refusing.renderer
        self._events = refusing.events
        self._refusals = refusing.refusals
        self._pace = refusing.pace
        self._jitter = refusing.jitter
        self._admission = places.admission
        self._queue = places.queue
        self._shared = places.shared
        self._step_up = step_ups.asks
        self._routes = step_ups.routes
        self._on_file = step_ups.on_file
        self._contacts = step_ups.contacts
        self._fresh = step_ups.fresh
        self._consequences = step_ups.consequences
        self._passkeys = step_ups.passkeys
        self.mode = mode  # an operator may change it at run time
        self._watch = watch
        self._holds: Final = watch is not None and step_ups.asks is not None and step_ups.asks.proves

    def __call__(self, as_sent: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        scope, by_name = read_headers(as_sent)
        try:
            door = self._reading.doors.find(scope)
        except Unreadable:
            return self._others.stray(as_sent, scope, receive, send, enforces=self.mode is Mode.ENFORCE)
        if door is None:
            return self._elsewhere(as_sent, scope, by_name, receive, send)
        return self._at_door(door, as_sent, scope, by_name, receive, send)

    async def _at_door(
        self, door: Door, as_sent: Scope, scope: Scope, by_name: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        if scope["type"] == "websocket":
            return await self._refuse_websocket(door, as_sent, scope, receive, send)

        if self._admission.shed_share and self.mode is Mode.ENFORCE and not door.is_mixed and self._is_beyond(by_name):
            return await self._crowded_in_turn(door, scope, send)
        context = self._attempts.context(door, as_sent, scope, by_name, receive, send)
        if _is_planted(context) and self.mode is Mode.ENFORCE:
            self._events.unreadable(door, "cross_site", context.origin)
            self._note(door, "denied", "cross_site")
            return await self._answer(context, denied())
        # In monitor mode every attempt is assessed, once; a refusal that is due here is found again later.
        skips_shed, token = door.is_mixed or self.mode is Mode.MONITOR, context.presented.token
        stop = self._guard.at_the_gate(context.origin, context.digests, token=token, skips_shed=skips_shed)
        if stop and not self._earns_look(context, stop) and self._refuses(context, stop):
            return await self._refuse_in_turn(context, stop)
        # Nothing is awaited inside an exception handler, here and below: compiled code would lose cancellations.
        on: Awaitable[None]
        try:
            attempt = await self._attempts.read(context)
            if attempt is None:
                on = self._app(as_sent, context.body_reader.replay, send)
            elif not attempt.door.fields:
                on = self._log_out(context, attempt.door)
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
        step_up, waiting = self._step_up, self._admission.waiting
        return (
            (
                (waiting > 0 and self._queue.is_full(self._share(worked=False)))
                or (step_up is not None and step_up.has_no_room())
            )
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
        return self._others.serve(as_sent, scope, by_name, receive, send, enforces=self.mode is Mode.ENFORCE)

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
        enforces = self.mode is Mode.ENFORCE
        return await self._others.serve(as_sent, scope, by_name, receive, send, has_body=has_body, enforces=enforces)

    def _unpack(self, context: RequestContext, body: bytes) -> Awaitable[None]:
        """Unpack a work page's form: its request is handled as if it had been sent again."""
        assert self._routes is not None  # noqa: S101 - or nobody had looked for one
        return self._routes.unpack(context, body, guarded=self)

    async def _try(self, context: RequestContext, attempt: Attempt) -> None:
        needs_family = bool(attempt.token) or self._watch is not None or self._shared is not None
        family = context.family if needs_family else 0
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
        if self._refuses(context, assessment.decision, assessment):
            return await self._ask_or_refuse(context, assessment, worked=shown.worked)
        is_special = attempt.new_secret or attempt.door.is_answered_first or self._reading.disposable
        if is_special and await self._answers_itself(context, assessment, contacted=shown.contacted):
            return None
        return await self._onward(context, assessment, worked=shown.worked)

    def _onward(self, context: RequestContext, assessment: Assessment, *, worked: bool) -> Awaitable[None]:
        """Pass an attempt on, directly or through what its device and its address call for."""
        shared, is_stranger = self._shared, assessment.device is _STRANGER
        if is_stranger and shared is not None and assessment.verdict.is_of_many:
            return self._let_in_at(shared, context, assessment, worked=worked)
        if self._holds and self._is_held(assessment):
            return self._hold(context, assessment, worked=worked)
        if is_stranger and not self._admission.take(context.body_reader, context.digests):
            return self._wait_for_place(context, assessment, worked=worked)
        return self._pass_on(context, assessment)

    def _is_held(self, assessment: Assessment) -> bool:
        """Whether to hold the answer: the account may have enrolled a factor that this device has not shown."""
        attempt, known = assessment.attempt, assessment.device is Device.PROVED
        return self.mode is Mode.ENFORCE and not known and bool(attempt.account) and is_log_in(attempt)

    async def _hold(self, context: RequestContext, assessment: Assessment, *, worked: bool) -> None:
        step_up = self._step_up
        assert step_up is not None  # noqa: S101 - without factors nothing is held
        if step_up.wants_work(worked=worked or assessment.device is not _STRANGER):
            return await step_up.work(context, assessment)
        return await step_up.hold(context, assessment, self._keeper)

    async def _let_in_at(
        self, shared: SharedAddresses, context: RequestContext, assessment: Assessment, *, worked: bool
    ) -> None:
        """Pass a stranger on from an address that many owners share, and learn how long the application takes."""
        if assessment.verdict.is_spared and self.mode is Mode.ENFORCE:
            return await self._pass_on_spared(shared, context, assessment)
        # Behind a password alone there may be an account with a factor.
        if self._holds and self._is_held(assessment):
            return await self._hold(context, assessment, worked=worked)
        if not self._admission.take(context.body_reader, context.digests):
            return await self._wait_for_place(context, assessment, worked=worked)
        began_s = shared.now_s()
        await self._pass_on(context, assessment)
        return shared.took(began_s)

    async def _refuse_late(self, shared: SharedAddresses, context: RequestContext, decision: Decision) -> None:
        """Refuse as late as the application would: an account that is spared here must not be told by the time."""
        if shared.enter():
            try:
                await shared.wait()
            finally:
                shared.leave()
        return await self._refuse(context, decision)

    async def _pass_on_spared(self, shared: SharedAddresses, context: RequestContext, assessment: Assessment) -> None:
        """Try an account that is known at an address over its limits. Only a success is answered as such."""
        gate, failure = AnswerGate(context.send, self._keeper), None
        if shared.enter():
            try:
                await self._try_at(shared, context.sending(gate.send), assessment, gate)
            except Exception as error:  # noqa: BLE001 - raised again, once the client has its answer
                failure = error
            finally:
                shared.leave()
        else:
            self._guard.give_back(assessment)
        if not gate.is_open:
            await self._refuse(context, _throttled(assessment.verdict))
        if failure is not None:
            raise failure

    async def _try_at(
        self, shared: SharedAddresses, context: RequestContext, assessment: Assessment, gate: AnswerGate
    ) -> None:
        if not self._admission.take(context.body_reader, context.digests):
            self._guard.give_back(assessment)
            return await shared.wait()
        began_s = shared.now_s()
        await self._pass_on(context, assessment, gate)
        return shared.took(began_s)

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
            if self._fresh is not None and found is not None and self.mode is Mode.ENFORCE:
                stale = await why_stale(self._fresh, found)
                if stale is not None:
                    return self._fresh.fresh_proof(context.scope, context.send, stale)
            linking = self._guard.account_digest(self._reading.accounts, account)
        return asker.of(context.by_name, attempt) if attempt.secret else b"", linking

    async def _answers_itself(self, context: RequestContext, assessment: Assessment, *, contacted: bool) -> bool:
        """Whether the attempt was answered here, because of what it asks for: an account, a password, a reset."""
        attempt = assessment.attempt
        if self._reading.disposable and self._refuses_address(attempt):
            await self._answer(context, disposable_address())
            return True
        if attempt.new_secret and await self._refuses_choice(attempt):
            self._guard.give_back(assessment)
            await self._answer(context, breached_password())
            return True
        return attempt.door.is_answered_first and await self._answers_first(context, assessment, contacted=contacted)

    async def _answers_first(self, context: RequestContext, assessment: Assessment, *, contacted: bool) -> bool:
        """Whether the attempt was answered before the application, or instead of it."""
        attempt = assessment.attempt
        if attempt.door.shows_passkey:
            await self._by_passkey(context, assessment)
            return True
        if self.mode is not Mode.ENFORCE:
            return False
        if self._contacts is not None and attempt.door.contact and not contacted:
            await self._contacts.ask(context, assessment)
            return True
        if self._on_file is None or not attempt.door.on_file:
            return False
        if self._asker is not None:
            context = context.sending(self._asker.marked(context.send, context.by_name, attempt))
        await self._on_file.answer(context, assessment)
        return True

    async def _by_passkey(self, context: RequestContext, assessment: Assessment) -> None:
        """Pass a log-in on that a passkey begins, with the account that it proves: in monitor mode as well."""
        found = await self._passkeys.prove(context, assessment) if self._passkeys is not None else None
        if found is None:
            return None
        attempt, account = assessment.attempt, found.account
        canonical = self._reading.accounts.canonical(account)
        proved = Attempt(attempt.door, attempt.origin, account, canonical, attempt.secret, attempt.token)
        keeper = ProvedKeeper(self._keeper, found.grants)
        return await self._pass_on(context.sending(found.send), assessment.proved(proved), keeper)

    async def _wait_for_place(self, context: RequestContext, assessment: Assessment, *, worked: bool) -> None:
        """Have a stranger wait while the application has no room. Known devices never wait here.

        Nothing here depends on the secret, which has not been checked.
        """
        if self.mode is Mode.MONITOR:
            self._note(context.door, "unavailable", CROWDED)
            return await self._pass_on(context, assessment)
        share = self._share(worked=worked)
        if await self._queue.wait(context.body_reader, context.digests.site, context.digests.ip, share=share):
            return await self._pass_on(context, assessment)
        if self._step_up is not None and share == UNWORKED_SHARE:
            return await self._step_up.work(context, assessment)
        self._guard.not_tried(assessment)
        return await self._crowded(context.door, context.scope, context.send, context.origin)

    def _share(self, *, worked: bool) -> float:
        asks = self._step_up is not None and self._step_up.may_ask_work(worked=worked)
        return UNWORKED_SHARE if asks else 1.0

    def _crowded(self, door: Door, scope: Scope, send: Send, origin: Origin | None = None) -> Awaitable[None]:
        self._events.crowded(door, origin)
        self._note(door, "unavailable", CROWDED)
        refusal = unavailable(retry_after_s(CROWDED_US, self._jitter()))
        return send_answer(send, self._renderer.render(refusal, scope["headers"]))

    async def _pass_on(self, context: RequestContext, assessment: Assessment, keeper: Keeper | None = None) -> None:
        attempt, as_sent = assessment.attempt, context.as_sent
        report = Report(attempt, assessment.decision, assessment.exposure, assessment.device, self._consequences)
        as_sent.setdefault("state", {})["sekisho"] = report

        if self._asker is not None and self._asker.asks(attempt):
            context = context.sending(self._asker.marked(context.send, context.by_name, attempt))
        if self._consequences is not None and attempt.door.changes_account:
            context = context.sending(await self._consequences.changing(context.scope, context.send, attempt))
        observer = ResponseObserver(context, assessment, report, keeper or self._keeper)
        self._guard.begin(assessment)
        before = DEVICE_CLASS.get()
        # Nothing to set for a stranger: that is the variable's default.
        if assessment.device is not before:
            DEVICE_CLASS.set(assessment.device)
        ending: Awaitable[None] | None
        try:
            await self._app(as_sent, context.body_reader.replay, observer.send)
            ending = observer.close()
        except PasswordsBusy as busy:
            self._admission.answered(context.body_reader, 503)
            observer.abandon()
            if observer.has_begun:
                raise
            wait_us = busy.retry_after_s * 1_000_000
            self._note(attempt.door, "unavailable", "too many passwords are being checked")
            ending = self._answer(context, unavailable(retry_after_s(wait_us, self._jitter())))
        except BaseException:
            # An answer that ends in an exception, a timeout or a cancellation proves nothing, however it began.
            observer.abandon()
            raise
        finally:
            if assessment.device is not before:
                DEVICE_CLASS.set(before)
        if ending is not None:
            await ending

    # Refusing.

    def _refuses(self, context: RequestContext, decision: Decision, assessment: Assessment | None = None) -> bool:
        door = context.door
        if assessment is None:
            self._events.decided(door, decision, self.mode, context.origin)
        else:
            self._events.decided(
                door, decision, self.mode, context.origin, assessment.attempt, assessment.device, assessment
            )
        if decision.passes:
            return False
        enforced = self.mode is Mode.ENFORCE
        self._refusals.decided(door.name, decision, enforced=enforced)
        return enforced

    async def _refuses_choice(self, attempt: Attempt) -> bool:
        """Whether to refuse the new password because it has leaked (NIST SP 800-63B-4, 3.1.1.2)."""
        breached = await self._guard.weigh_choice(attempt)
        self._events.chosen(attempt.door, breached=breached, attempt=attempt)
        if breached:
            self._note(attempt.door, "breached_password", "the new password has leaked")
        return bool(breached) and self.mode is Mode.ENFORCE

    def _refuses_address(self, attempt: Attempt) -> bool:
        """Whether a new account's mail address is of a provider that the operator does not accept."""
        address = attempt.address or attempt.account
        if attempt.door.kind is not DoorKind.SIGNUP or not is_of_domains(address, self._reading.disposable):
            return False
        self._note(attempt.door, "disposable_address", "the address is of a disposable mail domain")
        return self.mode is Mode.ENFORCE

    def _note(self, door: Door, code: str, reason: str) -> None:
        self._refusals.answered(door.name, code, reason, enforced=self.mode is Mode.ENFORCE)

    async def _ask_or_refuse(self, context: RequestContext, assessment: Assessment, *, worked: bool) -> None:
        decision, step_up, shared = assessment.decision, self._step_up, self._shared
        if shared is not None and decision.asked is Action.THROTTLE and assessment.verdict.is_of_many:
            return await self._refuse_late(shared, context, decision)
        if step_up is None or decision.asked not in {Action.CHALLENGE, Action.STEP_UP}:
            return await self._refuse(context, decision)
        # Work before proof: an escrowed run costs a password hash, so the client must pay for it as well.
        if decision.work_first or step_up.wants_work(worked=worked or assessment.device is not _STRANGER):
            return await step_up.work(context, assessment)
        return await step_up.step_up(context, assessment, self._keeper)

    # Plain functions that return an awaitable: a flood of refusals pays for no coroutine in between.

    def _refuse(self, context: RequestContext, decision: Decision) -> Awaitable[None]:
        self._reading.callers.remember(context.caller)
        return self._answer(context, self._refusal(decision))

    def _refuse_in_turn(self, context: RequestContext, decision: Decision) -> Awaitable[None]:
        return self._refuse_later(context, decision) if self._pace.holds() else self._refuse(context, decision)

    async def _refuse_later(self, context: RequestContext, decision: Decision) -> None:
        await self._pace.hold()
        return await self._refuse(context, decision)

    async def _crowded_in_turn(self, door: Door, scope: Scope, send: Send) -> None:
        if self._pace.holds():
            await self._pace.hold()
        return await self._crowded(door, scope, send)

    def _refusal(self, decision: Decision) -> Refusal:
        match decision.asked:
            case Action.DENY:
                return denied()
            case Action.STEP_UP:
                return step_up_required()
            case Action.CHALLENGE:
                return challenge_required()
            case _:
                return too_many_attempts(retry_after_s(decision.wait_us, self._jitter()))

    def _unread(self, context: RequestContext, error: Unreadable | SessionUnread) -> Awaitable[None]:
        # If a session's database fails, guesses at codes would be counted by address alone, for as long as it does.
        if isinstance(error, SessionUnread):
            return self._unavailable(context)
        steps = self._first_steps
        if steps is not None and error.reason == "secret_missing" and steps.finds(context):
            return self._first_step(steps, context)
        return self._unreadable(context, error)

    async def _first_step(self, steps: FirstSteps, context: RequestContext) -> None:
        wait_us, enforces = steps.wait_us(context), self.mode is Mode.ENFORCE
        if wait_us:
            self._note(context.door, "too_many_attempts", "first steps of one address")
            if enforces:
                return await self._answer(context, too_many_attempts(retry_after_s(wait_us, self._jitter())))
        if await steps.pass_on(context, withholds=enforces):
            self._note(context.door, "unreadable_attempt", "a first step that logs in")
            await self._answer(context, unreadable_attempt(400))
        return None

    async def _unreadable(self, context: RequestContext, error: Unreadable) -> None:
        """Refuse an unreadable attempt and charge its sender: a more lenient application would have tried it."""
        self._events.unreadable(context.door, error.reason, context.origin)
        if error.reason == "not_unicode" and _shows_basic(context):
            self._events.anomaly(NO_UTF8.format(context.door.name, context.door.kind.name))
        if _is_look(context) and self.mode is Mode.ENFORCE:
            return await self._answer(context, unreadable_attempt(error.status))
        nothing = Attempt(context.door, context.origin, "", "", "")
        assessment: Assessment | None
        try:
            assessment = await self._guard.assess(nothing, context.digests)
        except StoreUnavailable:
            assessment = None
        if assessment is None:
            return await self._unavailable(context)
        decision = assessment.decision
        # An unreadable attempt names no account, so no proof can be asked for.
        stern = decision.asked in {Action.THROTTLE, Action.DENY}
        if stern:
            self._refusals.decided(context.door.name, decision, enforced=self.mode is Mode.ENFORCE)
        else:
            self._note(context.door, "unreadable_attempt", error.reason)
        if self.mode is Mode.MONITOR:
            return await self._app(context.as_sent, context.body_reader.replay, context.send)
        refusal = self._refusal(decision) if stern else unreadable_attempt(error.status)
        # The rest of the body is still arriving; a kept connection would have to read it.
        return await self._answer(context, refusal, hang_up=error.status in {408, 413})

    async def _unavailable(self, context: RequestContext) -> None:
        self._note(context.door, "unavailable", "it cannot be counted")
        if self.mode is Mode.MONITOR:
            return await self._app(context.as_sent, context.body_reader.replay, context.send)
        return await self._answer(context, unavailable(retry_after_s(UNAVAILABLE_US, self._jitter())))

    def _log_out(self, context: RequestContext, door: Door) -> Awaitable[None]:
        """Pass a log-out on, whose success ends what this browser has begun and proved."""
        forgotten: Headers = []
        # Only what the request shows: a form on another site shows no cookies, and must not make an owner a stranger.
        if door.forgets_device and context.presented.token:
            elsewhere = self._renderer.is_elsewhere(context.by_name, context.scope["headers"])
            gone = self._cookie.deleted(elsewhere=elsewhere)
            forgotten = [(DEVICE_HEADER, b"") if context.presented.by_header else (b"set-cookie", gone)]
        log_out = LogOut(context.scope, context.send, self._consequences, forgotten)
        return self._app(context.as_sent, context.body_reader.replay, log_out.send)

    def _refuse_websocket(
        self, door: Door, as_sent: Scope, scope: Scope, receive: Receive, send: Send
    ) -> Awaitable[None]:
        # Attempts over a WebSocket would not be counted.
        self._note(door, "denied", "websocket")
        if self.mode is Mode.MONITOR:
            return self._app(as_sent, receive, send)
        return refuse_websocket(scope, receive, send, self._renderer.render(denied(), scope["headers"]))

    def _answer(self, context: RequestContext, refusal: Refusal, *, hang_up: bool = False) -> Awaitable[None]:
        answer = self._renderer.render(refusal, context.scope["headers"])
        if hang_up and context.scope.get("http_version", "1.1").startswith("1"):
            answer = answer.adding((b"connection", b"close"))
        return send_answer(context.send, answer)


def _throttled(verdict: Verdict) -> Decision:
    """The refusal that the limits of the address call for."""
    wait_us = named_wait_us(verdict, verdict.throttle_wait_us)
    return Decision(Action.THROTTLE, Action.THROTTLE, (), wait_us)


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
