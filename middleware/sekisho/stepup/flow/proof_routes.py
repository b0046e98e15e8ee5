"""Serves a step-up: asks for a second proof, sends codes, and checks proofs.

**Until a proof has been shown, neither the answer nor its time depends on the secret.** A wrong proof is answered
without checking whether the application accepted the secret or has finished: at a fixed time after its ticket was
issued, and in even steps after that. Only a proof that would be right waits for the run.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from sekisho.answer import Answer, prefers_page
from sekisho.challenge.challenges import FORM_CHARS_MAX
from sekisho.crypto.seal import bind
from sekisho.model import SekishoError, StoreUnavailable
from sekisho.model.text import utf8
from sekisho.stepup.attempt_limits import DOOR
from sekisho.stepup.escrow import Kept, Purpose, Sealed
from sekisho.stepup.factors import ShownFactor
from sekisho.stepup.factors.account_owner import RECOVERY
from sekisho.stepup.factors.identities import KIND
from sekisho.stepup.factors.requirements import BEFORE_SECRET, LOG_IN, MANAGE
from sekisho.stepup.flow.redeem import Redemption
from sekisho.stepup.flow.waiting_proofs import WaitingProofs
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from sekisho.stepup.attempt_limits import CodeTrial
    from sekisho.stepup.escrow import Ticket
    from sekisho.stepup.factors import AccountOwner, Proof
    from sekisho.stepup.factors.requirements import Demand
    from sekisho.stepup.flow.browser_key import BrowserKey
    from sekisho.stepup.flow.page_call import Handler, PageCall
    from sekisho.stepup.flow.parts import Parts, Proving
    from sekisho.stepup.flow.redeem import Redeemer

    Sending = Callable[[CodeTrial, AccountOwner], Awaitable[None]]
    TicketHandler = Callable[[PageCall, Ticket, float], Awaitable[Answer]]

RUN_S = 30.0
"""How long an application may take for a log-in behind a step-up."""

ENDED_S = RUN_S + 5  # by then, a run that has begun has ended, and its result is in the store
GIVEN_UP_S = 4 * RUN_S  # a run may first have waited for as long as several others took
POLL_S = (0.02, 0.05, 0.1, 0.2, 0.4, *(0.5,) * 18)  # pauses while waiting for an answer: ten seconds in all

EVEN_S = 0.05
"""Wrong proofs and passkey options are answered this long after the request, or at a multiple. Reading an enrolled
account's rows takes 0.1 ms longer than for no account: a thousand timings would tell which names have an account."""

RELEASE_S = (0.02, 0.05, 0.1, 0.2)  # pauses while waiting for the answer to the first of two clicks

FIRST_S = 1.0
"""The earliest answer to a wrong proof after its ticket was issued, whenever it came: most runs are over by then. A run
under way slows down concurrent requests, and for longer behind a right secret."""

NO_ANSWER = Sealed(0, (), b"")
"""Stands in where no secret was asked for: a session was shown, or the proof comes first."""


