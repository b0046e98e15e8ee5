"""A log-in service that any version of the package can guard: `python service.py LISTENING_FD`.

It imports nothing of this repository except the package, so it runs with that of another commit too.
"""

from __future__ import annotations

import secrets
import socket
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import uvicorn

from sekisho import LoginGuard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

PASSWORD = "right"


class Shop:
    """Answers 303 with a session to the right password, 401 to any other, and counts log-ins at `/reached`."""

    def __init__(self) -> None:
        self.reached = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await _lifespan(receive, send)
        if scope["path"] != "/login":
            return await _answer(send, 200, [], str(self.reached).encode())
        self.reached += 1
        typed = dict(parse_qsl((await _read(receive)).decode()))
        if typed.get("password") != PASSWORD:
            return await _answer(send, 401, [], b"wrong")
        session = f"session={secrets.token_hex(8)}; Path=/; Secure; HttpOnly".encode()
        return await _answer(send, 303, [(b"location", b"/home"), (b"set-cookie", session)], b"")


async def _read(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def main() -> None:
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        config = uvicorn.Config(LoginGuard(Shop()), proxy_headers=False, access_log=False, log_level="warning")
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
