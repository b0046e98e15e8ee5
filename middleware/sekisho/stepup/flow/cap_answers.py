"""Answers in place of the application where an amount does not pass, and tells the owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.answer import cap_reached, retry_after_s, send_answer, unavailable, unreadable_attempt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.answer import Refusal, Renderer
    from sekisho.asgi.ports import Stale
    from sekisho.asgi.types import Scope, Send
    from sekisho.model import CappedRoute
    from sekisho.record import Events, RefusalLog

BUSY_US: Final = 2_000_000


class CapAnswers(NamedTuple):
    """Attributes:
    renderer: renders refusals.
    events: records that a cap was reached.
    refusals: logs refusals.
    jitter: uniform in [0, 1), for the time after which to try again.
    ask_for_proof: answers by asking for a proof.
    tell: tells the account's owner that a cap was reached.
    """

    renderer: Renderer
    events: Events
    refusals: RefusalLog
    jitter: Callable[[], float]
    ask_for_proof: Callable[[Scope, Send, Stale], Awaitable[None]]
    tell: Callable[[Scope, str], None]

    async def unreadable(self, route: CappedRoute, scope: Scope, send: Send, status: int) -> None:
        """Answer a request whose amount cannot be read."""
        self.refusals.answered(route.name, "unreadable_attempt", "amount", enforced=True)
        await self._refuse(unreadable_attempt(status), scope, send)

    async def uncounted(self, route: CappedRoute, scope: Scope, send: Send) -> None:
        """Answer a request whose amount cannot be counted: the store does not answer."""
        self.refusals.answered(route.name, "unavailable", "its amount cannot be counted", enforced=True)
        await self._refuse(unavailable(retry_after_s(BUSY_US, self.jitter())), scope, send)

    async def reached(self, route: CappedRoute, scope: Scope, send: Send, account: str, stale: Stale | None) -> None:
        """Record that an account's cap was reached, tell its owner, and ask for `stale`'s proof or refuse."""
        self.events.cap_reached(route.name, route.over.value, account)
        self.tell(scope, account)
        self.refusals.answered(route.name, "cap_reached", route.over.value, enforced=True)
        if stale is not None:
            return await self.ask_for_proof(scope, send, stale)
        return await self._refuse(cap_reached(), scope, send)

    async def _refuse(self, refusal: Refusal, scope: Scope, send: Send) -> None:
        await send_answer(send, self.renderer.render(refusal, scope["headers"]))
