"""A guarded log-in service in its own process: `python -m tests.acceptance.service LISTENING_FD`.

It reads settings from the environment, as any service does, and reports at `/reached` how many attempts arrived.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

from sekisho import LoginGuard
from tests.asgi.driving import RULED, Shop, answer

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send


class Counting(Shop):
    """A shop whose count may be asked for."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == "/reached":
            return await answer(send, 200, body=b"%d" % len(self.reached))
        return await super().__call__(scope, receive, send)


COLLEAGUES = {f"colleague {n}": "right" for n in range(6)}
app = LoginGuard(Counting({"hana": "right", **COLLEAGUES}), login=RULED)


def main() -> None:
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        # uvicorn would believe forwarding headers from 127.0.0.1 and hide the proxy from the guard.
        config = uvicorn.Config(app, proxy_headers=False, access_log=False, log_level="warning")
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
