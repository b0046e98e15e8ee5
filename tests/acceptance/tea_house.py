"""The example service as an operator runs it, with real uvicorn, Redis, SQLite and mail server.

No line of the service knows of a step-up. Environment variables, and a table of addresses as any service has, are set
here.
"""

from __future__ import annotations

import asyncio
import re
import socket
import sqlite3
import time
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import pyotp
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from examples.starlette_service import app as unprotected
from examples.starlette_service import protected
from sekisho import LoginGuard
from sekisho.cli import main
from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners import Enrolment
from sekisho.owners.sql import SqlOwners
from sekisho.stepup.factors import totp
from tests.mail.servers import RealServer, real_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    import pytest
    from playwright.async_api import Response as Answered
    from starlette.requests import Request

    from tests.browser import RequestContext

NAME, PASSWORD = "basho", "an old pond, a frog"
SECRET = "for the tea house alone: 3f0c2b8e6d"
QUERY = "select email, locale from users where username = :account"
CODE = re.compile(r"^\s*(\d{8})\s*$", re.MULTILINE)
LINK = re.compile(r"http://localhost:\d+/sekisho/notice#\S+")
STEP_SECONDS = 30
PATIENT_SECONDS = 10.0


@dataclass
class TeaHouse:
    """The running service."""

    url: str
    mails: RealServer
    owners: SqlOwners

    async def enrol_app(self) -> pyotp.TOTP:
        """An authenticator app that the member enrolled some time ago."""
        secret, number = totp.new_secret(), token_hex(16)
        sealed = Sealer([SECRET.encode()], clock_s=time.time).seal(
            totp.PURPOSE, secret, bound_to=enrolment_binding(NAME, number)
        )
        await self.owners.enrol(NAME, Enrolment(number, "totp", "Old phone", 1_750_000_000, sealed))
        return pyotp.TOTP(totp.secret_text(secret).replace(" ", ""))

    async def mailed_code(self) -> str:
        """The code of the first mail that has one."""
        async for texts in self._letters():
            if found := CODE.search("\n".join(texts)):
                return found[1]
        raise AssertionError(f"no code in {len(self.mails.received)} mails")

    async def mailed_link(self) -> str:
        """The link of the first mail that has one."""
        async for texts in self._letters():
            if found := LINK.search("\n".join(texts)):
                return found[0]
        raise AssertionError(f"no link in {len(self.mails.received)} mails")

    async def subjects(self, least: int) -> list[str]:
        """The subjects of the mails, once so many have arrived."""
        async for texts in self._letters():
            if len(texts) >= least:
                break
        return [str(_read(one)["subject"]) for one in self.mails.received]

    async def _letters(self) -> AsyncIterator[list[str]]:
        # The mail server does not report its second message.
        ends = time.monotonic() + PATIENT_SECONDS
        while time.monotonic() < ends:
            yield [_text(one) for one in self.mails.received]
            await asyncio.sleep(0.02)


def _read(received: Any) -> Any:
    return message_from_bytes(received.content, policy=policy.default)


def _text(received: Any) -> str:
    return str(_read(received).get_body(("plain",)).get_content())


def now(app: pyotp.TOTP, steps: int = 0) -> str:
    """The app's code now, or in so many steps. A used code is spent."""
    return app.at(int(time.time()) + STEP_SECONDS * steps)


