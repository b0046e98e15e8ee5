"""A log-in service to guard, a clock, and a client that speaks ASGI itself: no server between test and claim."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from sekisho import testing
from sekisho.wiring import MACHINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sekisho.asgi.types import App, Message, Receive, Scope, Send
    from sekisho.wiring import Clocks, LoginGuard

    Headers = Sequence[tuple[bytes, bytes]]

FORM = (b"content-type", b"application/x-www-form-urlencoded")
JSON = (b"content-type", b"application/json")
HERE = "203.0.113.9"
SESSION = (b"set-cookie", b"session=s; HttpOnly; Secure; Path=/")
OPEN: dict[str, Any] = {"limit_ip": "9999/minute", "limit_network": "9999/minute", "limit_device": "9999/minute"}
"""Address limits that never trip, for claims about accounts."""


RULED = "POST /login success=303:/home"
"""The door of `Shop`, with a success rule: a guessed success would make no device known."""


def guarded(app: App, **settings: Any) -> LoginGuard:
    """A guard with the limits alone, unless a test asks for proof of work."""
    return testing.guarded(app, **{"challenges": "none", "login": RULED, **settings})


class Clock:
    """A clock that the test sets, in microseconds."""

    def __init__(self, us: int = 1_700_000_000_000_000) -> None:
        self.us = us

    def __call__(self) -> int:
        return self.us

    def advance(self, seconds: float) -> None:
        self.us += int(seconds * 1e6)

    def clocks(self) -> Clocks:
        """This clock for all that counts; waits last as long as on the machine."""
        return MACHINE._replace(wall_s=lambda: self.us / 1e6, wall_us=self, monotonic_us=self)


class Answer(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    messages: list[Message]

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["code"])

    @property
    def device(self) -> str:
        """The device token that the answer set, or empty."""
        lines = [line for line in self.all(b"set-cookie") if line.startswith(b"__Host-sekisho=")]
        return lines[0].split(b";")[0].partition(b"=")[2].decode() if lines else ""


class Shop:
    """A service with a log-in. It knows nothing of the guard and records every attempt that reached it.

    If `gate` is given, every password check waits until it is set, as slow hashing would.
    """

    def __init__(self, owners: dict[str, str] | None = None, gate: asyncio.Event | None = None) -> None:
        self.owners = {"hana": "right"} if owners is None else owners
        self.gate = gate
        self.reached: list[tuple[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        form = dict(parse_qsl((await read(receive)).decode()))
        if not scope["path"].endswith("/login"):
            return await answer(send, 200, body=b"welcome")
        account, password = form.get("username", ""), form.get("password", "")
        self.reached.append((account, password))
        if self.gate is not None:
            await self.gate.wait()
        if self.owners.get(account) != password:
            return await answer(send, 401, body=b"wrong")
        return await answer(send, 303, [(b"location", b"/home"), SESSION])


async def read(receive: Receive) -> bytes:
    """Read a body as many applications do: until no more is announced, however the stream ended."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


async def answer(send: Send, status: int, headers: Headers = (), body: bytes = b"") -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*headers]})
    await send({"type": "http.response.body", "body": body})


def http(
    path: str = "/login", *, method: str = "POST", client: str | None = HERE, headers: Headers = (FORM,), **more: Any
) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "https",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": list(headers),
        "client": (client, 50_000) if client else None,
        "server": ("shop.test", 443),
        **more,
    }


class Line:
    """The server's end of one request: delivers `incoming`, then what `after` returns, and keeps the answer."""

    def __init__(self, incoming: Iterable[Message], *, hangs_up: bool = True) -> None:
        self._incoming = list(incoming)
        self._hangs_up = hangs_up
        self.received = 0
        self.sent: list[Message] = []
        self.starving = asyncio.Event()
        self.finished = asyncio.Event()

    async def receive(self) -> Message:
        self.received += 1
        if self._incoming:
            return self._incoming.pop(0)
        self.starving.set()
        if not self._hangs_up:
            await asyncio.Event().wait()
        await self.finished.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.finished.set()

    @property
    def answer(self) -> Answer:
        starts = [message for message in self.sent if message["type"].endswith("response.start")]
        assert len(starts) == 1, f"{len(starts)} answers"
        body = b"".join(message.get("body", b"") for message in self.sent if message["type"].endswith("response.body"))
        headers = [(bytes(name), bytes(value)) for name, value in starts[0].get("headers", ())]
        return Answer(starts[0]["status"], headers, body, self.sent)


def pieces(*chunks: bytes) -> list[Message]:
    """A body in these chunks."""
    last = len(chunks) - 1
    return [{"type": "http.request", "body": chunk, "more_body": i < last} for i, chunk in enumerate(chunks)]


async def ask(app: App, scope: Scope, *chunks: bytes) -> Answer:
    line = Line(pieces(*(chunks or (b"",))))
    await app(scope, line.receive, line.send)
    return line.answer


def form(account: str, password: str) -> bytes:
    return urlencode({"username": account, "password": password}).encode()


async def log_in(
    app: App,
    account: str = "hana",
    password: str = "right",
    *,
    client: str | None = HERE,
    token: str = "",
    headers: Headers = (),
    path: str = "/login",
    **more: Any,
) -> Answer:
    """One attempt by form; `token` goes where browsers keep it."""
    cookie = [(b"cookie", f"theme=dark; __Host-sekisho={token}".encode())] if token else []
    return await ask(app, http(path, client=client, headers=[FORM, *cookie, *headers], **more), form(account, password))


async def known_device(app: LoginGuard, account: str = "hana", password: str = "right", client: str = HERE) -> str:
    """A device token that this guard issued."""
    token = (await log_in(app, account, password, client=client)).device
    assert token
    return token


def address(n: int) -> str:
    """The n-th client address, each in its own network."""
    return f"10.{n // 256}.{n % 256}.7"


__all__ = ["FORM", "HERE", "JSON", "OPEN", "RULED", "SESSION", "Answer", "Clock", "Line", "Shop", "address", "answer",
           "ask", "form", "guarded", "http", "known_device", "log_in", "pieces", "read"]  # fmt: skip
