"""A browser, or a bot's client: it speaks ASGI to the guard, keeps cookies, and reads answers as anybody can."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from sekisho.simulate.laboratory.site import ASK, CONFIRM
from sekisho.simulate.solve import solved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.asgi.types import App, Message
    from sekisho.model.headers import Header, Headers


FORM = (b"content-type", b"application/x-www-form-urlencoded")
ASKED, PROOF_FAILED, WORK = "step_up_required", "proof_failed", "challenge_required"
_PROBLEM = b"application/problem+json"


class BrowserAnswer(NamedTuple):
    """Attributes:
    code: of a refusal by a guard; empty if the application itself answered.
    wait_s: of `Retry-After`; 0 if there is none.
    """

    status: int
    code: str
    body: bytes
    wait_s: float

    @property
    def is_done(self) -> bool:
        """Whether the application itself did what the request asked, such as a log-in: it answered with 303."""
        return self.status == 303 and not self.code

    @property
    def entered(self) -> bool:
        return self.is_done

    @property
    def wrong(self) -> bool:
        """Whether the application itself refused: the password was checked, and is not that of the account."""
        return self.status == 401 and not self.code


class Browser:
    """Cookies and a name. `keeps`: whether cookies outlive the log-in.

    Attributes:
        known: its owner has logged in with it before, and it has kept its cookies.
        copied: somebody has copied its cookies.
        has_proved: a log-in with it was let in by a proof.
        entered_s: when its owner's log-ins began that ended with a session.
    """

    __slots__ = (
        "_app", "_cookies", "_keeps", "_port", "_user_agent", "copied", "entered_s", "has_proved", "known",
    )  # fmt: skip

    def __init__(self, app: App, user_agent: str, *, keeps: bool = True, port: int = 50_000) -> None:
        self._app = app
        self._port = port
        self._user_agent = user_agent.encode()
        self._keeps = keeps
        self._cookies: dict[bytes, bytes] = {}
        self.known = self.copied = self.has_proved = False
        self.entered_s: list[float] = []

    @property
    def has_cookies(self) -> bool:
        return bool(self._cookies)

    def copy(self, port: int) -> Browser:
        """Return another browser that sends what this one would, from another port."""
        self.copied = True
        other = Browser(self._app, self._user_agent.decode(), port=port)
        other._cookies = dict(self._cookies)
        return other

    def forget(self) -> None:
        """End a visit: delete the cookies, unless the browser keeps them."""
        if not self._keeps:
            self._cookies.clear()

    async def log_in(self, address: str, account: str, password: str, *, work: str = "") -> BrowserAnswer:
        return await self._post("/login", address, {"username": account, "password": password}, _worked(work))

    async def link(self, address: str, number: str, pin: str) -> BrowserAnswer:
        return await self._post("/link", address, {"number": number, "pin": pin})

    async def ask_reset(self, address: str, account: str, details: str, to: str, *, work: str = "") -> BrowserAnswer:
        return await self._post(ASK, address, {"username": account, "details": details, "to": to}, _worked(work))

    async def confirm_reset(
        self, address: str, account: str, token: str, password: str, *, work: str = ""
    ) -> BrowserAnswer:
        known, fields = self.known, {"username": account, "token": token, "password": password}
        answer = await self._post(CONFIRM, address, fields, _worked(work))
        self.known = known  # nobody has logged in
        return answer

    async def work(self, asked: BrowserAnswer, address: str, account: str, password: str) -> BrowserAnswer:
        """Solve the puzzle of an answer, and send the log-in again with it."""
        return await self.log_in(address, account, password, work=solution(asked))

    async def ask_for_code(self, asked: BrowserAnswer, address: str) -> BrowserAnswer:
        """Have a code sent to the account's owner."""
        found = json.loads(asked.body)
        return await self._post(f"{found['step_up']}/send", address, _of(found, "webhook"))

    async def passkey_options(self, asked: BrowserAnswer, address: str) -> dict[str, Any] | None:
        """Return the options that the service gives the passkey to sign; None if it refuses."""
        found = json.loads(asked.body)
        answer = await self._post(f"{found['step_up']}/options", address, _of(found, "webauthn"))
        options: dict[str, Any] | None = json.loads(answer.body).get("publicKey")
        return options

    async def prove(self, asked: BrowserAnswer, address: str, factor: str, shown: str) -> BrowserAnswer:
        """Send a proof for the question in `asked`. `shown`: a code, or the signed answer of a passkey."""
        found, field = json.loads(asked.body), "credential" if factor == "webauthn" else "code"
        answer = await self._post(found["step_up"], address, {**_of(found, factor), field: shown})
        self.has_proved |= answer.entered and self._keeps
        return answer

    async def _post(
        self, path: str, address: str, fields: dict[str, str], headers: Sequence[Header] = ()
    ) -> BrowserAnswer:
        body = urlencode(fields).encode()
        every = [(b"host", b"shop.test"), (b"user-agent", self._user_agent), (b"accept", b"*/*"), FORM, *headers]
        if self._cookies:
            every.append((b"cookie", b"; ".join(b"=".join(pair) for pair in self._cookies.items())))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "https",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": every,
            "client": (address, self._port),
            "server": ("shop.test", 443),
        }
        exchange = _Exchange(body)
        await self._app(scope, exchange.receive, exchange.send)
        return self._read(exchange)

    def _read(self, exchange: _Exchange) -> BrowserAnswer:
        code, wait_s = "", 0.0
        for name, value in exchange.headers:
            match name.lower():
                case b"set-cookie":
                    self._keep(value)
                case b"content-type" if value.startswith(_PROBLEM):
                    code = str(json.loads(exchange.body).get("code", "problem"))
                case b"retry-after":
                    wait_s = float(value)
        answer = BrowserAnswer(exchange.status, code, exchange.body, wait_s)
        self.known |= answer.entered and self._keeps
        return answer

    def _keep(self, line: bytes) -> None:
        pair, _, attributes = line.partition(b";")
        name, _, value = pair.partition(b"=")
        if value and b"Max-Age=0" not in attributes:
            self._cookies[name.strip()] = value.strip()
        else:
            self._cookies.pop(name.strip(), None)


def solution(asked: BrowserAnswer) -> str:
    """Solve the puzzle of an answer."""
    return solved(json.loads(asked.body)["work"])


def _worked(solution: str) -> Headers:
    return [(b"sekisho-work", solution.encode())] if solution else []


def _of(found: dict[str, Any], factor: str) -> dict[str, str]:
    return {"challenge": str(found["challenge"]), "factor": factor}


class _Exchange:
    """One request and its answer."""

    __slots__ = ("_sent", "body", "headers", "status")

    def __init__(self, body: bytes) -> None:
        self._sent: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        self.status = 0
        self.headers: Headers = []
        self.body = b""

    async def receive(self) -> Message:
        return self._sent.pop() if self._sent else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message["headers"])
        else:
            self.body += message.get("body", b"")