@asynccontextmanager
async def tea_house(
    folder: Path,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    build: Callable[[], Starlette] = protected.build,
    locale: str = "en",
    links: bool = False,
    **settings: str,
) -> AsyncIterator[TeaHouse]:
    """Run it with one member, `basho`; `settings` are further ones, by name. `links`: whether notices have links."""
    async with real_server() as mails:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://localhost:{listener.getsockname()[1]}"
            database = f"sqlite+aiosqlite:///{folder / 'owners.sqlite3'}"
            every = {
                "SHOP_DATABASE": str(folder / "shop.sqlite3"),
                "SHOP_ARGON2": "1,256,1",
                "SEKISHO_SECRET": SECRET,
                "SEKISHO_STORE": redis_url,
                "SEKISHO_STORE_DEADLINE_MS": "5000",  # leave this core to the browser
                "SEKISHO_FACTORS": "webauthn,totp,email",
                "SEKISHO_OWNERS": database,
                "SEKISHO_OWNERS_QUERY": QUERY,
                "SEKISHO_SMTP": f"smtp://127.0.0.1:{mails.port}",
                "SEKISHO_MAIL_FROM": "counter@tea.example",
                "SEKISHO_SERVICE_NAME": "Hakone Tea House",
                "SEKISHO_ACCOUNT_PAGE": "tea.example/account",
                "SEKISHO_PASSKEY_DOMAIN": "localhost",
                "SEKISHO_PASSKEY_ORIGINS": url,
                **({"SEKISHO_PAGES_URL": f"{url}/sekisho"} if links else {}),
                **{f"SEKISHO_{name}": value for name, value in settings.items()},
            }
            patient = {**(SqlOwners.__init__.__kwdefaults__ or {}), "deadline_us": 10_000_000}
            monkeypatch.setattr(SqlOwners.__init__, "__kwdefaults__", patient)
            monkeypatch.delenv("SEKISHO_SHOTS", raising=False)  # ours, not a setting of the service
            for name, value in every.items():
                monkeypatch.setenv(name, value)
            _users(folder, locale)
            assert await asyncio.to_thread(main, ["owners", "migrate"]) == 0
            service = build()
            shop = service.state.members
            shop.add([(NAME, await service.state.passwords.hash(PASSWORD))])
            async with (
                aclosing(SqlOwners(database, QUERY, clock_s=time.monotonic)) as owners,
                _listening(service, listener),
            ):
                yield TeaHouse(url, mails, owners)


def _users(folder: Path, locale: str) -> None:
    connection = sqlite3.connect(folder / "owners.sqlite3")
    with connection:
        connection.execute("create table users (username text primary key, email text, locale text)")
        connection.execute("insert into users values (?, ?, ?)", (NAME, "basho@mail.example", locale))
    connection.close()


