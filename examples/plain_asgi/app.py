"""A bare ASGI application behind the guard: `LoginGuard(app)` is all it takes.

Run it with

    SEKISHO_SECRET=$(openssl rand -hex 32) uvicorn examples.plain_asgi.app:app
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from sekisho import LoginGuard

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
HASHES = {"hana": HASHER.hash("correct horse battery staple")}
NOBODYS_HASH = HASHER.hash(secrets.token_hex())


async def service(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])  # how ASGI says: this one has no use for a lifespan
    status, headers = 404, [(b"content-type", b"text/plain")]
    if (scope["method"], scope["path"]) == ("POST", "/login"):
        status = 303 if await right(await read_form(receive)) else 401
    if status == 303:
        cookie = f"session={secrets.token_urlsafe()}; HttpOnly; SameSite=Lax; Path=/"
        headers += [(b"location", b"/"), (b"set-cookie", cookie.encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body"})


async def read_form(receive: Receive) -> dict[str, str]:
    body, more = b"", True
    while more:  # the guard allows no more than SEKISHO_BODY_BYTES_MAX
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return dict(parse_qsl(body.decode()))


async def right(form: dict[str, str]) -> bool:
    known = HASHES.get(form.get("username", ""))
    try:
        await asyncio.to_thread(HASHER.verify, known or NOBODYS_HASH, form.get("password", ""))
    except VerificationError:
        return False
    return known is not None


app = LoginGuard(service)
