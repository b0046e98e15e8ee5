"""Takes an assessed attempt to its end: a refusal, a question, or the application, at once or when it has room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.asgi.refuser import CROWDED
from sekisho.asgi.report import Report
from sekisho.asgi.response_observer import ResponseObserver
from sekisho.asgi.shared_addresses import AnswerGate
from sekisho.judge.attempt_kind import is_log_in
from sekisho.judge.policy import named_wait_us
from sekisho.model import DEVICE_CLASS, Action, Decision, Device, PasswordsBusy

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sekisho.asgi.asker import AskerCookie
    from sekisho.asgi.endpoint_parts import Places, StepUps
    from sekisho.asgi.keeper import Keeper
    from sekisho.asgi.refuser import Refuser
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.shared_addresses import SharedAddresses
    from sekisho.asgi.types import App
    from sekisho.assessment import Assessment
    from sekisho.model import Verdict
    from sekisho.settler import Settler

_STRANGER: Final = Device.STRANGER  # the name alone is a call in Python 3.11
UNWORKED_SHARE: Final = 0.5
"""The share of the waiting room for strangers who could be asked for work and have done none."""


@final
class Dispatcher:
    """Belongs to one event loop.

    Args:
        app: the application.
        settler: settles attempts that the application does not get.
        keeper: settles the others, by the application's answer.
        refuser: refuses.
        places: where strangers wait.
        step_ups: their ports.
        asker: marks the browser that asks for a code; None where no door takes codes.
        holds: whether the answer to a log-in is held where the account may have a factor.
    """

    def __init__(
        self,
        app: App,
        settler: Settler,
        keeper: Keeper,
        refuser: Refuser,
        *,
        places: Places,
        step_ups: StepUps,
        asker: AskerCookie | None,
        holds: bool,
    ) -> None:
        self._app: Final = app
        self._settler: Final = settler
        self._keeper: Final = keeper
        self._refuser: Final = refuser
        self._admission: Final = places.admission
        self._queue: Final = places.queue
        self._shared: Final = places.shared
        self._step_up: Final = step_ups.asks
        self._consequences: Final = step_ups.consequences
        self._asker: Final = asker
        self._holds: Final = holds

    def has_no_room(self) -> bool:
        """Whether a stranger's attempt, for which no work was done, would find no room even to wait."""
        step_up = self._step_up
        if self._admission.waiting > 0 and self._queue.is_full(self._share(worked=False)):
            return True
        return step_up is not None and step_up.has_no_room()

    async def ask_or_refuse(self, context: RequestContext, assessment: Assessment, *, worked: bool) -> None:
        """Ask for work or a proof where a decision calls for it and it can be given; refuse in all other cases.

        `worked`: the client has done work for this attempt.
        """
        decision, step_up, shared = assessment.decision, self._step_up, self._shared
        if shared is not None and decision.asked is Action.THROTTLE and assessment.verdict.is_of_many:
            return await self._refuse_late(shared, context, decision)
        if step_up is None or decision.asked not in {Action.CHALLENGE, Action.STEP_UP}:
            return await self._refuser.refuse(context, decision)
        # Work before proof: an escrowed run costs a password hash, so the client must pay for it as well.
        if decision.work_first or step_up.wants_work(worked=worked or assessment.device is not _STRANGER):
            return await step_up.work(context, assessment)
        return await step_up.step_up(context, assessment, self._keeper)

    async def _refuse_late(self, shared: SharedAddresses, context: RequestContext, decision: Decision) -> None:
        """Refuse as late as the application would: an account that is spared here must not be told by the time."""
        if shared.enter():
            try:
                await shared.wait()
            finally:
                shared.leave()
        return await self._refuser.refuse(context, decision)

    def onward(self, context: RequestContext, assessment: Assessment, *, worked: bool) -> Awaitable[None]:
        """Pass an attempt on, directly or through what its device and its address call for.

        `worked`: the client has done work for it.
        """
        shared, is_stranger = self._shared, assessment.device is _STRANGER
        if is_stranger and shared is not None and assessment.verdict.is_of_many:
            return self._let_in_at(shared, context, assessment, worked=worked)
        if self._holds and self._is_held(assessment):
            return self._hold(context, assessment, worked=worked)
        if is_stranger and not self._admission.take(context.body_reader, context.digests):
            return self._wait_for_place(context, assessment, worked=worked)
        return self.pass_on(context, assessment)

    def _is_held(self, assessment: Assessment) -> bool:
        """Whether to hold the answer: the account may have enrolled a factor that this device has not shown."""
        attempt, known = assessment.attempt, assessment.device is Device.PROVED
        return self._refuser.enforces and not known and bool(attempt.account) and is_log_in(attempt)

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
        if assessment.verdict.is_spared and self._refuser.enforces:
            return await self._pass_on_spared(shared, context, assessment)
        # Behind a password alone there may be an account with a factor.
        if self._holds and self._is_held(assessment):
            return await self._hold(context, assessment, worked=worked)
        if not self._admission.take(context.body_reader, context.digests):
            return await self._wait_for_place(context, assessment, worked=worked)
        began_s = shared.now_s()
        await self.pass_on(context, assessment)
        return shared.took(began_s)

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
            self._settler.give_back(assessment)
        if not gate.is_open:
            await self._refuser.refuse(context, _throttled(assessment.verdict))
        if failure is not None:
            raise failure

    async def _try_at(
        self, shared: SharedAddresses, context: RequestContext, assessment: Assessment, gate: AnswerGate
    ) -> None:
        if not self._admission.take(context.body_reader, context.digests):
            self._settler.give_back(assessment)
            return await shared.wait()
        began_s = shared.now_s()
        await self.pass_on(context, assessment, gate)
        return shared.took(began_s)

    async def _wait_for_place(self, context: RequestContext, assessment: Assessment, *, worked: bool) -> None:
        """Have a stranger wait while the application has no room. Known devices never wait here.

        Nothing here depends on the secret, which has not been checked.
        """
        share = self._share(worked=worked)
        if not self._refuser.enforces:
            # To wait is no refusal: only for whom there is no room to wait, the answer would be another.
            if self._queue.would_be_full(share):
                asks_work = self._step_up is not None and share == UNWORKED_SHARE
                self._refuser.note(context.door, "challenge_required" if asks_work else "unavailable", CROWDED)
            self._admission.hold(context.body_reader, context.digests)
            return await self.pass_on(context, assessment)
        if await self._queue.wait(context.body_reader, context.digests.site, context.digests.ip, share=share):
            return await self.pass_on(context, assessment)
        if self._step_up is not None and share == UNWORKED_SHARE:
            return await self._step_up.work(context, assessment)
        self._settler.not_tried(assessment)
        return await self._refuser.crowded(context.door, context.scope, context.send, context.origin)

    def _share(self, *, worked: bool) -> float:
        asks = self._step_up is not None and self._step_up.may_ask_work(worked=worked)
        return UNWORKED_SHARE if asks else 1.0

    async def pass_on(self, context: RequestContext, assessment: Assessment, keeper: Keeper | None = None) -> None:
        """Call the application, and settle the attempt by its answer. `keeper`: settles it instead of the usual one."""
        attempt, as_sent = assessment.attempt, context.as_sent
        report = Report(attempt, assessment.decision, assessment.exposure, assessment.device, self._consequences)
        as_sent.setdefault("state", {})["sekisho"] = report

        if self._asker is not None and self._asker.asks(attempt):
            context = context.sending(self._asker.marked(context.send, context.by_name, attempt))
        if self._consequences is not None and attempt.door.changes_account:
            context = context.sending(await self._consequences.changing(context.scope, context.send, attempt))
        observer = ResponseObserver(context, assessment, report, keeper or self._keeper)
        self._settler.begin(assessment)
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
            self._refuser.note(attempt.door, "unavailable", "too many passwords are being checked", in_any_mode=True)
            ending = self._refuser.unavailable(context, busy.retry_after_s * 1_000_000)
        except BaseException:
            # An answer that ends in an exception, a timeout or a cancellation proves nothing, however it began.
            observer.abandon()
            raise
        finally:
            if assessment.device is not before:
                DEVICE_CLASS.set(before)
        if ending is not None:
            await ending


def _throttled(verdict: Verdict) -> Decision:
    """The refusal that the limits of the address call for."""
    wait_us = named_wait_us(verdict, verdict.throttle_wait_us)
    return Decision(Action.THROTTLE, Action.THROTTLE, (), wait_us)