@asynccontextmanager
async def _listening(service: Starlette, listener: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(service, proxy_headers=False, ws="none", log_level="warning", lifespan="on")
    server = uvicorn.Server(config)
    serves = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serves


FRONT_END = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Counter</title>
<link rel="icon" href="data:,"></head><body>
<form id="login"><input name="username" autocomplete="username"><input name="password" type="password">
<button>Log in</button></form>
<form id="proof" hidden><output></output><input name="code"><button>Confirm</button>
<button type="button" id="send">Send a code</button><button type="button" id="passkey">Passkey</button></form>
<p id="said"></p>
<script type="module">
import { send } from "/sekisho/sekisho.js";
const [login, proof, said] = ["login", "proof", "said"].map((id) => document.getElementById(id));
function onStepUp(stepUp) {
  login.hidden = true;
  proof.hidden = false;
  proof.querySelector("output").value = stepUp.factors.join();
  const tell = (right) => { if (!right) said.textContent = "wrong"; };
  proof.onsubmit = async (event) => {
    event.preventDefault();
    const factor = proof.dataset.sent ? "email" : "totp";
    tell(await stepUp.code(factor, proof.elements.code.value));
  };
  proof.querySelector("#send").onclick = async () => {
    await stepUp.send("email");
    proof.dataset.sent = "yes";
    said.textContent = "sent";
  };
  proof.querySelector("#passkey").onclick = async () => tell(await stepUp.passkey());
}
login.onsubmit = async (event) => {
  event.preventDefault();
  const body = JSON.stringify(Object.fromEntries(new FormData(login)));
  const init = { method: "POST", headers: { "content-type": "application/json" }, body };
  const answer = await send("/api/login", init, { onStepUp, onWork: () => (said.dataset.worked = "yes") });
  const members = await answer.json();
  said.textContent = answer.ok ? `welcome ${members.username}` : `no: ${members.code ?? members.error}`;
};
</script></body></html>"""


def with_a_front_end() -> Starlette:
    """The tea house beside a one-script page that uses JSON."""
    shop = unprotected.build()

    async def log_in(request: Request) -> Response:
        typed = await request.json()
        stored = shop.state.members.password_hash(typed["username"])
        if not await shop.state.passwords.verify(stored, typed["password"]):
            return JSONResponse({"error": "wrong"}, 401)
        answer = JSONResponse({"username": typed["username"]})
        answer.set_cookie("session", shop.state.sessions.begin(typed["username"]), httponly=True, samesite="lax")
        return answer

    async def counter(_: Request) -> Response:
        return HTMLResponse(FRONT_END)

    routes = [Route("/counter", counter), Route("/api/login", log_in, methods=["POST"]), Mount("/", shop)]
    service = Starlette(routes=routes)
    service.state = shop.state
    rule = "success=cookie:session"
    login = f"POST /login form:username,password {rule}; POST /api/login json:username,password {rule}"
    service.add_middleware(LoginGuard, login=login, signup="POST /signup form:username,password")
    return service


def with_proved_addresses() -> Starlette:
    """The tea house, where new members prove that the address they call themselves by is theirs."""
    shop = unprotected.build()
    login = "POST /login form:username,password success=303:/account"
    signup = "POST /signup form:username,password contact=username success=303:/account"
    shop.add_middleware(LoginGuard, login=login, signup=signup)
    return shop


class Member:
    """A person at a browser."""

    def __init__(self, visit: RequestContext, house: TeaHouse) -> None:
        self.page = visit.page
        self.context = visit.context
        self._visit = visit
        self._house = house
        self._unwanted: list[str] = []
        self.page.on("response", self._look)

    def _look(self, answer: Answered) -> None:
        if answer.status >= 500:
            self._unwanted.append(f"{answer.status} {answer.url}")

    @property
    def complaints(self) -> list[str]:
        """The console messages without Chromium's about our 401 and 410 and about a missing icon."""
        said = [one for one in self._visit.complaints if not _is_of_status(one)]
        return said + self._unwanted

    async def log_in(self, password: str = PASSWORD) -> None:
        await self.page.goto(f"{self._house.url}/login")
        await self.page.fill("#username", NAME)
        await self.page.fill("#password", password)
        await self.page.click("main button")

    async def choose(self, factor: str) -> None:
        """Open one of the factors, unless it is open."""
        field = self.page.locator(f"details:has(input[name=factor][value={factor}])")
        if await field.get_attribute("open") is None:
            await field.locator("summary").click()

    async def enter(self, factor: str, code: str) -> None:
        await self.choose(factor)
        await self.page.fill(f"#code-{factor}", code)
        await self.page.press(f"#code-{factor}", "Enter")

    async def is_in(self) -> bool:
        """Whether the service shows the member's account, by its own redirect."""
        await self.page.wait_for_url(f"{self._house.url}/account")
        return NAME in await self.page.inner_text("main")

    async def log_in_by_mail(self) -> None:
        """Log in by mail, the one way for a member without an enrolled factor."""
        await self.log_in()
        await self.choose("email")
        await self.page.click("button:visible:has-text('Send a code')")
        await self.enter("email", await self._house.mailed_code())
        assert await self.is_in()

    async def factors(self) -> None:
        """Go to the member's own page."""
        await self.page.goto(f"{self._house.url}/sekisho/factors")

    async def give_authenticator(self) -> None:
        """Give the browser a phone's own authenticator whose user always confirms, and chooses no passkey unasked."""
        await self.context.add_init_script("delete PublicKeyCredential.isConditionalMediationAvailable")
        session = await self.context.new_cdp_session(self.page)
        await session.send("WebAuthn.enable")
        options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        await session.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, "isUserVerified": True}})

    async def on_a_new_device(self) -> None:
        """The same authenticator in a new browser."""
        await self.context.clear_cookies()


def _is_of_status(said: str) -> bool:
    return bool(re.search("Failed to load resource: .* status of (401|404|410)", said))
