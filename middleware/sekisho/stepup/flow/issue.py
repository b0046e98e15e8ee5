"""Asks for work or a second proof at a door, instead of answering, and reads what clients show of either."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sekisho.answer import Answer, prefers_page, retry_after_s, send_answer, unavailable
from sekisho.asgi.cookies import cookie
from sekisho.asgi.proof_headers import CAPTCHA, LOOK_START, PROOF, WAITED, WORK
from sekisho.crypto.seal import bind
from sekisho.devices.token import browser_name
from sekisho.judge.policy import asks_all
from sekisho.ledger.receipt import pack_receipt
from sekisho.model import Attempt, Device, DoorKind, Outcome, SekishoError, StoreUnavailable
from sekisho.model.shown_proofs import ShownProofs
from sekisho.model.text import utf8
from sekisho.stepup.escrow import Purpose, Ticket
from sekisho.stepup.flow.browser_key import browser_key_of
from sekisho.stepup.flow.escrowed_runs import IssuedStepUp
from sekisho.stepup.flow.sealed_request import contact_of, key_line, sealed_form
from sekisho.stepup.flow.telling import FAILURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.asgi.keeper import Keeper
    from sekisho.asgi.reading import Reading
    from sekisho.asgi.request_context import RequestContext
    from sekisho.assessment import Assessment
    from sekisho.detect import PostureWatch
    from sekisho.model import Door
    from sekisho.pipeline import Guard
    from sekisho.record import Events
    from sekisho.stepup.escrow import Sealed
    from sekisho.stepup.flow.aged_devices import AgedDevices
    from sekisho.stepup.flow.browser_key import BrowserKey
    from sekisho.stepup.flow.escrowed_run import RunResult
    from sekisho.stepup.flow.escrowed_runs import EscrowedRuns
    from sekisho.stepup.flow.parts import Parts, Proving
    from sekisho.stepup.flow.telling import OwnerTelling


T = TypeVar("T")

log = logging.getLogger("sekisho")

WORK_FROM = 0.25
"""The occupancy of the queue from which strangers must do work for a place in it, regardless of other findings."""

PAGE_BYTES = 8_192  # of a work page's form, besides the request that it carries: work, and a captcha's token

FULL_US = 5_000_000

HELD_S = 45.0
"""How long the answer to a held log-in is waited for: longer than a run may wait for its turn and take."""


QUESTION_S = 2.0
"""Where familiar strangers are spared, every question at a log-in leaves so long after its run was queued."""

HELD_MAX = 256
"""Questions that are held back at once. Beyond it, all leave at once, and no stranger is spared."""

UNKNOWN_OWNER = (
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


class Issuer:
    """Belongs to one event loop.

    Args:
        guard: keeps, refunds and ends charges.
        reading: how long a body may be.
        parts: the parts of a step-up.
        events: records what is asked.
        runs: the application's runs behind an answer.
        jitter: uniform in [0, 1), for the time after which to try again.
        workers_share: whether workers share a store, so that another one may serve the proof.
        telling: tells owners of many wrong secrets; None where owners are told of nothing.
        watch: is told of strangers' runs; None where no posture is estimated.
        aged: lets devices in by their age; None where none is.
    """

    def __init__(  # noqa: PLR0913 - everything it works with arrives from outside
        self,
        guard: Guard,
        reading: Reading,
        parts: Parts,
        events: Events,
        runs: EscrowedRuns,
        *,
        jitter: Callable[[], float],
        workers_share: bool,
        telling: OwnerTelling | None,
        watch: PostureWatch | None = None,
        aged: AgedDevices | None = None,
    ) -> None:
        self._aged = aged
        self._watch = watch
        self._guard = guard
        self._body_bytes_max = reading.body_bytes_max
        self._parts = parts
        self._events = events
        self._runs = runs
        self._jitter = jitter
        self._workers_share = workers_share
        self._telling = telling
        self._held = 0

    async def shown(self, context: RequestContext, attempt: Attempt) -> ShownProofs:
        """Return which proofs, of work or of the owner, the request shows and are right; each is valid once.

        Raises `StoreUnavailable`.
        """
        by_name = context.by_name
        work, captcha, proof = by_name.get(WORK, b""), by_name.get(CAPTCHA, b""), by_name.get(PROOF, b"")
        browser_key = browser_key_of(by_name)
        proved, paid = False, None
        is_contact = attempt.door.contact
        if proof:
            proved = await self._parts.escrow.accept_proof(
                proof.decode("latin-1"),
                browser_key.key,
                door=attempt.door.name,
                account=contact_of(attempt) if is_contact else attempt.account,
                purpose=Purpose.CONTACT if is_contact else Purpose.DOOR,
            )
        if work or captcha:
            paid = await self._parts.challenges.paid(
                work=work.decode("latin-1"),
                captcha=captcha.decode("latin-1"),
                bound_to=_bound(attempt, browser_key),
                address=context.origin.address,
            )
        waited = by_name.get(WAITED)
        worked = paid is not None or (waited is not None and await self._has_waited(context, waited, browser_key))
        if is_contact:
            # A mailed code shows effort as work does. It says nothing about the owner of an account.
            return ShownProofs(worked or proved, False, paid.receipt if paid else b"", contacted=proved)
        return ShownProofs(worked, proved, paid.receipt if paid else b"")

    async def _has_waited(self, context: RequestContext, waited: bytes, browser_key: BrowserKey) -> bool:
        waits = self._parts.waits
        return waits is not None and await waits.done(
            waited.decode("latin-1"),
            browser_key=browser_key.key,
            door=context.door.name,
            body=context.body_reader.body,
            network=context.digests.site,
            now_s=int(self._parts.clock_s()),
        )

    def earns_look(self, context: RequestContext) -> bool:
        """Whether a request that a limit would refuse unread shows work for a question that was already charged."""
        challenges, by_name = self._parts.challenges, context.by_name
        if WORK in by_name:
            return challenges.earns_look(by_name[WORK].decode("latin-1"))
        return challenges.earns_look_by_mark(cookie(by_name.get(b"cookie", b""), LOOK_START).decode("latin-1"))

    def wants_work(self, *, worked: bool) -> bool:
        """Whether the queue is so full that a stranger must do work for a place in it."""
        proving = self._parts.proving
        crowded = proving is not None and proving.queue.occupancy >= WORK_FROM
        return crowded and self.may_ask_work(worked=worked)

    def has_no_room(self) -> bool:
        """Whether a stranger's run would find no place in the queue, or one only for work."""
        proving = self._parts.proving
        return proving is not None and proving.queue.occupancy >= (WORK_FROM if self._parts.asks_work else 1.0)

    def may_ask_work(self, *, worked: bool) -> bool:
        """Whether clients can be asked for work, and none was done."""
        return self._parts.asks_work and not worked

    async def work(self, context: RequestContext, assessment: Assessment) -> None:
        """Ask for work, before the secret is checked."""
        parts, browser_key, attempt = self._parts, browser_key_of(context.by_name), assessment.attempt
        self._saw_attempt(context, assessment)
        self._guard.put_off(assessment)
        queue = parts.proving.queue.occupancy if parts.proving else 0.0
        # Threat L13: a bot in a hurry pays more and more for guesses at an address whose credit it has spent.
        occupancy = max(queue, self._guard.crowding(assessment.charge, assessment.verdict))
        asked = parts.challenges.ask(
            _bound(attempt, browser_key), 0, occupancy, receipt=self._guard.work_receipt(assessment)
        )
        headers, line = context.scope["headers"], key_line(parts, context, browser_key)
        if not prefers_page(headers):
            return await send_answer(context.send, parts.responses.challenge(headers, asked, line))
        form = sealed_form(parts, context, browser_key, int(self._parts.clock_s()), anywhere=True)
        mark = parts.challenges.page_mark(asked)
        # A page at the door's own address posts its form to that address, so the application's answer has it too.
        here = len(form) + PAGE_BYTES <= self._body_bytes_max
        if not here and "{" in context.door.path:
            form = ""
        page = parts.responses.challenge_page(headers, asked, form, line, here=here, mark=mark)
        return await send_answer(context.send, page)

    async def step_up(self, context: RequestContext, assessment: Assessment, keeper: Keeper) -> None:
        """Answer with a question for a second proof; at a log-in, run the application behind it, to check the secret.

        A right secret gets the application's answer instead if the decision releases it.
        """
        proving = self._parts.proving
        if proving is None:
            raise AssertionError  # the judge asks for a proof where there are factors
        self._saw_attempt(context, assessment)
        if self._aged is not None:
            await self._end_age(self._aged, context, assessment)
        if assessment.verdict.token_spent:
            self._guard.devices.end_copied(assessment.attempt, context.family)
        # Without the shared store, no other worker could open what this one sealed.
        if assessment.verdict.counters_lost and self._workers_share:
            return await self._unavailable(context)
        issued, text = await self._issued(context, assessment)
        if issued.ticket.purpose is Purpose.LOGIN:
            return await self._at_log_in(issued, text, proving, keeper)
        self._guard.put_off(assessment)
        return await self._ask(issued, text)

    async def _at_log_in(self, issued: IssuedStepUp, text: str, proving: Proving, keeper: Keeper) -> None:
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
        done = partial(self._runs.withhold, issued, proving)
        if holds and decision.releases:
            done = partial(self._released, issued, proving, keeper, answered)
        self._held += holds
        try:
            if stands_in:
                has_place = await self._runs.place_stand_in(issued, proving)
            else:
                has_place = await self._runs.place(issued, proving, partial(self._runs.begun, ticket), done)
            if not has_place:
                return await self._unavailable(context)
            answer = await _within(answered, QUESTION_S, None) if holds else None
        finally:
            self._held -= holds
            answered.cancel()
        if answer is not None:
            return await send_answer(context.send, Answer(*answer))
        self._tell_watch(context, assessment)
        return await self._ask(issued, text)

    async def _released(
        self,
        issued: IssuedStepUp,
        proving: Proving,
        keeper: Keeper,
        answered: asyncio.Future[Sealed | None],
        result: RunResult,
    ) -> None:
        """Settle a familiar stranger's run. Only a right secret shows that it was one, where no factor is enrolled."""
        answer = result.kept.answer
        if answer is None or await self._may_be_enrolled(proving, issued.ticket) or answered.done():
            return await self._runs.withhold(issued, proving, result)
        return answered.set_result(self._runs.release(issued, keeper, result, answer))

    async def _issued(self, context: RequestContext, assessment: Assessment) -> tuple[IssuedStepUp, str]:
        attempt, browser_key = assessment.attempt, browser_key_of(context.by_name)
        ticket, text = self._parts.escrow.issue(
            Ticket(
                b"",
                Purpose.LOGIN if is_escrowed(attempt.door) else Purpose.DOOR,
                attempt.door.name,
                attempt.account,
                self._parts.account_digest(attempt.account),
                pack_receipt(assessment.charge, assessment.verdict),
            ),
            browser_key.key,
        )
        if assessment.work_receipt:
            with suppress(StoreUnavailable):  # without the store that charge stands
                await self._parts.escrow.keep_work_receipt(ticket, browser_key.key, assessment.work_receipt)
        return IssuedStepUp(context, assessment, ticket, browser_key), text

    async def _ask(self, issued: IssuedStepUp, text: str) -> None:
        context, _, ticket, browser_key = issued
        self._events.step_up_issued(ticket.door, ticket.purpose.value, ticket.account, context.origin)
        is_escrowed_run = ticket.purpose is Purpose.LOGIN
        form = "" if is_escrowed_run else sealed_form(self._parts, context, browser_key, int(self._parts.clock_s()))
        answer = self._parts.responses.step_up(context.scope["headers"], text, form=form)
        return await send_answer(context.send, answer.adding(key_line(self._parts, context, browser_key)))

    def _tell_watch(self, context: RequestContext, assessment: Assessment) -> None:
        # Before the run has ended: what it will show must not enter.
        if self._watch is not None and assessment.device is Device.STRANGER:
            self._watch.sealed(context.door.name, context.digests, context.family, assessment.charge.account)

    # Log-ins whose answers the posture holds.

    @property
    def proves(self) -> bool:
        """Whether the site has factors."""
        return self._parts.proving is not None

    async def hold(self, context: RequestContext, assessment: Assessment, keeper: Keeper) -> None:
        """Run a log-in that calls for no proof, and answer as the application does.

        If the secret is right and its account has enrolled a factor, ask for it instead: what its owner has enrolled
        holds in every posture. The same holds for an account that an operator has put under proof, and for one that
        the owners' query does not find. Only then do the answer and its time depend on the account. The run gets no
        identity but the secret: otherwise a session of the client's would be logged in although its answer is
        withheld.
        """
        proving = self._parts.proving
        if proving is None:
            raise AssertionError  # without factors nothing is held
        answered: asyncio.Future[HeldAnswer] = asyncio.get_running_loop().create_future()
        issued, text = await self._issued(context, assessment)
        done = partial(self._settle_held, issued, proving, keeper, answered)
        if not await self._runs.place(issued, proving, _nothing, done, holds=True):
            return await self._unavailable(context)
        held = await _within(answered, HELD_S, HeldAnswer(None))
        if held.asks:
            return await self._ask(issued, text)
        if held.answer is None:
            return await self._unavailable(context)
        return await send_answer(context.send, Answer(*held.answer))

    async def _settle_held(
        self,
        issued: IssuedStepUp,
        proving: Proving,
        keeper: Keeper,
        answered: asyncio.Future[HeldAnswer],
        result: RunResult,
    ) -> None:
        """Settle the run in its own task: a client that leaves must not leave its attempt unsettled."""
        if result.outcome is Outcome.SUCCEEDED and await self._must_prove(proving, issued):
            self._tell_watch(issued.context, issued.assessment)
            await self._runs.withhold(issued, proving, result)
            held = HeldAnswer(None, asks=True)
        else:
            held = HeldAnswer(self._runs.release(issued, keeper, result, result.whole))
        if not answered.done():
            answered.set_result(held)

    async def _must_prove(self, proving: Proving, issued: IssuedStepUp) -> bool:
        under_proof = self._guard.devices.is_under_proof(issued.assessment.attempt)
        # The look-up first, always: its time is that of accounts that are not under proof.
        if await self._may_be_enrolled(proving, issued.ticket) or under_proof:
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

    async def _end_age(self, aged: AgedDevices, context: RequestContext, assessment: Assessment) -> None:
        """End the age of a device that is asked: in an alarm, in a campaign, or after anything else that is strange."""
        attempt = assessment.attempt
        if device := self._guard.devices.contradicted_device(attempt, context.family):
            with suppress(StoreUnavailable):  # without the store its owner cannot be told either
                await aged.end(attempt.account, device)

    async def _may_be_enrolled(self, proving: Proving, ticket: Ticket) -> bool:
        try:
            owner = await proving.factors.owner(ticket.account)
        except SekishoError:
            return True  # where it cannot be told, a proof is asked for
        if owner.contact is None:
            # The application takes `HANA` and the query finds `hana` alone: without its factors, a password would do.
            self._events.anomaly(UNKNOWN_OWNER)
            return True
        # Found in any spelling, but its factors only in one: the log has named the id that is missing.
        return owner.contact.ambiguous or proving.factors.is_enrolled(owner)

    def _saw_attempt(self, context: RequestContext, assessment: Assessment) -> None:
        """Tell the owner of many wrong secrets, where the site wants that told."""
        if self._telling is None:
            return
        if any(finding.reason == "account_failures" for finding in assessment.decision.findings):
            self._telling.tried(FAILURES, context.scope, assessment.attempt.account, context.origin.address)

    # Answers.

    async def _unavailable(self, context: RequestContext) -> None:
        refusal = unavailable(retry_after_s(FULL_US, self._jitter()))
        await send_answer(context.send, self._parts.responses.refusal(context.scope["headers"], refusal))


async def _nothing() -> None: ...


async def _within(answered: asyncio.Future[T], seconds: float, otherwise: T) -> T:
    try:
        return await asyncio.wait_for(answered, seconds)
    except TimeoutError:
        return otherwise


def is_escrowed(door: Door) -> bool:
    """Whether the application may run before the proof: only where a session is the only effect (R2).

    A door that reads only a header leads to a route with an effect of its own.
    """
    return door.kind is DoorKind.LOGIN and door.reads_body


def _bound(attempt: Attempt, browser_key: BrowserKey) -> bytes:
    """The binding of work: one door, one account, one browser. Another attempt needs new work."""
    account = utf8(attempt.account)
    return bind(attempt.door.name.encode(), account, browser_key.key.encode())
