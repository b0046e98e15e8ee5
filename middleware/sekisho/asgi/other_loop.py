"""Replaces the guard where the server does not run an asyncio event loop (Hypercorn with trio).

Timers, connections and step-ups need asyncio. Routes other than doors pass: a setting of the server must not take the
service down. At doors attempts cannot be counted, so they are refused.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sekisho.answer import refuse_websocket, send_answer, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.answer import Renderer
    from sekisho.asgi.types import App, Receive, Scope, Send

log = logging.getLogger("sekisho")

RETRY_S = 60


def runs_asyncio() -> bool:
    """Whether the caller runs on asyncio or a compatible loop (uvloop)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class OtherLoop:
    """Args:
    app: the application.
    concerns: whether a request is for a door, a protected route or one of the guard's own pages.
    renderer: for the refusal.
    """

    def __init__(self, app: App, concerns: Callable[[Scope], bool], renderer: Renderer) -> None:
        self._app = app
        self._concerns = concerns
        self._renderer = renderer
        self._told = False

    def tell(self) -> None:
        """Log once that nothing is guarded, and why."""
        if not self._told:
            self._told = True
            log.error(
                "sekisho needs asyncio, and this server runs another event loop: doors answer 503, all other routes "
                "pass; start the server with asyncio or uvloop (hypercorn --worker-class asyncio)"
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.tell()
        if not self._concerns(scope):
            return await self._app(scope, receive, send)
        answer = self._renderer.render(unavailable(RETRY_S), scope["headers"])
        if scope["type"] == "websocket":
            return await refuse_websocket(scope, receive, send, answer)
        return await send_answer(send, answer)
