"""The application that owners and bots log in to: a form, accounts, a password check that takes a moment.

Its reset is 7pay's: it sends the link to any mail address that a request names.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.model.headers import Headers

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


ASK, CONFIRM = "/reset", "/reset/confirm"
RESET = f"POST {ASK} form:username; POST {CONFIRM} form:username,token,password success=303:/login"
ON_FILE = RESET.replace("form:username;", "form:username on_file=to;")


def details(account: str) -> str:
    """Return what a request for a reset tells of an owner: text in place of a birthday and a telephone number."""
    return f"details of {account}"


BOTS_PORT: Final = 50_001
"""The first of the ports that bots send from, two for each attack. The shop counts by them, and nothing else looks."""


def bots_port(attack: int, *, weak: bool) -> int:
    """The port of the bots of an attack, by its number in the scenario; `weak`: when they send to the weak service."""
    return BOTS_PORT + 2 * attack + weak


def part_of(port: int) -> str:
    """The part of the attacks that a bot's port stands for: an attack's number, with ` weak` for the weak service."""
    attack, weak = divmod(port - BOTS_PORT, 2)
    return f"{attack} weak" if weak else str(attack)


@dataclass(frozen=True, slots=True)
class Fault:
    """Hours in which the application refuses the right passwords of some owners.

    Attributes:
        from_s, until_s: seconds after the beginning of the history.
        share: of the owners.
    """

    from_s: float = 0.0
    until_s: float = 0.0
    share: float = 0.0

    def holds(self, owner: int, at_s: float) -> bool:
        return self.from_s <= at_s < self.until_s and owner * 379 % 1000 < self.share * 1000


class Shop:
    """`POST /login`: 303 to `/account` with a session, or 401. `POST /link`: the same for a bank account and its PIN.

    `POST /reset`: 200, and a link to the address that it names, if the details are right. `POST /reset/confirm`: 303 to
    `/login` with the token of a link, which sets the password, or 401.

    Args:
        passwords: by account.
        counted: the path at which bots are counted; empty for all.
        refuses: whether a fault refuses the account's right password now.

    Attributes:
        checks: requests in which something was checked.
        checks_of_bots: of them, those that bots sent, by their port.
        mail: the token of the last link that was sent, by mail address.
    """

    def __init__(
        self,
        passwords: Mapping[str, str],
        counted: str = "",
        refuses: Callable[[str], bool] = lambda _account: False,
    ) -> None:
        self._passwords = dict(passwords)
        self._refuses = refuses
        self._counted = counted
        self.checks = 0
        self.checks_of_bots = Counter[int]()
        self.mail: dict[str, str] = {}
        self._links: dict[str, str] = {}

    def exists(self, account: str) -> bool:
        return account in self._passwords

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await _live(receive, send)
        sent = dict(parse_qsl((await read(receive)).decode()))
        self.checks += 1
        if scope["client"][1] >= BOTS_PORT and self._counted in {"", scope["path"]}:
            self.checks_of_bots[scope["client"][1]] += 1
        await asyncio.sleep(CHECK_S)
        status, headers = self._answer(scope["path"], sent)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        return await send({"type": "http.response.body", "body": b""})

    def _answer(self, path: str, sent: Mapping[str, str]) -> tuple[int, Headers]:
        if path == ASK:
            return self._asked(sent)
        if path == CONFIRM:
            return self._confirmed(sent)
        return (303, _ENTERED) if self._is_right(path, sent) else (401, [])

    def _asked(self, sent: Mapping[str, str]) -> tuple[int, Headers]:
        account = sent.get("username", "")
        if self.exists(account) and sent.get("details") == details(account):
            token = f"link {len(self._links)}"
            self.mail[sent.get("to", "")], self._links[token] = token, account
        return 200, []

    def _confirmed(self, sent: Mapping[str, str]) -> tuple[int, Headers]:
        account, token = sent.get("username", ""), sent.get("token", "")
        if self._links.get(token) != account:
            return 401, []
        self._links[token] = ""  # valid once
        self._passwords[account] = sent.get("password", "")
        return 303, [(b"location", b"/login")]

    def _is_right(self, path: str, sent: Mapping[str, str]) -> bool:
        if path == "/link":
            owner = int(sent.get("number", "0")[1:])
            return sent.get("pin") == PIN and has_pin(owner)
        account = sent.get("username", "")
        return self._passwords.get(account) == sent.get("password") and not self._refuses(account)


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
