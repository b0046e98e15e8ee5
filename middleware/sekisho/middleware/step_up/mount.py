"""Our own pages and their API, under one path: where proofs are shown.

Every answer here is one of few, and none says whether an account exists, a password was right, or a factor is
enrolled. What a ticket stands for is looked up for all of them alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from sekisho.answer import denied, retry_after_s, send_answer, unavailable, unreadable_attempt
from sekisho.challenge.escrow import Kept, Purpose, Sealed
from sekisho.challenge.factors import Shown
from sekisho.challenge.seal import Unsealable, bind
from sekisho.challenge.toll import FORM_CHARS_MAX
from sekisho.challenge.tries import DOOR
from sekisho.middleware.intake import HungUp, Intake
from sekisho.middleware.shown import CAPTCHA, WORK
from sekisho.middleware.step_up.again import Again, answering, before, replay, under
from sekisho.middleware.step_up.form import read_form
from sekisho.middleware.step_up.holder import holder_of
from sekisho.model import Action, SekishoError, StoreUnavailable, Unreadable
from sekisho.read.request import by_name
from sekisho.stepup.flow.foreign_site import is_foreign

if TYPE_CHECKING:
    from sekisho.answer import Answer, Refusal
    from sekisho.challenge.escrow import Ticket
    from sekisho.challenge.factors import Proof
    from sekisho.guard import Guard
    from sekisho.middleware.asgi import App, Receive, Scope, Send
    from sekisho.middleware.guarding import Reading
    from sekisho.middleware.intake import Patience
    from sekisho.middleware.step_up.granting import Granting
    from sekisho.middleware.step_up.holder import Holder
    from sekisho.middleware.step_up.managing import Managing
    from sekisho.middleware.step_up.parts import Parts, Proving

RUN_S = 30.0
"""How long an application may take for a log-in behind a step-up."""

GIVEN_UP_S = 4 * RUN_S  # before its own turn came, a run may have waited for as long as several others took
POLL_S = (0.02, 0.05, 0.1, 0.2, 0.4, *(0.5,) * 18)  # between looks for an answer that is not there yet: ten seconds
BUSY_US = 3_000_000

EVEN_S = 0.05
"""A wrong code, and a question for a passkey, is answered so long after it came, or at a multiple of that. A member's
rows take a tenth of a millisecond longer to read than nobody's: a thousand timings would tell who has an account."""


FOREIGN_SITE = (
    "a post to the pages below SEKISHO_MOUNT came from another site and was refused: if that site is yours, name its "
    "origin in SEKISHO_ORIGINS"
)


class Call(NamedTuple):
    """One request to us."""

    scope: Scope
    named: dict[bytes, bytes]
    fields: dict[str, str]
    holder: Holder
    mount: str
    receive: Receive
    send: Send

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        headers: list[tuple[bytes, bytes]] = self.scope["headers"]
        return headers

    @property
    def prefix(self) -> str:
        """What stands before the mount: the path that the application is mounted at, if any."""
        return before(self.scope, self.mount)

    def __repr__(self) -> str:
        return "Call(...)"


Handler = Callable[[Call], Awaitable["Answer | None"]]


