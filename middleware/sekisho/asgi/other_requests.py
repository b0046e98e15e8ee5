"""Requests at no door: those of denied clients and those without a fresh proof reach no protected route.

All others pass to the application, watched where amounts, changes or unnamed doors call for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.answer import denied, refuse_websocket, retry_after_s, send_answer, unavailable, unreadable_attempt
from sekisho.asgi.ports import Fresh, Stale
from sekisho.asgi.stacked import ASIDE
from sekisho.model import SessionUnread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.answer import Refusal, Renderer
    from sekisho.asgi.ports import Caps, Changes, FreshProofs
    from sekisho.asgi.stacked import Mark
    from sekisho.asgi.types import App, Receive, Scope, Send
    from sekisho.asgi.unnamed_doors import UnnamedDoors
    from sekisho.gate import Gate
    from sekisho.model import ProtectedRoute
    from sekisho.read import Callers
    from sekisho.record import Events

STRAY_TARGET = (
    "a request was refused about whose target routers would disagree: it is neither a path nor a plain URL, or leads "
    "some of them to one door and some to another"
)

UNREAD_US: Final = 2_000_000  # the application's own store of sessions may answer again by then


@final
class OtherRequests:
    """Belongs to one event loop.

    Args:
        app: the application.
        gate: knows the denied networks.
        callers: reads the client of a request.
        renderer: renders refusals.
        events: counts anomalies.
        jitter: uniform in [0, 1), for the time after which to try again.
        mark: goes into the scopes of requests for protected routes; see `stacked`.
        fresh: asks for fresh proofs; None where the guard only refuses.
        caps: sums amounts at protected routes; None where no route has a cap.
        changes: watches protected routes for changes; None where owners are told of none.
        unnamed: looks for doors that nobody named; None where it does not.
    """

    def __init__(  # noqa: PLR0913 - all its parts arrive from outside
        self,
        app: App,
        gate: Gate,
        *,
        callers: Callers,
        renderer: Renderer,
        events: Events,
        jitter: Callable[[], float],
        mark: Mark,
        fresh: FreshProofs | None = None,
        caps: Caps | None = None,
        changes: Changes | None = None,
        unnamed: UnnamedDoors | None = None,
    ) -> None:
        self._app: Final = app
        self._gate: Final = gate
        self._callers: Final = callers
        self._renderer: Final = renderer
        self._events: Final = events
        self._jitter: Final = jitter
        self._mark: Final = mark
        self._fresh: Final = fresh
        self._caps: Final = caps
        self._changes: Final = changes
        self._unnamed: Final = unnamed

    def bars_by_body(self, scope: Scope) -> bool:
        """Whether the guard, if this request has a body, must ask its session for a fresh proof first."""
        return self._fresh is not None and self._fresh.route(scope, has_body=True) is not None

    async def serve(
        self,
        as_sent: Scope,
        scope: Scope,
        by_name: dict[bytes, bytes],
        receive: Receive,
        send: Send,
        *,
        has_body: bool = False,
        enforces: bool,
    ) -> None:
        """Pass a request on, or refuse it where the guard enforces. `as_sent`, `scope`: see `endpoint`."""
        fresh = self._fresh
        if fresh is not None and enforces and (route := fresh.route(scope, has_body=has_body)) is not None:
            as_sent[ASIDE] = self._mark  # a proof that is good for one request would be used up before
            if self._gate.has_denied and self._is_denied(scope, by_name):
                return await self._refuse(scope, receive, send, denied())
            stale, refusal = await self._why_closed(fresh, route, scope)
            if refusal is not None:
                return await self._refuse(scope, receive, send, refusal)
            if stale is not None:
                return await self._ask_for_proof(fresh, scope, receive, send, stale)
        if self._changes is not None:
            send = await self._changes.watching(scope, send, has_body=has_body)
        if self._caps is not None and enforces and self._caps.capped(scope, has_body=has_body):
            return await self._counted(self._caps, as_sent, scope, receive, send)
        if self._unnamed is not None and self._unnamed.wants(scope, by_name):
            receive, send = self._unnamed.watch(as_sent, by_name, receive, send)
        return await self._app(as_sent, receive, send)

    async def stray(self, as_sent: Scope, scope: Scope, receive: Receive, send: Send, *, enforces: bool) -> None:
        """Refuse a request whose target routers read in different ways; where the guard does not enforce, pass it on.

        Nothing is charged: no secret was tried.
        """
        self._events.anomaly(STRAY_TARGET)
        if not enforces:
            return await self._app(as_sent, receive, send)
        return await self._refuse(scope, receive, send, unreadable_attempt(400))

    async def _why_closed(
        self, fresh: FreshProofs, route: ProtectedRoute, scope: Scope
    ) -> tuple[Stale | None, Refusal | None]:
        """Why a session may not use a protected route now: a missing proof, or a refusal. Nothing where it may."""
        try:
            return await why_stale(fresh, await fresh.verdict(route, scope)), None
        except SessionUnread:
            # A proof of another account would open the route, if whose session it is did not matter for a moment (R4).
            return None, unavailable(retry_after_s(UNREAD_US, self._jitter()))

    def _is_denied(self, scope: Scope, by_name: dict[bytes, bytes]) -> bool:
        """Whether the client was denied: its session, and a proof of a moment ago, open no protected route any more."""
        return self._gate.is_denied(self._callers.read(scope, by_name).origin)

    def _ask_for_proof(
        self, fresh: FreshProofs, scope: Scope, receive: Receive, send: Send, stale: Stale
    ) -> Awaitable[None]:
        # A handshake shows no page that could ask.
        if scope["type"] == "websocket":
            return self._refuse(scope, receive, send, denied())
        return fresh.fresh_proof(scope, send, stale)

    def _counted(self, caps: Caps, as_sent: Scope, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Amounts over a WebSocket would not be counted.
        if scope["type"] == "websocket":
            return self._refuse(scope, receive, send, denied())
        return caps.pass_on(as_sent, scope, receive, send)

    def _refuse(self, scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> Awaitable[None]:
        """Refuse a request for this reason; a WebSocket always as denied."""
        if scope["type"] == "websocket":
            return refuse_websocket(scope, receive, send, self._renderer.render(denied(), scope["headers"]))
        return send_answer(send, self._renderer.render(refusal, scope["headers"]))


async def why_stale(fresh: FreshProofs, verdict: Fresh | Stale) -> Stale | None:
    """Why a session may not use a protected route now; None where it may."""
    if isinstance(verdict, Fresh):
        return None if await fresh.counts(verdict) else Stale(verdict.route, verdict.account)
    return verdict
