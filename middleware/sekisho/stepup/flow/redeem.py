"""Grants what a proof entitles to: the application's own answer, a proved device, a session bound to an account."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from sekisho.answer import Answer
from sekisho.crypto.seal import Unsealable
from sekisho.devices.token import browser_family
from sekisho.ledger.receipt import unpack_receipt
from sekisho.model import Charged, StoreUnavailable
from sekisho.read import credentials_set
from sekisho.stepup.escrow import TICKET_S, Purpose
from sekisho.stepup.flow.grants import Grants, ProvedClient
from sekisho.stepup.flow.let_through import let_through
from sekisho.stepup.flow.resubmission import as_from

if TYPE_CHECKING:
    from sekisho.asgi.reading import Reading
    from sekisho.detect import PostureWatch
    from sekisho.record import Events
    from sekisho.settler import Settler
    from sekisho.stepup.escrow import Ticket
    from sekisho.stepup.factors import AccountOwner, Proof
    from sekisho.stepup.flow.page_call import PageCall
    from sekisho.stepup.flow.parts import Parts, Proving


class Redemption(NamedTuple):
    """Attributes:
    call: shows the ticket, and a proof for it.
    ticket: read from the call, by the browser that it was issued to.
    owner: the owner of the ticket's account, with the factors that can prove it.
    """

    call: PageCall
    ticket: Ticket
    owner: AccountOwner

    def __repr__(self) -> str:
        return "Redemption(...)"


class Redeemer:
    """Called with a claimed ticket: exactly once for each.

    Args:
        settler: refunds the attempt behind the ticket.
        reading: the doors.
        parts: the parts of a step-up.
        proving: the parts of a proof.
        events: records proofs.
        grants: give the client a device token and bind its session.
        watch: is told of strangers' proofs; None where no posture is estimated.
    """

    def __init__(
        self,
        settler: Settler,
        reading: Reading,
        parts: Parts,
        proving: Proving,
        events: Events,
        grants: Grants,
        watch: PostureWatch | None = None,
    ) -> None:
        self._watch = watch
        self._settler = settler
        self._reading = reading
        self._parts = parts
        self._proving = proving
        self._events = events
        self._grants = grants
        self._doors = {door.name: door for door in reading.doors.all}

    async def __call__(self, redemption: Redemption, proof: Proof) -> Answer | None:
        call, ticket = redemption.call, redemption.ticket
        origin = call.caller.origin
        self._events.proved(ticket.door, ticket.purpose.value, proof.factor, ticket.account, origin)
        if ticket.receipt and self._is_believed(ticket):
            # The attempt was its owner's after all, and a factor was shown: old failures no longer count against it.
            browser_key = call.browser_key.key
            self._settler.refund_proved(ticket.receipt, ticket.account_digest, self._place(redemption), browser_key)
            with suppress(StoreUnavailable):  # without the store that charge stands
                receipt = await self._parts.escrow.take_work_receipt(ticket, browser_key)
                self._settler.refund_worked(receipt, proved=True)
        if ticket.purpose is Purpose.LOGIN:
            self._tell_watch(call, ticket)
            answer = await self._release(redemption, proof)
            # Here, because only a right proof comes this far: nothing waits for a notice before.
            await self._proving.senders.kept(redemption.owner.account_id)
            return answer
        if ticket.purpose is Purpose.DOOR:
            return await let_through(self._parts, self._reading.doors, call, ticket, int(self._parts.clock_s()))
        return await self._refresh(call, ticket, proof)

    def _tell_watch(self, call: PageCall, ticket: Ticket) -> None:
        if self._watch is None:
            return
        charge, verdict = unpack_receipt(ticket.receipt)
        # A known device's run was not told either.
        if verdict.charged & Charged.KNOWN_DEVICE == 0:
            family = browser_family(call.by_name.get(b"user-agent", b""))
            age_s = self._parts.clock_s() - ticket.issued_ms / 1000
            self._watch.proved(ticket.door, charge, call.caller.digests, family, age_s=age_s)

    async def _release(self, redemption: Redemption, proof: Proof) -> Answer:
        """The application's answer, unchanged except for the headers that make the device and the session known."""
        call, ticket = redemption.call, redemption.ticket
        sealed = await self._parts.escrow.take(ticket, call.browser_key.key)
        if sealed is None:
            return self._parts.responses.start_again(call.headers)
        door = self._doors[ticket.door]
        headers = list(as_from(call.prefix + door.path, sealed.headers))
        client = self._client(redemption)
        if self._is_believed(ticket):
            headers += self._grants.device(client)
        headers += self._grants.binding(client, proof, credentials_set(door, list(sealed.headers), sealed.body))
        headers.append((b"cache-control", b"no-store"))
        if not call.browser_key.by_header:
            headers.append(call.browser_key.deleted(elsewhere=client.elsewhere))
        return Answer(sealed.status, tuple(headers), sealed.body)

    def _is_believed(self, ticket: Ticket) -> bool:
        """Whether the secret was right as well as the proof. Where a success rule is wrong, that is unknown."""
        door = self._doors.get(ticket.door)
        return door is None or not self._settler.is_wrong(door)

    def _place(self, redemption: Redemption) -> bytes:
        """Where the account's owner is now, for the account's history; empty where no password was right."""
        call, ticket = redemption.call, redemption.ticket
        if ticket.purpose is not Purpose.LOGIN:
            return b""
        family = browser_family(call.by_name.get(b"user-agent", b""))
        return self._settler.place(ticket.account, call.caller.origin, family)

    def _client(self, redemption: Redemption) -> ProvedClient:
        call, _, owner = redemption
        elsewhere = self._parts.responses.is_elsewhere(call.headers)
        return ProvedClient(owner, call.by_name, call.caller.origin.address, call.browser_key.by_header, elsewhere)

    def _next(self, ticket: Ticket) -> str:
        # A browser can only be redirected to a route that is read by GET; for all others it goes to the front page.
        if ticket.purpose is Purpose.MANAGE:
            return f"{self._parts.mount}/factors"
        method, _, path = ticket.door.partition(" ")
        return path if method == "GET" and not path.endswith("*") else "/"

    async def _refresh(self, call: PageCall, ticket: Ticket, proof: Proof) -> Answer:
        """Renew the session's proof; the request that needed it may be repeated."""
        now_s = int(self._parts.clock_s())
        fresh = await self._proving.protection.proved_now(call.scope, ticket.account, proof.factor_class, now_s)
        if fresh is None:
            # The session now belongs to another account than when the proof was asked for, or to none (R4).
            return self._parts.responses.start_again(call.headers)
        location = self._resumed(call, ticket) or call.prefix + self._next(ticket)
        return self._parts.responses.proved(call.headers, ticket.door, location).adding(*fresh)

    def _resumed(self, call: PageCall, ticket: Ticket) -> str:
        """The page view that waits for this proof; empty where there is none. Its address was sealed by the guard."""
        sealed = call.fields.get("form", "")
        if not sealed or ticket.purpose is not Purpose.PROTECT:
            return ""
        try:
            form = self._parts.challenges.open_form(
                sealed, browser_key=call.browser_key.key, now_s=int(self._parts.clock_s()), seconds=TICKET_S
            )
        except Unsealable:
            return ""
        method, _, path = form.door.partition(" ")
        query = f"?{form.query.decode()}" if form.query else ""
        return path + query if method == "GET" else ""
