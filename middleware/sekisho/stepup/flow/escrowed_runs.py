"""Runs of the application behind a step-up: they wait in a queue, and what they showed is kept sealed or released."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from sekisho.asgi.keeper import AnsweredAttempt
from sekisho.asgi.suspicion import Suspicion
from sekisho.devices.token import browser_name
from sekisho.model import Device, Outcome, SekishoError, StoreUnavailable
from sekisho.stepup.escrow import Kept
from sekisho.stepup.flow.escrowed_run import EscrowedRun
from sekisho.stepup.flow.resubmission import as_from
from sekisho.stepup.flow.stand_in_run import RunTimer, StandInRun
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from sekisho.asgi.keeper import Keeper
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.shared_addresses import SharedAddresses
    from sekisho.assessment import Assessment
    from sekisho.model import Basis
    from sekisho.record import Events
    from sekisho.settler import Settler
    from sekisho.stepup.escrow import Sealed, Ticket
    from sekisho.stepup.flow.browser_key import BrowserKey
    from sekisho.stepup.flow.escrowed_run import GuardedApp, RunResult
    from sekisho.stepup.flow.parts import Parts, Proving

log = logging.getLogger("sekisho")

PLACE_S: Final = 10.0
"""How long an account owner's log-in waits for a place before it is refused."""

STOP_S: Final = 2.0
"""How long a shutdown waits for runs under way."""


class IssuedStepUp(NamedTuple):
    """Attributes:
    context: the request that was answered by a step-up.
    assessment: of its attempt.
    ticket: names the step-up.
    browser_key: the key of the browser that may show the ticket.
    """

    context: RequestContext
    assessment: Assessment
    ticket: Ticket
    browser_key: BrowserKey

    def __repr__(self) -> str:
        return "IssuedStepUp(...)"


