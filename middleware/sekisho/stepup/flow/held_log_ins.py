"""Log-ins whose answer is held until the application's run has shown whether the secret is right.

The run goes on in a task of its own. Its answer stays sealed until the proof, or is released without one.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from sekisho.answer import Answer, send_answer
from sekisho.devices.token import browser_name
from sekisho.judge.policy import asks_all
from sekisho.model import Device, Outcome, SekishoError

if TYPE_CHECKING:
    from sekisho.asgi.keeper import Keeper
    from sekisho.asgi.request_context import RequestContext
    from sekisho.assessment import Assessment
    from sekisho.detect import PostureWatch
    from sekisho.pipeline import Guard
    from sekisho.record import Events
    from sekisho.stepup.escrow import Sealed, Ticket
    from sekisho.stepup.flow.aged_devices import AgedDevices
    from sekisho.stepup.flow.escrowed_run import RunResult
    from sekisho.stepup.flow.escrowed_runs import EscrowedRuns, IssuedStepUp
    from sekisho.stepup.flow.parts import Proving
    from sekisho.stepup.flow.questions import Questions

T = TypeVar("T")

HELD_S: Final = 45.0
"""How long the answer to a held log-in is waited for: longer than a run may wait for its turn and take."""

QUESTION_S: Final = 2.0
"""Where familiar strangers are spared, every question at a log-in leaves so long after its run was queued."""

HELD_MAX: Final = 256
"""Questions that are held back at once. Beyond it, all leave at once, and no stranger is spared."""

UNKNOWN_OWNER: Final = (
    "the application let an account in that SEKISHO_OWNERS does not know: it was asked for a proof, since it may be "
    "another spelling of an account that has enrolled a factor; let the query find each spelling that the log-in takes"
)


class HeldAnswer(NamedTuple):
    """How a held log-in ended.

    Attributes:
        answer: the application's; None where it could not be held.
        asks: whether a proof is asked for instead.
    """

    answer: Sealed | None
    asks: bool = False


class HeldLogIns:
    """Belongs to one event loop.

    Args:
        guard: knows accounts under proof, and devices that their age spares.
        proving: the parts of a site with factors.
        runs: the application's runs behind an answer.
        questions: ask for the proof.
        events: records owners that the site does not find.
        watch: is told of strangers' runs; None where no posture is estimated.
        aged: lets devices in by their age; None where none is.
    """

    def __init__(
        self,
        guard: Guard,
        proving: Proving,
        runs: EscrowedRuns,
        questions: Questions,
        events: Events,
        *,
        watch: PostureWatch | None = None,
        aged: AgedDevices | None = None,
    ) -> None:
        self._guard = guard
        self._proving = proving
        self._runs = runs
        self._questions = questions
        self._events = events
        self._watch = watch
        self._aged = aged
        self._held = 0

    async def run_and_ask(self, issued: IssuedStepUp, text: str, keeper: Keeper) -> None:
        """Run the application, then ask; a familiar stranger with the right secret gets the answer instead.

        Where any stranger may be spared, every question is held back equally long: the time shows neither who is
        familiar nor how long the application took. A run that takes longer goes on behind the question.
        Where all are asked because a bot has spent the credit of their address, accounts within their own limits are
        tried as long as the process has room for it, and then those that are known there alone. The others' question
        looks the same.
        """
        context, assessment, ticket, _ = issued
        decision = assessment.decision
        stands_in = asks_all(assessment.verdict, decision) and not assessment.verdict.is_spared
        holds = decision.holds and self._held < HELD_MAX
        answered: asyncio.Future[Sealed | None] = asyncio.get_running_loop().create_future()
        done = partial(self._runs.withhold, issued, self._proving)
        if holds and decision.releases:
            done = partial(self._released, issued, keeper, answered)
        self._held += holds
        try:
            if stands_in:
                has_place = await self._runs.place_stand_in(issued, self._proving)
            else:
                has_place = await self._runs.place(issued, self._proving, partial(self._runs.begun, ticket), done)
            if not has_place:
                return await self._questions.refuse(context)
            answer = await _within(answered, QUESTION_S, None) if holds else None
        finally:
            self._held -= holds
            answered.cancel()
        if answer is not None:
            return await send_answer(context.send, Answer(*answer))
        self._tell_watch(context, assessment)
        return await self._questions.ask(issued, text)

    async def _released(
        self, issued: IssuedStepUp, keeper: Keeper, answered: asyncio.Future[Sealed | None], result: RunResult
    ) -> None:
        """Settle a familiar stranger's run. Only a right secret shows that it was one, where no factor is enrolled."""
        answer = result.kept.answer
        if answer is None or await self._may_be_enrolled(issued.ticket) or answered.done():
            return await self._runs.withhold(issued, self._proving, result)
        return answered.set_result(self._runs.release(issued, keeper, result, answer))

    async def hold(self, context: RequestContext, assessment: Assessment, keeper: Keeper) -> None:
        """Run a log-in that calls for no proof, and answer as the application does.

        If the secret is right and its account has enrolled a factor, ask for it instead: what its owner has enrolled
        holds in every posture. The same holds for an account that an operator has put under proof, and for one that
        the owners' query does not find. Only then do the answer and its time depend on the account. The run gets no
        identity but the secret: otherwise a session of the client's would be logged in although its answer is
        withheld.
        """
        answered: asyncio.Future[HeldAnswer] = asyncio.get_running_loop().create_future()
        issued, text = await self._questions.issue(context, assessment)
        done = partial(self._settle, issued, keeper, answered)
        if not await self._runs.place(issued, self._proving, _nothing, done, holds=True):
            return await self._questions.refuse(context)
        held = await _within(answered, HELD_S, HeldAnswer(None))
        if held.asks:
            return await self._questions.ask(issued, text)
        if held.answer is None:
            return await self._questions.refuse(context)
        return await send_answer(context.send, Answer(*held.answer))

    async def _settle(
        self, issued: IssuedStepUp, keeper: Keeper, answered: asyncio.Future[HeldAnswer], result: RunResult
    ) -> None:
        """Settle the run in its own task: a client that leaves must not leave its attempt unsettled."""
        if result.outcome is Outcome.SUCCEEDED and await self._must_prove(issued):
            self._tell_watch(issued.context, issued.assessment)
            await self._runs.withhold(issued, self._proving, result)
            held = HeldAnswer(None, asks=True)
        else:
            held = HeldAnswer(self._runs.release(issued, keeper, result, result.whole))
        if not answered.done():
            answered.set_result(held)

    async def _must_prove(self, issued: IssuedStepUp) -> bool:
        under_proof = self._guard.devices.is_under_proof(issued.assessment.attempt)
        # The look-up first, always: its time is that of accounts that are not under proof.
        if await self._may_be_enrolled(issued.ticket) or under_proof:
            return True
        return self._aged is not None and not await self._passes_by_age(self._aged, issued)

    async def _passes_by_age(self, aged: AgedDevices, issued: IssuedStepUp) -> bool:
        """Whether a log-in needs no proof; false for a device that its age alone spares, where its owner is not told.

        Only a right secret behind the device's own token comes this far.
        """
        context, assessment = issued.context, issued.assessment
        device = self._guard.aged_device(assessment)
        if not device:
            return True
        browser, network = browser_name(context.by_name.get(b"user-agent", b"")), context.origin.address
        return await aged.lets_in(assessment.attempt.account, device, browser=browser, network=network)

    async def _may_be_enrolled(self, ticket: Ticket) -> bool:
        try:
            owner = await self._proving.factors.owner(ticket.account)
        except SekishoError:
            return True  # where it cannot be told, a proof is asked for
        if owner.contact is None:
            # The application takes `HANA` and the query finds `hana` alone: without its factors, a password would do.
            self._events.anomaly(UNKNOWN_OWNER)
            return True
        # Found in any spelling, but its factors only in one: the log has named the id that is missing.
        return owner.contact.ambiguous or self._proving.factors.is_enrolled(owner)

    def _tell_watch(self, context: RequestContext, assessment: Assessment) -> None:
        # Before the run has ended: what it will show must not enter.
        if self._watch is not None and assessment.device is Device.STRANGER:
            self._watch.sealed(context.door.name, context.digests, context.family, assessment.charge.account)


async def _nothing() -> None: ...


async def _within(answered: asyncio.Future[T], seconds: float, otherwise: T) -> T:
    try:
        return await asyncio.wait_for(answered, seconds)
    except TimeoutError:
        return otherwise
