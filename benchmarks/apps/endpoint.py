"""The log-in that every variant protects: raw ASGI, and as cheap as an endpoint can be made.

It hashes nothing, parses nothing and knows no account: any work of its own would make each guard in front of it look
cheaper. A body that holds the right password is let in with a session cookie, every other one gets a 401.

It also counts how many attempts came through, so the harness knows that a variant really allowed or refused what it was
meant to.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Headers = list[tuple[bytes, bytes]]
    Login = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

RIGHT = b"&password=right"


class Answer(NamedTuple):
    status: int
    headers: Headers
    body: bytes


FAILED = Answer(401, [(b"content-type", b"application/json"), (b"content-length", b"17")], b'{"error":"wrong"}')
SUCCEEDED = Answer(
    302,
    [
        (b"location", b"/home"),
        (b"set-cookie", b"session=3a7bd3e2360a3d29; Path=/; Secure; HttpOnly; SameSite=Lax"),
        (b"content-length", b"0"),
    ],
    b"",
)
REFUSED = Answer(429, [(b"content-type", b"application/json"), (b"content-length", b"24")], b'{"error":"too_many_now"}')


class Counted:
    """How many attempts reached the endpoint."""

    reached = 0


def reached() -> str:
    """What `/reached` says: which worker this is, and how many attempts came through to it."""
    return f"{os.getpid()} {Counted.reached}"


def verdict(body: bytes) -> Answer:
    """What the log-in says to a form body."""
    Counted.reached += 1
    return SUCCEEDED if RIGHT in body else FAILED


class Keys(NamedTuple):
    """What a peer counts by: as strings, as their documentation does it."""

    address: str
    account: str
    device: str


def keys_of(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Keys:
    """The three keys, by the cheapest reading that works on this benchmark's own requests.

    No careful parsing, no trusted hops, no canonical form: a peer pays nothing for what its documentation leaves out.
    """
    address = agent = b""
    for name, value in headers:
        if name == b"x-forwarded-for":
            address = value
        elif name == b"user-agent":
            agent = value
    account = body[len(b"username=") : body.find(b"&")]
    return Keys(address.decode("latin-1"), account.decode("latin-1"), (address + b" " + agent).decode("latin-1"))


async def read(receive: Receive) -> bytes:
    """The whole body; its size is the load generator's, so no bound is needed here."""
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def answer(send: Send, said: Answer) -> None:
    await send({"type": "http.response.start", "status": said.status, "headers": said.headers})
    await send({"type": "http.response.body", "body": said.body})


class Service:
    """A service with one log-in at `POST /login`, and `GET /reached` for the harness."""

    def __init__(self, login: Login) -> None:
        self._login = login

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await _lifespan(receive, send)
        if scope["path"] == "/reached":
            return await answer(send, Answer(200, [], reached().encode()))
        return await self._login(scope, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