class Mount:
    """Serves what lies under the mount. Belongs to one event loop.

    Args:
        guarded: the guard itself; what a page carried along goes through it as any other request.
        granting: what a proof brings.
        managing: the owner's own page. Both None where there are no factors.
    """

    def __init__(
        self,
        guarded: App,
        guard: Guard,
        reading: Reading,
        parts: Parts,
        granting: Granting | None,
        managing: Managing | None,
        *,
        patience: Patience,
        jitter: Callable[[], float],
    ) -> None:
        self._guarded = guarded
        self._guard = guard
        self._reading = reading
        self._parts = parts
        self._granting = granting
        self._jitter = jitter
        self._patience = patience
        self._routes: dict[tuple[str, str], Handler] = {("POST", "/continue"): self._continue}
        self._routes["GET", "/sekisho.js"] = self._module
        if parts.proving is not None:
            self._routes["POST", "/step-up"] = self._prove
            self._routes["POST", "/step-up/options"] = self._options
            self._routes["POST", "/step-up/send"] = self._send_code
        if managing is not None:
            self._routes.update(managing.routes)
        self._sending: set[asyncio.Task[None]] = set()

    def finds(self, scope: Scope) -> bool:
        """Whether a request is for us."""
        return scope["type"] == "http" and under(scope, self._parts.mount) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        named = by_name(scope["headers"])
        try:
            answer = await self._answered(scope, named, receive, send)
        except Unreadable as error:
            answer = self._refused(scope, unreadable_attempt(error.status))
        except HungUp:
            return None
        except SekishoError:
            # The store or the owners' database: nobody knows, so nothing is granted, and everybody is told the same.
            answer = self._refused(scope, unavailable(retry_after_s(BUSY_US, self._jitter())))
        return None if answer is None else await send_answer(send, answer)

    async def _answered(self, scope: Scope, named: dict[bytes, bytes], receive: Receive, send: Send) -> Answer | None:
        method = scope["method"]
        if method == "OPTIONS" and (allowed := self._parts.voice.preflight(scope["headers"])):
            return allowed
        handler = self._routes.get((method, under(scope, self._parts.mount) or ""))
        if handler is None:
            return self._parts.voice.json(scope["headers"], 404, {"code": "not_found"})
        caller = self._reading.callers.read(scope, named)
        # Denied between the password and the proof: the proof is worth nothing any more (row 83).
        stop = self._guard.at_the_gate(caller.origin, caller.digests, with_token=True)
        if stop is not None and stop.asked is Action.DENY:
            return self._refused(scope, denied())
        if method == "POST" and is_foreign(named) and not self._parts.voice.may_be_read(scope["headers"]):
            self._parts.odd(FOREIGN_SITE)
            return self._refused(scope, denied())
        fields = await read_form(named, Intake(receive), self._patience) if method == "POST" else {}
        return await handler(Call(scope, named, fields, holder_of(named), self._parts.mount, receive, send))

    # Proofs.

    async def _prove(self, call: Call) -> Answer | None:
        begun_s = asyncio.get_running_loop().time()
        found = await self._ticket(call)
        if found is None or self._granting is None:
            return self._parts.voice.start_again(call.headers)
        ticket, proving = found
        kept = await self._kept(ticket, call.holder)
        if kept is None:
            return self._parts.voice.start_again(call.headers)
        fields = call.fields
        shown = Shown(fields.get("factor", ""), fields.get("code", ""), fields.get("credential", "").encode())
        person = await proving.factors.person(ticket.account)
        trial = proving.factors.trial(
            ticket.challenge, person, behind_right_secret=kept.answer is not None, lane=_lane(ticket)
        )
        proof: Proof | None = await proving.factors.prove(trial, person, shown, bound(ticket, call.holder))
        if proof is None:
            answer = self._asked_again(call, failed=True)
            await _even(begun_s)
            return answer
        if not await self._parts.escrow.claim(ticket):
            return self._parts.voice.start_again(call.headers)
        return await self._granting(call, ticket, person, proof)

    async def _options(self, call: Call) -> Answer | None:
        begun_s = asyncio.get_running_loop().time()
        found = await self._ticket(call)
        if found is None:
            return self._parts.voice.start_again(call.headers)
        ticket, proving = found
        person = await proving.factors.person(ticket.account)
        trial = proving.factors.trial(ticket.challenge, person, behind_right_secret=False)
        options = await proving.factors.passkey_options(trial, person, bound(ticket, call.holder))
        answer = self._parts.voice.json(call.headers, 200, {"publicKey": options})
        await _even(begun_s)
        return answer

    async def _send_code(self, call: Call) -> Answer | None:
        found = await self._ticket(call)
        if found is None:
            return self._parts.voice.start_again(call.headers)
        ticket, proving = found
        # Answered before anybody has looked whether there is something to be sent, and to whom.
        task = asyncio.ensure_future(self._send_later(call, ticket, proving))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return self._asked_again(call, sent=True)

    async def _send_later(self, call: Call, ticket: Ticket, proving: Proving) -> None:
        try:
            kept = await self._kept(ticket, call.holder)
            if kept is None:
                return
            person = await proving.factors.person(ticket.account)
            trial = proving.factors.trial(ticket.challenge, person, behind_right_secret=self._may_send(ticket, kept))
            await proving.factors.send(trial, person, call.fields.get("factor", ""))
        except SekishoError:
            return  # the page says what to do when no code comes

    @staticmethod
    def _may_send(ticket: Ticket, kept: Kept) -> bool:
        """Only behind a right secret or a session, or a list of names would be enough to flood their owners."""
        return kept.answer is not None and ticket.purpose is not Purpose.DOOR

    async def _ticket(self, call: Call) -> tuple[Ticket, Proving] | None:
        """The ticket that was shown, if it is still good for a call."""
        ticket = self._parts.escrow.read(call.fields.get("challenge", ""), call.holder.key)
        proving = self._parts.proving
        if ticket is None or proving is None or not await self._parts.escrow.may_call(ticket):
            return None
        return None if await self._parts.escrow.is_over(ticket) else (ticket, proving)

    async def _kept(self, ticket: Ticket, holder: Holder) -> Kept | None:
        """What the application made of the secret, once it is there. None: it never will be.

        Where the proof comes first, there is nothing to wait for. Raises `StoreUnavailable` where it takes too long.
        """
        if ticket.purpose is not Purpose.LOGIN:
            return Kept(NO_ANSWER)
        for pause_s in POLL_S:
            if (kept := await self._parts.escrow.find(ticket, holder.key)) is not None:
                return kept
            # Nothing after so long: the worker that had it has died.
            if self._guard.now_s() * 1000 - ticket.issued_ms > GIVEN_UP_S * 1000:
                return None
            await asyncio.sleep(pause_s)
        raise StoreUnavailable

    def _asked_again(self, call: Call, *, failed: bool = False, sent: bool = False) -> Answer:
        text, form = call.fields.get("challenge", ""), call.fields.get("form", "")[:FORM_CHARS_MAX]
        return self._parts.voice.step_up(
            call.headers, text, form=form, failed=failed, sent=sent, chosen=call.fields.get("factor", "")
        )

    # What a page carries along while work is done.

    async def _continue(self, call: Call) -> Answer | None:
        shown = [(WORK, call.fields.get("work", "")), (CAPTCHA, _captcha(call.fields))]
        extra = [(name, text.encode("latin-1", "replace")) for name, text in shown if text]
        try:
            form = self._parts.toll.open_form(
                call.fields.get("form", ""), holder=call.holder.key, now_s=int(self._guard.now_s())
            )
            there = Again(call.scope, self._parts.mount, form, extra).scope(self._reading.doors)
        except Unsealable:
            return self._parts.voice.start_again(call.headers)
        await self._guarded(there, replay(form.body, call.receive), answering(there["path"], call.send))
        return None

    async def _module(self, _: Call) -> Answer | None:
        return self._parts.voice.module()

    def _refused(self, scope: Scope, refusal: Refusal) -> Answer:
        return self._parts.voice.refusal(scope["headers"], refusal)


NO_ANSWER = Sealed(0, (), b"")
"""Stands for the secret that nobody has been asked for: a session has been shown, or the proof comes first."""


async def _even(begun_s: float) -> None:
    """Wait for the next multiple of `EVEN_S` since then."""
    now_s = asyncio.get_running_loop().time()
    await asyncio.sleep(EVEN_S - (now_s - begun_s) % EVEN_S)


def bound(ticket: Ticket, holder: Holder) -> bytes:
    """What a passkey's answer is for: this account, this browser, this door and purpose."""
    account = ticket.account.encode("utf-8", "surrogatepass")
    return bind(ticket.purpose.value.encode(), ticket.place.encode(), account, holder.key.encode())


def _lane(ticket: Ticket) -> bytes:
    # Nobody has asked for the secret yet: whoever guesses codes here must not use up its owner's tries at the log-in.
    return DOOR if ticket.purpose is Purpose.DOOR else b""


def _captcha(fields: dict[str, str]) -> str:
    """By the names that the providers' own scripts give it."""
    return fields.get("captcha") or fields.get("cf-turnstile-response") or fields.get("h-captcha-response") or ""