class ProofRoutes:
    """Serves the three calls of a step-up. Belongs to one event loop.

    Args:
        parts: the parts of a step-up.
        proving: the parts of a proof.
        redeemer: grants what a proof entitles to.
    """

    def __init__(self, parts: Parts, proving: Proving, redeemer: Redeemer) -> None:
        self._parts = parts
        self._proving = proving
        self._factors = proving.factors
        self._escrow = parts.escrow
        self._redeemer = redeemer
        self._waiting = WaitingProofs()
        self._tasks = TaskSet()
        self._sending: set[bytes] = set()
        self.routes: dict[tuple[str, str], Handler] = {
            ("POST", "/step-up"): self._prove,
            ("POST", "/step-up/options"): self._with_ticket(self._options),
            ("POST", "/step-up/send"): self._with_ticket(self._send_code),
        }
        if KIND in self._factors.names:
            self.routes["POST", "/step-up/oidc"] = self._with_ticket(self._log_in_elsewhere)
        if self._factors.recovers:
            self.routes["POST", "/step-up/recover"] = self._with_ticket(self._begin_recovery)
            self.routes["POST", "/step-up/recover/confirm"] = self._with_ticket(self._confirm_recovery)

    def _with_ticket(self, serve: TicketHandler) -> Handler:
        """The handler of a call that needs a ticket, which gets it with the loop's time of the call."""

        async def handle(call: PageCall) -> Answer:
            begun_s = asyncio.get_running_loop().time()
            ticket = await self._ticket(call)
            return self._start_again(call) if ticket is None else await serve(call, ticket, begun_s)

        return handle

    async def _prove(self, call: PageCall) -> Answer | None:
        begun_s = asyncio.get_running_loop().time()
        ticket = await self._callable(call)
        if ticket is None:
            return self._start_again(call)
        try:
            return await self._redeem(call, ticket, begun_s)
        except Redeemed:
            return await self._released(call, ticket) or self._start_again(call)
        except RunLost:
            return self._start_again(call)

    async def _redeem(self, call: PageCall, ticket: Ticket, begun_s: float) -> Answer | None:
        """The answer to a right or a wrong proof. Raises `Redeemed` or `RunLost`."""
        if await self._escrow.is_over(ticket, call.browser_key.key):
            raise Redeemed
        with self._place(call):
            redemption = Redemption(call, ticket, await self._factors.owner(ticket.account))
            proof = await self._proof(redemption)
            if proof is None:
                await self._pace(ticket, begun_s)
                # A proof that is spent now may have been right a moment ago, in the first of two clicks.
                return await self._released(call, ticket) or self._refused(call, ticket, call.fields.get("factor", ""))
            # It may have waited for the run. A change of the password meanwhile ends a thief's (R32).
            if await self._escrow.was_ended(ticket, call.browser_key.key) or not await self._escrow.claim(ticket):
                raise Redeemed
        # Not bound to the connection: on a double click the browser closes the first connection, and the claimed answer
        # would be lost.
        return await asyncio.shield(self._tasks.start(self._granted(redemption, proof)))

    def _refused(self, call: PageCall, ticket: Ticket, factor: str) -> Answer:
        """Refuse a wrong proof: tell the client, and log it without any text that the client wrote."""
        reason = factor if factor in self._factors.names else "no factor of this site"
        door = ticket.door or f"POST {self._parts.mount}/step-up"  # without a door: asked for by the owner's page
        self._parts.refusals.answered(door, "proof_failed", reason, enforced=True)
        self._parts.events.step_up_failed(
            ticket.door,
            ticket.purpose.value,
            factor if factor in self._factors.names else "",
            ticket.account,
            call.caller.origin,
        )
        return self._asked_again(call, failed=True)

    async def _granted(self, redemption: Redemption, proof: Proof) -> Answer | None:
        call, ticket, _ = redemption
        answer = await self._redeemer(redemption, proof)
        if answer is not None and ticket.purpose is Purpose.LOGIN:
            # If the store is full, the only loss is the answer to a second click.
            with suppress(StoreUnavailable):
                await self._escrow.keep_released(ticket, call.browser_key.key, _as_shown(call), Sealed(*answer))
        return answer

    async def _released(self, call: PageCall, ticket: Ticket) -> Answer | None:
        """The answer that this same proof received a moment ago; None where there was none.

        Only for log-ins: elsewhere a proof has an effect that must not happen twice.
        """
        if ticket.purpose is not Purpose.LOGIN or not await self._escrow.is_redeemed(ticket):
            return None
        for pause_s in RELEASE_S:
            if (answer := await self._escrow.released(ticket, call.browser_key.key, _as_shown(call))) is not None:
                # A change of password or a log-out in between has ended the session that this answer contains.
                is_void = await self._escrow.was_ended(ticket, call.browser_key.key)
                return None if is_void else Answer(*answer)
            await asyncio.sleep(pause_s)
        return None

    async def _proof(self, redemption: Redemption) -> Proof | None:
        """The proof, if it is one. Waits for the run only if the proof could be right."""
        call, ticket, owner = redemption
        kept = await self._kept(ticket, call.browser_key)
        if kept is None:
            return await self._early_proof(redemption)
        await self._settle(ticket, kept)
        return await self._factors.prove(
            self._trial(ticket, owner, kept),
            owner,
            _shown(call),
            bound(ticket, call.browser_key),
            demand=self._demand(ticket),
        )

    async def _early_proof(self, redemption: Redemption) -> Proof | None:
        """The proof, if it was shown while the application was still checking the secret."""
        call, ticket, owner = redemption
        browser_key, shown = call.browser_key, _shown(call)
        early = await self._factors.try_early(
            self._trial(ticket, owner, MARK), owner, shown, bound(ticket, browser_key), self._demand(ticket)
        )
        if early is None:
            # If the run ended while this was noted, its worker may have looked too early: then it is settled here.
            if (kept := await self._kept(ticket, browser_key)) is not None:
                await self._settle(ticket, kept)
            return None
        kept = await self._run_ended(ticket, browser_key)
        # Settle earlier proofs first.
        await self._settle(ticket, kept)
        trial = self._trial(ticket, owner, kept)._replace(number=early.trial.number)
        return await self._factors.prove(
            trial, owner, shown, bound(ticket, browser_key), demand=self._demand(ticket), now_s=early.now_s
        )

    async def _settle(self, ticket: Ticket, kept: Kept) -> None:
        if ticket.purpose is Purpose.LOGIN:
            await self._factors.settle(ticket.challenge, ticket.account, behind_right_secret=kept.answer is not None)

    def _demand(self, ticket: Ticket) -> Demand:
        """What a proof for this ticket has to be, besides one of the account's own class."""
        if ticket.purpose is Purpose.PROTECT:
            return self._proving.protection.demand(ticket.door)
        return _DEMANDS[ticket.purpose]

    def _trial(self, ticket: Ticket, owner: AccountOwner, kept: Kept) -> CodeTrial:
        # Before the secret is asked for, an attacker who guesses codes must not use up the owner's log-in attempts.
        scope = DOOR if ticket.purpose is Purpose.DOOR else b""
        return self._factors.trial(ticket.challenge, owner, behind_right_secret=kept.answer is not None, scope=scope)

    async def _options(self, call: PageCall, ticket: Ticket, begun_s: float) -> Answer:
        with self._place(call):
            owner = await self._factors.owner(ticket.account)
            options = await self._factors.passkey_options(
                self._trial(ticket, owner, MARK),
                owner,
                bound(ticket, call.browser_key),
                account_digest=ticket.account_digest,
            )
            answer = self._parts.responses.json(call.headers, 200, {"publicKey": options})
            await asyncio.sleep(wait_s(asyncio.get_running_loop().time() - begun_s, FIRST_S))
            return answer

    async def _log_in_elsewhere(self, call: PageCall, ticket: Ticket, begun_s: float) -> Answer:
        """Redirect to the identity provider: the same way for every account and every secret. Programs get the URL."""
        with self._place(call):
            address = await self._factors.begin_login(ticket.challenge, bound(ticket, call.browser_key), _carried(call))
            await asyncio.sleep(wait_s(asyncio.get_running_loop().time() - begun_s, FIRST_S))
            if not prefers_page(call.headers):
                return self._parts.responses.json(call.headers, 200, {"location": address})
            return self._parts.responses.see_other(address)

    async def _send_code(self, call: PageCall, ticket: Ticket, _begun_s: float) -> Answer:
        async def send(trial: CodeTrial, owner: AccountOwner) -> None:
            await self._factors.send(trial, owner, call.fields.get("factor", ""), self._demand(ticket))

        return self._sent_later(call, ticket, send)

    async def _begin_recovery(self, call: PageCall, ticket: Ticket, _begun_s: float) -> Answer:
        async def begin(trial: CodeTrial, owner: AccountOwner) -> None:
            await self._factors.begin_recovery(trial, owner, call.fields.get("code", ""))

        return self._sent_later(call, ticket, begin)

    async def _confirm_recovery(self, call: PageCall, ticket: Ticket, begun_s: float) -> Answer:
        """The answer to the second code of a recovery: begun, or as to any wrong proof."""
        with self._place(call):
            owner = await self._factors.owner(ticket.account)
            # The code was sent after the run had ended, so there is nothing to wait for.
            kept = await self._kept(ticket, call.browser_key) or MARK
            trial = self._trial(ticket, owner, kept if _may_send(ticket) else MARK)
            reset = await self._factors.confirm_recovery(trial, owner, call.fields.get("code", ""))
            if reset is None:
                await self._pace(ticket, begun_s)
                return self._refused(call, ticket, RECOVERY)
        await self._proving.senders.kept(owner.account_id)
        return self._parts.responses.recovery_begun(call.headers, reset.due_s)

    def _sent_later(self, call: PageCall, ticket: Ticket, send: Sending) -> Answer:
        # Answered before it is known whether a code can be sent, and to which address.
        if ticket.challenge not in self._sending:
            self._sending.add(ticket.challenge)
            self._tasks.start(self._send_later(call, ticket, send))
        return self._asked_again(call, sent=True)

    async def _send_later(self, call: PageCall, ticket: Ticket, send: Sending) -> None:
        """Wait for the run, then send a code: one task at a time per challenge, however often it is asked for."""
        try:
            with self._place(call):
                kept = await self._run_ended(ticket, call.browser_key)
                owner = await self._factors.owner(ticket.account)
                await send(self._trial(ticket, owner, kept if _may_send(ticket) else MARK), owner)
        except SekishoError:
            return  # the page says what to do when no code comes
        finally:
            self._sending.discard(ticket.challenge)

    async def _callable(self, call: PageCall) -> Ticket | None:
        """The ticket that was shown, if it has calls left."""
        ticket = self._escrow.read(call.fields.get("challenge", ""), call.browser_key.key)
        # Behind a sign-up no password was right: its ticket must not have codes sent to an account of that name.
        if ticket is None or ticket.purpose is Purpose.CONTACT:
            return None
        return ticket if await self._escrow.may_call(ticket) else None

    async def _ticket(self, call: PageCall) -> Ticket | None:
        """The ticket that was shown, if it has calls left and is not over."""
        ticket = await self._callable(call)
        return None if ticket is None or await self._escrow.is_over(ticket, call.browser_key.key) else ticket

    async def _kept(self, ticket: Ticket, browser_key: BrowserKey) -> Kept | None:
        """The application's answer to the secret; None while it is still running."""
        if ticket.purpose is not Purpose.LOGIN:
            return Kept(NO_ANSWER)  # no secret was asked for yet
        return await self._escrow.find(ticket, browser_key.key)

    async def _run_ended(self, ticket: Ticket, browser_key: BrowserKey) -> Kept:
        """The application's answer to the secret, once it is there.

        Raises:
            Redeemed: the answer has been given out already.
            RunLost: there will be no answer.
            StoreUnavailable: there was no answer within ten seconds.
        """
        for pause_s in POLL_S:
            if (kept := await self._kept(ticket, browser_key)) is not None:
                return kept
            if await self._escrow.is_redeemed(ticket):
                raise Redeemed
            if await self._is_lost(ticket):
                raise RunLost
            await asyncio.sleep(pause_s)
        raise StoreUnavailable

    async def _is_lost(self, ticket: Ticket) -> bool:
        """Whether the run's worker has died: there is no answer although the longest time for a run has passed."""
        age_s = self._age_s(ticket)
        if age_s <= ENDED_S:
            return False
        begun_ms = await self._escrow.begun_ms(ticket)
        return age_s > GIVEN_UP_S or (begun_ms is not None and age_s - (begun_ms - ticket.issued_ms) / 1000 > ENDED_S)

    async def _pace(self, ticket: Ticket, begun_s: float) -> None:
        """Wait until a wrong proof may be answered."""
        took_s = asyncio.get_running_loop().time() - begun_s
        # Where the proof comes first there is no run, so nothing slows this answer down.
        age_s = self._age_s(ticket) if ticket.purpose is Purpose.LOGIN else FIRST_S
        await asyncio.sleep(wait_s(took_s, age_s))

    def _age_s(self, ticket: Ticket) -> float:
        return self._parts.clock_s() - ticket.issued_ms / 1000

    def _place(self, call: PageCall) -> AbstractContextManager[None]:
        return self._waiting.place(call.caller.digests.site, call.caller.digests.ip)

    def _start_again(self, call: PageCall) -> Answer:
        return self._parts.responses.start_again(call.headers)

    def _asked_again(self, call: PageCall, *, failed: bool = False, sent: bool = False) -> Answer:
        text, form = call.fields.get("challenge", ""), call.fields.get("form", "")[:FORM_CHARS_MAX]
        return self._parts.responses.step_up(
            call.headers, text, form=form, failed=failed, sent=sent, chosen=call.fields.get("factor", "")
        )


