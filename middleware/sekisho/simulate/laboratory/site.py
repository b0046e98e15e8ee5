"""The application that owners and bots log in to: a form, accounts, a password check that takes a moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.asgi.types import Receive, Scope, Send

CHECK_S = 0.05
"""What a password hash costs: argon2id with OWASP's minimum takes some 20 to 50 ms of a core."""

_ENTERED = [(b"location", b"/account"), (b"set-cookie", b"session=s; HttpOnly; Secure; Path=/")]


PIN = "1234"
"""What bots try; one owner in a hundred has it as the PIN of the bank account (assumed)."""

LINK = "POST /link form:number,pin success=303:/account"


def bank_account(owner: int) -> str:
    """The number of an owner's bank account."""
    return f"5{owner:06}"


def has_pin(owner: int) -> bool:
    return owner % 100 == 7


BOTS_PORT: Final = 50_001
"""The port that bots send from. The shop counts by it, and nothing else looks at it."""


class Shop:
    """`POST /login`: 303 to `/account` with a session, or 401. `POST /link`: the same for a bank account and its PIN.

    Attributes:
        checks: passwords checked.
        checks_of_bots: of them, those that bots sent.
    """

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = passwords
        self.checks = 0
        self.checks_of_bots = 0

    def exists(self, account: str) -> bool:
        return account in self._passwords

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await _live(receive, send)
        sent = dict(parse_qsl((await read(receive)).decode()))
        self.checks += 1
        self.checks_of_bots += scope["client"][1] == BOTS_PORT
        await asyncio.sleep(CHECK_S)
        right = self._is_right(scope["path"], sent)
        status, headers = (303, _ENTERED) if right else (401, [])
        await send({"type": "http.response.start", "status": status, "headers": headers})
        return await send({"type": "http.response.body", "body": b""})

    def _is_right(self, path: str, sent: Mapping[str, str]) -> bool:
        if path == "/link":
            owner = int(sent.get("number", "0")[1:])
            return sent.get("pin") == PIN and has_pin(owner)
        return self._passwords.get(sent.get("username", "")) == sent.get("password")


async def read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


async def _live(receive: Receive, send: Send) -> None:
    for done in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{done}.complete"})
