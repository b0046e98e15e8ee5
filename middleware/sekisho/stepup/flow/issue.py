"""Asks for work or a second proof at a door, instead of answering, and reads what clients show of either."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from sekisho.answer import prefers_page, retry_after_s, send_answer, unavailable
from sekisho.asgi.cookies import cookie
from sekisho.asgi.ports import ShownProofs
from sekisho.asgi.proof_headers import CAPTCHA, LOOK_START, PROOF, WAITED, WORK
from sekisho.asgi.suspicion import Suspicion
from sekisho.challenge.challenge import BODY_BYTES_MAX, NAMES_BYTES_MAX
from sekisho.crypto.seal import bind
from sekisho.devices.token import browser_name
from sekisho.ledger.receipt import pack_receipt
from sekisho.model import Device, DoorKind, Outcome, SekishoError, StoreUnavailable
from sekisho.read import credentials_set
from sekisho.read.request import by_name
from sekisho.stepup.escrow import Kept, Purpose, Ticket
from sekisho.stepup.flow.browser_key import browser_key_of
from sekisho.stepup.flow.escrowed_run import EscrowedRun
from sekisho.stepup.session_binding import SessionBinding

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sekisho.answer import Answer
    from sekisho.asgi.admission import Admission
    from sekisho.asgi.endpoint import Reading
    from sekisho.asgi.ports import Stale
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.types import App, Scope, Send
    from sekisho.model import Attempt, Basis, Door
    from sekisho.pipeline import Assessment, Guard
    from sekisho.record import Events
    from sekisho.stepup.escrow import Sealed
    from sekisho.stepup.flow.browser_key import BrowserKey
    from sekisho.stepup.flow.csrf_cookies import CsrfCookies
    from sekisho.stepup.flow.parts import Parts, Proving

    Headers = list[tuple[bytes, bytes]]

log = logging.getLogger("sekisho")

WORK_FROM = 0.25
"""The occupancy of the lanes from which strangers must do work for a place in them, regardless of other findings."""

PLACE_S = 10.0
"""How long an account owner's log-in waits for a place before it is refused."""

PAGE_BYTES = 8_192  # of a work page's form, besides the request that it carries: work, and a captcha's token

STOP_S = 2.0
"""How long a shutdown waits for runs under way."""

FULL_US = 5_000_000


