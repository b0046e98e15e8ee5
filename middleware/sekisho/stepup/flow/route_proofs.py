"""Asks for a fresh proof at protected routes, and where a session links another account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.answer import send_answer
from sekisho.asgi.ports import Stale
from sekisho.model import StoreUnavailable
from sekisho.read.request import headers_by_name
from sekisho.stepup.escrow import Purpose, Ticket
from sekisho.stepup.flow.browser_key import browser_key_of
from sekisho.stepup.flow.resubmission import resumable

if TYPE_CHECKING:
    from sekisho.asgi.ports import Fresh
    from sekisho.asgi.types import Scope, Send
    from sekisho.model import Door, ProtectedRoute
    from sekisho.record import Events
    from sekisho.stepup.flow.browser_key import BrowserKey
    from sekisho.stepup.flow.parts import Parts

COUNTED_S = 10.0  # until a change of password on another worker ends the proofs that this one has seen
COUNTED_MAX = 1_024


class RouteProofs:
    """Belongs to one event loop.

    Args:
        parts: the parts of a step-up.
        events: records each proof that is asked for.
    """

    def __init__(self, parts: Parts, events: Events) -> None:
        self._parts = parts
        self._events = events
        self._counted: dict[tuple[str, int], float] = {}  # until when a proof needs no other look

    def route(self, scope: Scope, *, has_body: bool = False) -> ProtectedRoute | None:
        """Return the protected route to which a request may lead; None for all others."""
        proving = self._parts.proving
        return None if proving is None else proving.protection.route(scope, has_body=has_body)

    async def verdict(self, route: ProtectedRoute, scope: Scope) -> Fresh | Stale:
        """Return `Fresh` if the session's proof opens the route, otherwise `Stale`. Raises `SessionUnread`."""
        proving = self._parts.proving
        if proving is None:
            return Stale(route, None)
        return await proving.protection.verdict(route, scope, int(self._parts.clock_s()))

    async def counts(self, fresh: Fresh) -> bool:
        """Whether a proof that is young enough is still valid.

        A change of the account's password ends all earlier proofs of the account, and so do reports of a takeover. The
        store is asked once in ten seconds for each proof. While it does not answer, proofs stay valid, for their
        `max_age` at most.
        """
        proof, now_s = (fresh.account, fresh.proved_s), self._parts.clock_s()
        if self._counted.get(proof, 0.0) > now_s:
            return True
        try:
            if await self._parts.escrow.ended_since(self._parts.account_digest(fresh.account), fresh.proved_s):
                return False
        except StoreUnavailable:
            return True
        if len(self._counted) >= COUNTED_MAX:
            self._counted.clear()
        self._counted[proof] = now_s + COUNTED_S
        return True

    async def linking(self, scope: Scope, door: Door) -> Fresh | Stale | None:
        """Return `Fresh` if the session's proof lets its owner link another account at this door, otherwise `Stale`.

        None if the site has no factors. Raises `SessionUnread`.
        """
        proving = self._parts.proving
        return None if proving is None else await proving.protection.linking(door, scope, int(self._parts.clock_s()))

    async def fresh_proof(self, scope: Scope, send: Send, stale: Stale) -> None:
        """Answer by asking for a proof of the session's account; for a log-in if the account is not known."""
        headers, browser_key = scope["headers"], browser_key_of(headers_by_name(scope["headers"]))
        proving = self._parts.proving
        if stale.account is None or proving is None:
            return await send_answer(send, self._parts.responses.log_in_first(headers, stale.route))
        ticket = Ticket(
            b"", Purpose.PROTECT, stale.route.name, stale.account, self._parts.account_digest(stale.account)
        )
        session = proving.bindings.session(headers)
        _, text = await self._parts.escrow.issue_for_session(ticket, browser_key.key, session)
        self._events.step_up_issued(ticket.door, ticket.purpose.value, ticket.account)
        form = self._resumption(scope, browser_key)
        answer = self._parts.responses.step_up(headers, text, form=form, route=stale.route)
        line = browser_key.line(elsewhere=self._parts.responses.is_elsewhere(headers))
        return await send_answer(send, answer.adding(line))

    def _resumption(self, scope: Scope, browser_key: BrowserKey) -> str:
        """The sealed address of a page that asked for the proof, to go on to; empty for all that is no page view."""
        address = resumable(scope)
        if not address:
            return ""
        path, _, query = address.partition("?")
        return self._parts.challenges.seal_form(
            door=f"GET {path}", content_type=b"", body=b"", query=query.encode(), browser_key=browser_key.key,
            now_s=int(self._parts.clock_s()),
        )  # fmt: skip

    def forget(self) -> None:
        """Forget which proofs were valid a moment ago: `counts` asks the store again about each."""
        self._counted.clear()