class EscrowedRuns:
    """Belongs to one event loop.

    Args:
        guarded: the application.
        settler: settles the attempts.
        parts: has the escrow, and the queues where the site has factors.
        events: counts outcomes.
        test: takes suspicions of success rules.
        shared: how long runs take; None where no address is known to be shared.
    """

    def __init__(
        self,
        guarded: GuardedApp,
        settler: Settler,
        parts: Parts,
        events: Events,
        *,
        test: Callable[[Suspicion], None],
        shared: SharedAddresses | None = None,
    ) -> None:
        self._guarded = guarded
        self._settler = settler
        self._parts = parts
        self._events = events
        self._test = test
        self._shared = shared
        self._tasks = TaskSet()

    async def place(
        self,
        issued: IssuedStepUp,
        proving: Proving,
        begun: Callable[[], Awaitable[None]],
        done: Callable[[RunResult], Awaitable[None]],
        *,
        holds: bool = False,
    ) -> bool:
        """Queue the application's run. Waits for a place, not for the run. Returns whether it got one.

        Args:
            issued: the attempt that runs, and the step-up behind it.
            proving: has the queues.
            begun: called when the run begins.
            done: called with its result. It settles the attempt.
            holds: see `EscrowedRun`.
        """
        context, assessment = issued.context, issued.assessment
        if self._shared is not None:
            timer = RunTimer(self._shared, begun=begun, done=done)
            begun, done = timer.begun, timer.done
        run = EscrowedRun(
            self._guarded, context, assessment, begun=begun, done=done, holds=holds, past=proving.log_ins,
        )  # fmt: skip
        return await self._enter(issued, proving, run)

    async def place_stand_in(self, issued: IssuedStepUp, proving: Proving) -> bool:
        """Queue a run that does not ask the application; return whether it got a place, as `place` does.

        No proof can release an answer from such a run.
        """
        if self._shared is None:
            raise AssertionError  # without a history no address is known to be shared
        run = StandInRun(
            self._shared,
            self._guarded.admission,
            begun=partial(self.begun, issued.ticket),
            ended=partial(self._end_stand_in, issued, proving),
        )
        return await self._enter(issued, proving, run)

    async def _enter(
        self, issued: IssuedStepUp, proving: Proving, run: Callable[[], Coroutine[Any, Any, None]]
    ) -> bool:
        context, assessment = issued.context, issued.assessment
        queue = proving.queue if assessment.device is Device.STRANGER else proving.known_queue
        self._settler.begin(assessment)
        placed = False
        try:
            placed = await queue.enter(context.digests.site, context.digests.ip, run, wait_s=PLACE_S)
        finally:
            if not placed:
                self._settler.end(assessment)
        return placed

    async def begun(self, ticket: Ticket) -> None:
        """Note that the run behind a ticket has begun."""
        with suppress(StoreUnavailable):  # without the mark the run is given up later
            await self._parts.escrow.begin(ticket)

    def release(self, issued: IssuedStepUp, keeper: Keeper, result: RunResult, answer: Sealed | None) -> Sealed | None:
        """Settle a run that needs no proof, and return the application's answer with the headers that a success adds.

        None if there is no answer.
        """
        answered = AnsweredAttempt(issued.context, issued.assessment)
        answered.outcome, answered.basis = result.outcome, result.basis
        answered.browser_key = issued.browser_key.key
        if answer is not None:
            answered.status, answered.headers = answer.status, list(answer.headers)
            if result.outcome is Outcome.SUCCEEDED:
                extra, answered.renewed = keeper.success_headers(answered, answer.body)
                answer = answer._replace(headers=(*answer.headers, *extra))
        keeper.ended(answered)
        return answer

    async def withhold(self, issued: IssuedStepUp, proving: Proving, result: RunResult) -> None:
        """Settle a run whose answer stays sealed until the proof."""
        context, assessment, ticket, browser_key = issued
        kept, outcome, basis, _ = result
        if kept.answer is not None and "{" in context.door.path:
            # The page that releases it knows the door's path with its placeholders only.
            kept = Kept(_sent_from(context.scope["path"], kept.answer))
        # The charge stands until the proof: a right secret alone refunds nothing, so an attacker learns nothing from
        # it.
        self._settler.withhold(assessment, browser_key.key, is_wrong=kept.answer is None)
        self._events.settled(
            context.door, outcome, basis, assessment.attempt, assessment.device, assessment, withheld=True
        )
        if kept.answer is not None:
            self._suspect(context, assessment, basis, kept.answer)
        if await self._keep(issued, proving, kept) and kept.answer is not None:
            self._tasks.start(self._note(context, proving, ticket))

    async def _end_stand_in(self, issued: IssuedStepUp, proving: Proving) -> None:
        """Keep what a wrong secret leaves. No secret was tried, so there is no outcome to tell."""
        self._settler.end(issued.assessment)
        await self._keep(issued, proving, Kept(None))

    async def _keep(self, issued: IssuedStepUp, proving: Proving, kept: Kept) -> bool:
        """Keep a run's answer, or a mark in its place; returns whether it is kept."""
        ticket, key = issued.ticket, issued.browser_key.key
        try:
            await self._parts.escrow.keep(ticket, key, kept)
        except StoreUnavailable:
            # A store that is nearly full has room for marks but not for answers. Without a mark in its place, a missing
            # answer would reveal a right secret.
            with suppress(StoreUnavailable):
                await self._parts.escrow.keep(ticket, key, Kept(None))
            return False
        await self._settle_tries(proving, ticket, kept)
        return True

    def _suspect(self, context: RequestContext, assessment: Assessment, basis: Basis, answer: Sealed) -> None:
        """Raise a suspicion if two different secrets are both right, as for attempts that are answered directly."""
        _, suspected = self._settler.saw_success(assessment, basis, self._parts.clock_s())
        if suspected is not None:
            self._test(Suspicion(suspected, context, answer.status, list(answer.headers)))

    async def _settle_tries(self, proving: Proving, ticket: Ticket, kept: Kept) -> None:
        """Settle codes that were shown during the run: now it is known whose attempts they use up."""
        try:
            await proving.factors.settle(ticket.challenge, ticket.account, behind_right_secret=kept.answer is not None)
        except SekishoError:
            return  # they are settled with the next proof for this ticket

    # The owner is told of a right secret without a proof: it means that another person knows the password.

    async def _note(self, context: RequestContext, proving: Proving, ticket: Ticket) -> None:
        browser, network = browser_name(context.by_name.get(b"user-agent", b"")), context.origin.address
        try:
            await proving.unfinished.note(ticket, browser=browser, network=network)
        except StoreUnavailable:
            log.warning("the owner of an incomplete step-up will not be notified: the store does not answer")

    async def aclose(self) -> None:
        """Wait for runs under way, and for notes of them."""
        await self._tasks.ended()
        if self._parts.proving is not None:
            proving = self._parts.proving
            await asyncio.gather(proving.queue.aclose(STOP_S), proving.known_queue.aclose(STOP_S))


def _sent_from(path: str, answer: Sealed) -> Sealed:
    """The answer with addresses that do not depend on the page that sends it. The client has chosen parts of `path`."""
    return answer._replace(headers=tuple(as_from(quote(path), answer.headers)))