class Issuer:
    """Belongs to one event loop."""

    def __init__(  # noqa: PLR0913 - everything it works with arrives from outside
        self,
        app: App,
        guard: Guard,
        reading: Reading,
        parts: Parts,
        events: Events,
        *,
        jitter: Callable[[], float],
        workers_share: bool,
        lifespan_state: Callable[[], Mapping[str, object]],
        csrf: CsrfCookies,
        test: Callable[[Suspicion], None],
        admission: Admission,
    ) -> None:
        self._app = app
        self._admission = admission
        self._guard = guard
        self._accounts = reading.accounts
        self._body_bytes_max = reading.body_bytes_max
        self._sessions_change_secrets = any(map(_goes_by_session, reading.doors.all))
        self._parts = parts
        self._events = events
        self._answers = reading.answers
        self._jitter = jitter
        self._workers_share = workers_share
        self._lifespan_state = lifespan_state
        self._csrf = csrf
        self._test = test
        self._tasks: set[asyncio.Task[None]] = set()

    async def shown(self, visit: RequestContext, attempt: Attempt) -> ShownProofs:
        """The proofs that the request shows; each is valid once. Raises `StoreUnavailable`."""
        named = visit.named
        work, captcha, proof = named.get(WORK, b""), named.get(CAPTCHA, b""), named.get(PROOF, b"")
        holder = browser_key_of(named)
        proved, paid = False, None
        if proof:
            proved = await self._parts.escrow.accept_proof(
                proof.decode("latin-1"), holder.key, place=attempt.door.name, account=attempt.account
            )
        if work or captcha:
            paid = await self._parts.toll.paid(
                work=work.decode("latin-1"),
                captcha=captcha.decode("latin-1"),
                bound_to=_bound(attempt, holder),
                address=visit.origin.address,
            )
        waited = named.get(WAITED)
        worked = paid is not None or (waited is not None and await self._has_waited(visit, waited, holder))
        return ShownProofs(worked, proved, paid.question if paid else b"")

    async def _has_waited(self, visit: RequestContext, waited: bytes, holder: BrowserKey) -> bool:
        waits = self._parts.waits
        return waits is not None and await waits.done(
            waited.decode("latin-1"),
            holder=holder.key,
            door=visit.door.name,
            body=visit.intake.body,
            network=visit.digests.networks[-1],
            now_s=int(self._guard.now_s()),
        )

    def earns_look(self, visit: RequestContext) -> bool:
        """Whether a request that would be refused unread brings work, and was charged for being asked for it."""
        toll, named = self._parts.toll, visit.named
        if WORK in named:
            return toll.earns_look(named[WORK].decode("latin-1"))
        return toll.earns_look_by_mark(cookie(named.get(b"cookie", b""), LOOK_START).decode("latin-1"))

    def wants_work(self, *, worked: bool) -> bool:
        """Whether the lanes are so full that a stranger must do work for a place in them."""
        proving = self._parts.proving
        crowded = proving is not None and proving.lanes.occupancy >= WORK_FROM
        return crowded and self.may_ask_work(worked=worked)

    def has_no_room(self) -> bool:
        """Whether a stranger's run would find no place in the lanes, or one only for work."""
        proving = self._parts.proving
        return proving is not None and proving.lanes.occupancy >= (WORK_FROM if self._parts.asks_work else 1.0)

    def may_ask_work(self, *, worked: bool) -> bool:
        """Whether clients can be asked for work, and none was done."""
        return self._parts.asks_work and not worked

    async def work(self, visit: RequestContext, assessment: Assessment) -> None:
        """Ask for work, before the secret is checked."""
        parts, holder, attempt = self._parts, browser_key_of(visit.named), assessment.attempt
        self._guard.put_off(assessment)
        occupancy = parts.proving.lanes.occupancy if parts.proving else 0.0
        asked = parts.toll.ask(_bound(attempt, holder), 0, occupancy, question=self._guard.question(assessment))
        headers, form, mark = visit.scope["headers"], "", ""
        if prefers_page(headers):
            form, mark = self._sealed_form(visit, holder), parts.toll.page_mark(asked)
        # A page at the door's own address posts its form to that address, so the application's answer has it too.
        here = len(form) + PAGE_BYTES <= self._body_bytes_max
        await self._answer(visit, holder, parts.voice.toll(headers, asked, form, here=here, mark=mark))

    async def step_up(self, visit: RequestContext, assessment: Assessment) -> None:
        """Ask for a second proof; at a log-in, run the application in escrow to learn whether the secret is right."""
        proving = self._parts.proving
        if proving is None:
            raise AssertionError  # the judge asks for a proof where there are factors
        attempt, holder = assessment.attempt, browser_key_of(visit.named)
        # Without the shared store, no other worker could open what this one sealed.
        if assessment.verdict.counters_lost and self._workers_share:
            return await self._unavailable(visit)
        escrowed = is_escrowed(attempt.door)
        ticket, text = self._parts.escrow.issue(
            Ticket(
                b"",
                Purpose.LOGIN if escrowed else Purpose.DOOR,
                attempt.door.name,
                attempt.account,
                self._counted(attempt.account),
                pack_receipt(assessment.charge, assessment.verdict),
            ),
            holder.key,
        )
        if assessment.question:
            with suppress(StoreUnavailable):  # without the store that charge stands
                await self._parts.escrow.keep_question(ticket, holder.key, assessment.question)
        if escrowed and not await self._run(visit, assessment, proving, ticket, holder):
            return await self._unavailable(visit)
        self._events.step_up_issued(ticket.place, ticket.purpose.value, ticket.account, visit.origin)
        form = ""
        if not escrowed:
            self._guard.put_off(assessment)
            form = self._sealed_form(visit, holder)
        await self._answer(visit, holder, self._parts.voice.step_up(visit.scope["headers"], text, form=form))
        return None

    async def _run(
        self, visit: RequestContext, assessment: Assessment, proving: Proving, ticket: Ticket, holder: BrowserKey
    ) -> bool:
        """Queue the application's run in its lane. Waits for a place, not for the run."""
        done = partial(self._done, visit, assessment, proving, ticket, holder)
        run = EscrowedRun(
            self._app, visit, assessment, shared=self._lifespan_state(), csrf=self._csrf,
            begun=partial(self._begun, ticket), done=done, answers=self._answers, admission=self._admission,
        )  # fmt: skip
        lanes = proving.lanes if assessment.device is Device.STRANGER else proving.known_lanes
        self._guard.begin(assessment)
        placed = False
        try:
            placed = await lanes.enter(visit.digests.networks[-1], visit.digests.ip, run, wait_s=PLACE_S)
        finally:
            if not placed:
                self._guard.end(assessment)
        return placed

    async def _begun(self, ticket: Ticket) -> None:
        with suppress(StoreUnavailable):  # without the mark the run is given up later
            await self._parts.escrow.begin(ticket)

    async def _done(
        self,
        visit: RequestContext,
        assessment: Assessment,
        proving: Proving,
        ticket: Ticket,
        holder: BrowserKey,
        kept: Kept,
        outcome: Outcome,
        basis: Basis,
    ) -> None:
        # The charge stands until the proof: a right secret alone refunds nothing, so an attacker learns nothing from
        # it.
        self._guard.end(assessment)
        self._events.settled(visit.door, outcome, basis, assessment.attempt, assessment.device)
        if kept.answer is not None:
            self._suspect(visit, assessment, basis, kept.answer)
        try:
            await self._parts.escrow.keep(ticket, holder.key, kept)
        except StoreUnavailable:
            # A store that is nearly full has room for marks but not for answers. Without a mark in its place, a missing
            # answer would reveal a right secret.
            with suppress(StoreUnavailable):
                await self._parts.escrow.keep(ticket, holder.key, Kept(None))
            return
        await self._settle_tries(proving, ticket, kept)
        if kept.answer is not None:
            self._spawn(self._note(visit, proving, ticket))

    def _suspect(self, visit: RequestContext, assessment: Assessment, basis: Basis, answer: Sealed) -> None:
        """Raise a suspicion if two different secrets are both right, as for attempts that are answered directly."""
        _, suspected = self._guard.saw_success(assessment, basis)
        if suspected is not None:
            self._test(Suspicion(suspected, visit, answer.status, list(answer.headers)))

    async def _settle_tries(self, proving: Proving, ticket: Ticket, kept: Kept) -> None:
        """Settle codes that were shown during the run: now it is known whose tries they use up."""
        try:
            await proving.factors.settle(ticket.challenge, ticket.account, behind_right_secret=kept.answer is not None)
        except SekishoError:
            return  # they are settled with the next proof for this ticket

    # Routes that need a fresh proof.

    def stale(self, scope: Scope, *, has_body: bool = False) -> Stale | None:
        """Why this session may not use a route now; None where it may, and for unprotected routes."""
        proving = self._parts.proving
        if proving is None:
            return None
        return proving.protection.stale(scope, int(self._guard.now_s()), has_body=has_body)

    async def fresh_proof(self, scope: Scope, send: Send, stale: Stale) -> None:
        """Ask for a proof of the session's account, or for a log-in where the account is not known."""
        headers, holder = scope["headers"], browser_key_of(by_name(scope["headers"]))
        proving = self._parts.proving
        if stale.account is None or proving is None:
            return await send_answer(send, self._parts.voice.log_in_first(headers, stale.route.max_age_s))
        ticket = Ticket(b"", Purpose.PROTECT, stale.route.name, stale.account, self._counted(stale.account))
        session = proving.ties.session(headers)
        _, text = await self._parts.escrow.issue_for_session(ticket, holder.key, session)
        self._events.step_up_issued(ticket.place, ticket.purpose.value, ticket.account)
        answer = self._parts.voice.step_up(headers, text, max_age_s=stale.route.max_age_s)
        line = holder.line(elsewhere=self._parts.voice.is_elsewhere(headers))
        return await send_answer(send, answer.adding(line))

    # The owner is told of a right secret without a proof: it means that another person knows the password.

    async def _note(self, visit: RequestContext, proving: Proving, ticket: Ticket) -> None:
        browser, network = browser_name(visit.named.get(b"user-agent", b"")), visit.origin.address
        try:
            await proving.unfinished.note(ticket, browser=browser, network=network)
        except StoreUnavailable:
            log.warning("the owner will not hear of a step-up that is not completed: the store does not answer")

    def tie(self, visit: RequestContext, attempt: Attempt, headers: Headers, body: bytes) -> Headers:
        """The session binding after a log-in without a proof; it does not count as a fresh proof.

        Issued only where it will be needed: with protected routes; with doors where a logged-in user changes a password
        without naming the account; or in a browser that the owner's page has just sent to log in. Otherwise every
        log-in of every known device would pay for it.
        """
        proving = self._parts.proving
        if proving is None:
            return []
        asked_for = proving.protection.has_routes or self._sessions_change_secrets
        if not (asked_for or proving.ties.is_wanted(visit.named)):
            return []
        by_header = visit.presented.by_header
        credentials = credentials_set(attempt.door, headers, body)
        return proving.ties.headers(
            SessionBinding(attempt.account), credentials, int(self._guard.now_s()), by_header=by_header
        )

    def secret_changed(self, scope: Scope, attempt: Attempt, outcome: Outcome, account: str) -> None:
        """End the step-ups under way for an account whose password was, or may have been, changed (CVE-2026-9798).

        Args:
            scope: of the request that changed it.
            attempt: the change.
            outcome: `SUCCEEDED`, or `UNKNOWN`.
            account: the account that the application reported, else the attempt's.
        """
        for one in self._whose(scope, attempt, outcome, account) - {b""}:
            self.end_all(one)

    def _whose(self, scope: Scope, attempt: Attempt, outcome: Outcome, account: str) -> set[bytes]:
        """The accounts whose step-ups end. A stranger who knows a name must end none: that could lock its owner out."""
        is_reset = attempt.door.kind is DoorKind.RESET
        if is_reset and not (attempt.secret or attempt.new_secret):
            return set()  # only a mail was requested, which any client can do
        if is_reset and outcome is not Outcome.SUCCEEDED:
            return set()  # any client can show an invalid token
        named = self._counted(attempt.account) if attempt.account else b""
        if outcome is Outcome.SUCCEEDED and named:
            return {named, self._counted(account)}
        proving = self._parts.proving
        sessions = proving.protection.accounts(scope, int(self._guard.now_s())) if proving else set()
        # Forms for logged-in users often name no account: then it is the session's account.
        shown = {self._counted(name) for name in sessions}
        if outcome is Outcome.SUCCEEDED:
            return shown | {self._counted(account)}
        # An unknown outcome may be a change; the owner can start again.
        return shown & {named} if named else shown

    def _counted(self, account: str) -> bytes:
        return self._guard.counted(self._accounts, account)

    def end_all(self, counted: bytes) -> None:
        """End the step-ups under way for this account."""
        self._spawn(self._end_all(counted))

    async def _end_all(self, counted: bytes) -> None:
        try:
            await self._parts.escrow.end_all(counted)
        except StoreUnavailable:
            log.warning("step-ups under way could not be ended: the store does not answer")

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._parts.proving is not None:
            proving = self._parts.proving
            await asyncio.gather(proving.lanes.aclose(STOP_S), proving.known_lanes.aclose(STOP_S))

    # Answers.

    def _sealed_form(self, visit: RequestContext, holder: BrowserKey) -> str:
        """The sealed request for a page to carry, so that people type once. Clients without pages repeat theirs."""
        content_type, body = visit.named.get(b"content-type", b""), visit.intake.body
        query: bytes = visit.scope.get("query_string", b"")
        fits = len(body) <= BODY_BYTES_MAX and max(len(content_type), len(query)) <= NAMES_BYTES_MAX // 2
        # The path of a door with placeholders is not known to the page.
        if not (
            visit.door.reads_body and "{" not in visit.door.path and fits and b"content-encoding" not in visit.named
        ):
            return ""
        return self._parts.toll.seal_form(
            door=visit.door.name,
            content_type=content_type,
            body=body,
            query=query,
            holder=holder.key,
            now_s=int(self._guard.now_s()),
        )

    async def _answer(self, visit: RequestContext, holder: BrowserKey, answer: Answer) -> None:
        line = holder.line(elsewhere=self._parts.voice.is_elsewhere(visit.scope["headers"]))
        await send_answer(visit.send, answer.adding(line))

    async def _unavailable(self, visit: RequestContext) -> None:
        refusal = unavailable(retry_after_s(FULL_US, self._jitter()))
        await send_answer(visit.send, self._parts.voice.refusal(visit.scope["headers"], refusal))


def is_escrowed(door: Door) -> bool:
    """Whether the application may run before the proof: only where a session is the only effect (R2).

    A door that reads only a header leads to a route with an effect of its own.
    """
    return door.kind is DoorKind.LOGIN and door.reads_body


def _goes_by_session(door: Door) -> bool:
    """Whether only the session shows whose password was changed here, or that the owner asked for the change."""
    names_nobody = not all(fields.account for fields in door.fields)
    return door.kind is DoorKind.CHANGE and (names_nobody or not door.success)


def _bound(attempt: Attempt, holder: BrowserKey) -> bytes:
    """The binding of work: one door, one account, one browser. Another attempt needs new work."""
    account = attempt.account.encode("utf-8", "surrogatepass")
    return bind(attempt.door.name.encode(), account, holder.key.encode())