MARK = Kept(None)
_SEALED = re.compile(rf"[A-Za-z0-9_=-]{{1,{FORM_CHARS_MAX}}}")
_DEMANDS = {Purpose.LOGIN: LOG_IN, Purpose.DOOR: BEFORE_SECRET, Purpose.MANAGE: MANAGE}


class Redeemed(SekishoError):  # noqa: N818 - a state, not a mistake
    """The ticket is over: an earlier proof has redeemed it, or its account's challenges were ended."""


class RunLost(SekishoError):  # noqa: N818 - a state, not a mistake
    """The worker that ran the application has died: there will be no answer."""


def wait_s(took_s: float, age_s: float) -> float:
    """Return the seconds to delay an answer, so that its time does not reveal how long the check took.

    Args:
        took_s: seconds since the request came. The answer leaves at a multiple of `EVEN_S` after that, even if the
            request came just before `FIRST_S`: otherwise an attacker could choose the most telling moment.
        age_s: seconds since the ticket was issued, by this worker's clock.
    """
    # Another worker's clock may differ: the delay for that is one whole `FIRST_S` at most.
    return max(even_s(took_s), min(FIRST_S - age_s, FIRST_S))


def even_s(took_s: float) -> float:
    """Return the seconds until the next multiple of `EVEN_S`. `took_s`: seconds since the request came."""
    return EVEN_S - took_s % EVEN_S


def bound(ticket: Ticket, browser_key: BrowserKey) -> bytes:
    """Return the context that binds a passkey's answer: the ticket's account, door and purpose, and the browser."""
    account = utf8(ticket.account)
    return bind(ticket.purpose.value.encode(), ticket.door.encode(), account, browser_key.key.encode())


def _shown(call: PageCall) -> ShownFactor:
    fields = call.fields
    return ShownFactor(fields.get("factor", ""), fields.get("code", ""), fields.get("credential", "").encode())


def _carried(call: PageCall) -> dict[str, str]:
    """The fields of a form that come back with the code. Other texts than ours would outgrow the vault's entry."""
    texts: dict[str, str] = {name: call.fields.get(name, "") for name in ("challenge", "form")}
    return {name: text for name, text in texts.items() if text and _SEALED.fullmatch(text)}


def _as_shown(call: PageCall) -> bytes:
    """The proof as received: the same bytes again are a repeated click."""
    shown = _shown(call)
    return bind(shown.factor.encode(), shown.code.encode(), shown.credential)


def _may_send(ticket: Ticket) -> bool:
    """Only behind a right secret or a session; otherwise a list of names would be enough to flood their owners."""
    return ticket.purpose is not Purpose.DOOR
