"""A guarded log-in that says how many requests it has had: `python -m tests.feed.service ADDRESS PORT`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import uvicorn

from sekisho import LoginGuard
from tests.asgi.driving import Shop, answer

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send


class Counting:
    """Counts all requests but those of the owner, before the guard sees them."""

    def __init__(self) -> None:
        self._guarded = LoginGuard(Shop())
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/requests":
            text = b"%d" % self._requests
            return await answer(send, 200, [(b"content-length", b"%d" % len(text))], text)
        forwarded = dict(scope.get("headers", ())).get(b"x-forwarded-for", b"").decode()
        self._requests += (forwarded or (scope.get("client") or ("",))[0]) == "9.9.9.9"
        return await self._guarded(scope, receive, send)


if __name__ == "__main__":
    uvicorn.run(
        Counting(), host=sys.argv[1], port=int(sys.argv[2]), proxy_headers=False, log_level="warning", lifespan="off"
    )
