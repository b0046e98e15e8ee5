"""A bare ASGI application behind `LoginGuard`, which is given its one door and the success rule.

Run it in a checkout with

    pip install . uvicorn
    SEKISHO_SECRET=$(openssl rand -hex 32) uvicorn --no-proxy-headers examples.plain_asgi.app:app
"""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from sekisho import LoginGuard
from sekisho.passwords import Passwords, PasswordsBusy, UnusablePassword

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PASSWORDS = Passwords()
# The hash of "correct horse battery staple"; a real service has a database here.
HASHES = {"hana": "$argon2id$v=19$m=19456,t=2,p=1$CXM5Rp3x9QW3VnoJuBH0og$LHxLCkX7SSMg5psfGOm5G9xMGr814fn0LmBdmK6a73k"}


async def service(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])  # tells the server that there is no lifespan
    status, headers = 404, [(b"content-type", b"text/plain")]
    if (scope["method"], scope["path"]) == ("POST", "/login"):
        status, more = await log_in(await read_form(receive))
        headers += more
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body"})


async def read_form(receive: Receive) -> dict[str, str]:
    body, more = b"", True
    while more:  # the guard allows no more than SEKISHO_BODY_BYTES_MAX
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return dict(parse_qsl(body.decode()))


async def log_in(form: dict[str, str]) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Check the credentials. Returns the status and the headers of the answer."""
    username = form.get("username", "")
    try:
        renew = partial(HASHES.__setitem__, username)  # nothing else changes a hash here
        checked = await PASSWORDS.verify(HASHES.get(username), form.get("password", ""), renew=renew)
    except PasswordsBusy as busy:
        return 503, [(b"retry-after", b"%d" % busy.retry_after_s)]
    except UnusablePassword:
        return 401, []
    if not checked:
        return 401, []
    cookie = f"session={secrets.token_urlsafe()}; HttpOnly; SameSite=Lax; Path=/"
    return 303, [(b"location", b"/"), (b"set-cookie", cookie.encode())]


app = LoginGuard(service, login="POST /login form:username,password success=303:/")
