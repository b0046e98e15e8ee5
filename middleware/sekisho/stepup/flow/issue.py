"""Asks for work or a second proof at a door, instead of answering, and reads what clients show of either."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sekisho.answer import prefers_page, send_answer
from sekisho.asgi.cookies import cookie
from sekisho.asgi.proof_headers import CAPTCHA, LOOK_START, PROOF, WAITED, WORK
from sekisho.crypto.seal import bind
from sekisho.model import StoreUnavailable
from sekisho.model.shown_proofs import ShownProofs
from sekisho.model.text import utf8
from sekisho.stepup.escrow import Purpose
from sekisho.stepup.flow.browser_key import browser_key_of
from sekisho.stepup.flow.sealed_request import contact_of, key_line, sealed_form
from sekisho.stepup.flow.telling import FAILURES

if TYPE_CHECKING:
    from sekisho.asgi.keeper import Keeper
    from sekisho.asgi.reading import Reading
    from sekisho.asgi.request_context import RequestContext
    from sekisho.assessment import Assessment
    from sekisho.model import Attempt
    from sekisho.pipeline import Guard
    from sekisho.settler import Settler
    from sekisho.stepup.flow.aged_devices import AgedDevices
    from sekisho.stepup.flow.browser_key import BrowserKey
    from sekisho.stepup.flow.held_log_ins import HeldLogIns
    from sekisho.stepup.flow.parts import Parts
    from sekisho.stepup.flow.questions import Questions
    from sekisho.stepup.flow.telling import OwnerTelling


WORK_FROM: Final = 0.25
"""The occupancy of the queue from which strangers must do work for a place in it, regardless of other findings."""

PAGE_BYTES: Final = 8_192  # of a work page's form, besides the request that it carries: work, and a captcha's token


class Issuer:
    """Belongs to one event loop.

    Args:
        guard: tells how crowded an address is, and which devices are known.
        settler: settles attempts that are asked.
        reading: how long a body may be.
        parts: the parts of a step-up.
        questions: ask for a second proof.
        held: runs the application behind a question at a log-in; None where the site has no factors.
        workers_share: whether workers share a store, so that another one may serve the proof.
        telling: tells owners of many wrong secrets; None where owners are told of nothing.
        aged: ends the age of devices that are asked; None where none lets a device in.
    """

    def __init__(  # noqa: PLR0913 - everything it works with arrives from outside
        self,
        guard: Guard,
        settler: Settler,
        reading: Reading,
        parts: Parts,
        questions: Questions,
        held: HeldLogIns | None,
        *,
        workers_share: bool,
        telling: OwnerTelling | None,
        aged: AgedDevices | None,
    ) -> None:
        self._guard = guard
        self._settler = settler
        self._body_bytes_max = reading.body_bytes_max
        self._parts = parts
        self._questions = questions
        self._held = held
        self._workers_share = workers_share
        self._telling = telling
        self._aged = aged

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
        self._settler.put_off(assessment)
        queue = parts.proving.queue.occupancy if parts.proving else 0.0
        # Threat L13: a bot in a hurry pays more and more for guesses at an address whose credit it has spent.
        occupancy = max(queue, self._guard.crowding(assessment.charge, assessment.verdict))
        asked = parts.challenges.ask(
            _bound(attempt, browser_key), 0, occupancy, receipt=self._settler.work_receipt(assessment)
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
        if self._held is None:
            raise AssertionError  # the judge asks for a proof where there are factors
        self._saw_attempt(context, assessment)
        if self._aged is not None:
            await self._end_age(self._aged, context, assessment)
        if assessment.verdict.token_spent:
            self._guard.devices.end_copied(assessment.attempt, context.family)
        # Without the shared store, no other worker could open what this one sealed.
        if assessment.verdict.counters_lost and self._workers_share:
            return await self._questions.refuse(context)
        issued, text = await self._questions.issue(context, assessment)
        if issued.ticket.purpose is Purpose.LOGIN:
            return await self._held.run_and_ask(issued, text, keeper)
        self._settler.put_off(assessment)
        return await self._questions.ask(issued, text)

    @property
    def proves(self) -> bool:
        """Whether the site has factors."""
        return self._held is not None

    async def hold(self, context: RequestContext, assessment: Assessment, keeper: Keeper) -> None:
        """Run a log-in that calls for no proof, and answer as the application does, or ask for an enrolled factor."""
        if self._held is None:
            raise AssertionError  # without factors nothing is held
        await self._held.hold(context, assessment, keeper)

    async def _end_age(self, aged: AgedDevices, context: RequestContext, assessment: Assessment) -> None:
        """End the age of a device that is asked: in an alarm, in a campaign, or after anything else that is strange."""
        attempt = assessment.attempt
        if device := self._guard.devices.contradicted_device(attempt, context.family):
            with suppress(StoreUnavailable):  # without the store its owner cannot be told either
                await aged.end(attempt.account, device)

    def _saw_attempt(self, context: RequestContext, assessment: Assessment) -> None:
        """Tell the owner of many wrong secrets, where the site wants that told."""
        if self._telling is None:
            return
        if any(finding.reason == "account_failures" for finding in assessment.decision.findings):
            self._telling.tried(FAILURES, context.scope, assessment.attempt.account, context.origin.address)


def _bound(attempt: Attempt, browser_key: BrowserKey) -> bytes:
    """The binding of work: one door, one account, one browser. Another attempt needs new work."""
    account = utf8(attempt.account)
    return bind(attempt.door.name.encode(), account, browser_key.key.encode())
