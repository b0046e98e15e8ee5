"""A shop with sessions, owners with factors, and clients that log in and show a proof or not."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from base64 import b32encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import pyotp

from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners import Contact, Enrolment, MemoryOwners
from sekisho.stepup.factors.totp import PURPOSE, new_secret
from sekisho.stepup.flow.fair_queue import FairQueue
from sekisho.testing import SECRET, guarded
from sekisho.wiring import LoginGuard
from tests.asgi.driving import FORM, HERE, JSON, Answer, Line, answer, ask, form, http, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.asgi.types import App, Message, Receive, Scope, Send
    from sekisho.detect import PostureWatch

    Headers = Sequence[tuple[bytes, bytes]]

OWNERS = {"hana": "right", "Alice": "wonder", "alice": "hatter"}
STRANGE = "198.51.100.77"
STEP = "/sekisho/step-up"


class Shop:
    """A service with its own sessions. A log-in keeps the session that a client sends, as Litestar's does."""

    def __init__(self) -> None:
        self.owners = dict(OWNERS)
        self.sessions: dict[str, str | None] = {}
        self.reached: list[tuple[str, str]] = []
        self.paid: list[str] = []
        self.saw: list[dict[bytes, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        headers = dict(scope["headers"])
        self.saw.append(headers)
        jar = dict(
            pair.strip().split("=", 1) for pair in headers.get(b"cookie", b"").decode().split(";") if "=" in pair
        )
        match scope["path"]:
            case "/login":
                return await self._log_in(scope, receive, send, jar)
            case "/login/passkey":
                return await self._by_passkey(scope, receive, send)
            case "/password":
                return await self._change(receive, send)
            case "/pay":
                self.paid.append(str(self.sessions.get(jar.get("session", ""))))
                return await answer(send, 200, body=b"paid")
            case _:
                return await answer(send, 200, body=str(self.sessions.get(jar.get("session", ""))).encode())

    async def _log_in(self, scope: Scope, receive: Receive, send: Send, jar: dict[str, str]) -> None:
        body = await read(receive)
        kind = dict(scope["headers"]).get(b"content-type", b"")
        sent = json.loads(body) if kind == b"application/json" else dict(parse_qsl(body.decode()))
        account, password = sent.get("username", ""), sent.get("password", "")
        self.reached.append((account, password))
        if self.owners.get(account) != password:
            return await answer(send, 401, body=b"wrong")
        session = jar.get("session") or secrets.token_hex(8)
        self.sessions[session] = account
        line = (b"set-cookie", f"session={session}; HttpOnly; Secure; Path=/".encode())
        if kind == b"application/json":
            return await answer(send, 200, [(b"content-type", b"application/json"), line], b'{"ok": true}')
        return await answer(send, 303, [(b"location", b"account"), line])

    async def _by_passkey(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Log the account in that the guard names; without one, nobody."""
        await read(receive)
        guard = scope.get("state", {}).get("sekisho")
        account = guard.passkey_account if guard is not None else None
        self.reached.append((str(account), ""))
        if account not in self.owners:
            return await answer(send, 401, body=b"who?")
        session = secrets.token_hex(8)
        self.sessions[session] = account
        line = (b"set-cookie", f"session={session}; HttpOnly; Path=/".encode())
        return await answer(send, 303, [(b"location", b"/account"), line])

    async def _change(self, receive: Receive, send: Send) -> None:
        sent = dict(parse_qsl((await read(receive)).decode()))
        if self.owners.get(sent.get("username", "")) != sent.get("old_password"):
            return await answer(send, 401, body=b"wrong")
        self.owners[sent["username"]] = sent["new_password"]
        return await answer(send, 303, [(b"location", b"/"), (b"set-cookie", b"session=n; HttpOnly; Path=/")])


@dataclass
class Site:
    """The shop behind a guard, with `hana` and `Alice` enrolled for TOTP. `alice` is another account, without
    factors.
    """

    shop: Shop = field(default_factory=Shop)
    settings: dict[str, Any] = field(default_factory=dict)
    secret: bytes = field(default_factory=new_secret)

    def __post_init__(self) -> None:
        self.contacts = {
            "hana": Contact("1", "hana@example.test", "ja"),
            "Alice": Contact("2", "alice@example.test", "en"),
            "alice": Contact("3", None, None),
        }
        self.people = MemoryOwners(self.contacts)
        self.guard = self.guarded()

    @property
    def watch(self) -> PostureWatch:
        """The posture as the guard's process holds it."""
        assert self.guard._loops is not None
        found = self.guard._loops.process.watch
        assert found is not None
        return found

    def guarded(self, app: App | None = None, **more: Any) -> LoginGuard:
        """Another worker, or another guard, in front of the same shop."""
        settings: dict[str, Any] = {
            "factors": "totp",
            "challenges": "none",
            "change": "POST /password form:username,old_password,new_password",
            "protect": "POST /pay max_age=300",
            **self.settings,
            **more,
        }
        return guarded(app or self.shop, owners=self.people, **settings)

    async def enrol(self, account_id: str = "1", created_s: int = 1) -> None:
        """Enrol an authenticator app for an account: long ago, or at a Unix time in seconds."""
        number = secrets.token_hex(16)
        keys = (SECRET,)
        sealed = Sealer(keys, clock_s=time.time).seal(
            PURPOSE, self.secret, bound_to=enrolment_binding(account_id, number)
        )
        await self.people.enrol(account_id, Enrolment(number, "totp", "phone", created_s, sealed))

    def code(self, steps: int = 0) -> str:
        """The code that the owner's phone shows now, or so many time steps later: phone and guard have one time."""
        now_s = int(LoginGuard._clocks.wall_s())
        return pyotp.TOTP(b32encode(self.secret).decode()).at(now_s + 30 * steps)

    def client(self, address: str = STRANGE, guard: LoginGuard | None = None, headers: Headers = ()) -> Client:
        return Client(guard or self.guard, address, list(headers))

    async def logged_in(self, account: str = "hana", password: str = "right", *, steps: int = -1) -> Client:
        """A browser with a session that its owner has proved, by the code of this time step: the one before, or the
        next ones are left for the test.
        """
        client = self.client()
        asked = await client.log_in(account, password)
        assert (await client.show(challenge(asked), self.code(steps))).status == 303
        return client


async def runs_ended() -> None:
    """Wait until no run is under way behind the seal, nor waits for its turn there."""
    while runs := [task for task in asyncio.all_tasks() if _is_run(task)]:
        await asyncio.wait(runs)


def _is_run(task: asyncio.Task[Any]) -> bool:
    return getattr(task.get_coro(), "__qualname__", "") == FairQueue._run.__qualname__


async def stop(guard: LoginGuard) -> None:
    """Stop as a service does: its tasks have ended and its connections are closed."""
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Message:
        return next(messages)

    async def send(_message: Message) -> None:
        pass

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        for done in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{done}.complete"})

    guard._app = app
    await guard({"type": "lifespan"}, receive, send)


@dataclass
class Client:
    """A browser, as far as cookies go; with the header, an app."""

    guard: LoginGuard
    address: str
    extra: list[tuple[bytes, bytes]]
    jar: dict[str, str] = field(default_factory=dict)

    async def send(
        self,
        path: str,
        body: bytes = b"",
        *,
        method: str = "POST",
        headers: Headers = (FORM,),
        accept: bytes = b"*/*",
        query: str = "",
    ) -> Answer:
        cookies = "; ".join(f"{name}={value}" for name, value in self.jar.items()).encode()
        every = [*headers, (b"accept", accept), *self.extra, *([(b"cookie", cookies)] if cookies else [])]
        scope = http(path, method=method, client=self.address, headers=every, query_string=query.encode())
        found = await ask(self.guard, scope, body)
        for line in found.all(b"set-cookie"):
            name, _, rest = line.decode().partition("=")
            value, _, attributes = rest.partition(";")
            if value and "Max-Age=0" not in attributes:
                self.jar[name] = value
            else:
                self.jar.pop(name, None)
        return found

    async def connect(self, path: str) -> list[Message]:
        """The answer to a WebSocket's handshake."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.jar.items()).encode()
        line = Line([{"type": "websocket.connect"}])
        await self.guard(
            {**http(path, client=self.address, headers=[(b"cookie", cookies)]), "type": "websocket"},
            line.receive,
            line.send,
        )
        return line.sent

    async def log_in(self, account: str = "hana", password: str = "right", **more: Any) -> Answer:
        return await self.send("/login", form(account, password), **more)

    async def show(self, challenge: str, code: str, factor: str = "totp", form: str = "", **more: Any) -> Answer:
        fields = {"challenge": challenge, "factor": factor, "code": code, **({"form": form} if form else {})}
        return await self.send(STEP, urlencode(fields).encode(), **more)

    async def who(self) -> str:
        return (await self.send("/account", method="GET", headers=())).body.decode()


def challenge(asked: Answer) -> str:
    """The ticket in an answer: from JSON, or from a page."""
    return str(json.loads(asked.body)["challenge"]) if asked.body.startswith(b"{") else hidden(asked, "challenge")


def hidden(asked: Answer, name: str) -> str:
    """A hidden field of a page: the first with this name."""
    found = re.search(rf'name="{name}" value="([^"]*)"', asked.body.decode())
    assert found
    return found[1]


__all__ = ["FORM", "HERE", "JSON", "STEP", "STRANGE", "Client", "Shop", "Site", "challenge", "hidden", "stop"]


def seen(found: Answer) -> tuple[object, ...]:
    """What a client sees, without what differs in any two answers."""
    body = json.loads(found.body) if found.body.startswith(b"{") else found.body
    if isinstance(body, dict):
        body.pop("challenge", None)
    return found.status, sorted(name for name, _ in found.headers), body, len(found.body)
