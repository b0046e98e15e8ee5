"""Doors beside the log-in: sign-ups, links and resets have limits of their own, and tell nothing about accounts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import pytest

from tests.asgi.driving import FORM, HERE, OPEN, SESSION, Answer, address, answer, ask, guarded, http, read

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.wiring import LoginGuard

SIGNUP = "POST /signup form:email,password success=303:/welcome"
LINK = "POST /link form:number,pin success=json:linked"
RESET = "POST /reset form:email,token,password success=303:/login; POST /forgot form:email"
WIDE: dict[str, Any] = {**OPEN, "limit_account": "9999/minute"}
AGENT = b"user-agent"


class Bank:
    """Account number n has the PIN n % 10,000. Everything that reached it is kept."""

    def __init__(self) -> None:
        self.reached: list[dict[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = dict(parse_qsl((await read(receive)).decode()))
        self.reached.append(sent)
        match scope["path"]:
            case "/link":
                is_right = sent["number"].isdecimal() and int(sent["number"]) % 10_000 == int(sent["pin"])
                body = b'{"linked": true}' if is_right else b'{"linked": false}'
                return await answer(send, 200, [(b"content-type", b"application/json")], body)
            case "/signup":
                return await answer(send, 303, [(b"location", b"/welcome")])
            case "/login":
                return await answer(
                    send, 303 if sent["password"] == "new one 7!" else 401, [(b"location", b"/home"), SESSION]
                )
            case "/reset":
                is_right = sent["token"] == "t0ken"
                return await answer(send, 303 if is_right else 400, [(b"location", b"/login")])
            case _:
                return await answer(send, 200, body=b"sent")


async def post(
    guard: LoginGuard, path: str, client: str = HERE, agent: bytes = b"a", cookie: bytes = b"", **fields: str
) -> Answer:
    headers = [FORM, (AGENT, agent), *([(b"cookie", cookie)] if cookie else [])]
    return await ask(guard, http(path, client=client, headers=headers), urlencode(fields).encode())


async def test_a_network_and_a_device_open_so_many_accounts_a_day() -> None:
    """Sign-ups have limits of their own, per network and per device there; another network has its own."""
    bank = Bank()
    guard = guarded(bank, signup=SIGNUP, signups_network_max=5, signups_device_max=3, **WIDE)

    async def sign_up(number: int, client: str = HERE, agent: bytes = b"a") -> Answer:
        return await post(guard, "/signup", client, agent, email=f"{number}@mail.test", password="never leaked 1!")

    assert [(await sign_up(number)).status for number in range(4)] == [303, 303, 303, 429]
    assert [(await sign_up(number, "203.0.113.200", b"b")).status for number in range(10, 13)] == [303, 303, 429]
    assert (await sign_up(20, "198.51.100.1")).status == 303
    assert len(bank.reached) == 6
    assert guard.counts["POST /signup", "throttle", "signups"] == 2


async def test_disposable_addresses_open_no_account(tmp_path: Path) -> None:
    """Domains of the operator's file, and those below them, are refused at sign-ups and nowhere else."""
    listed = tmp_path / "domains"
    listed.write_text("# thrown away\nTrash.example  # all of it\n*.gone.example\n屑.example\n")
    bank = Bank()
    guard = guarded(bank, signup=SIGNUP, reset=RESET, disposable_domains=str(listed), **WIDE)
    for mail in ("a@trash.example", "a@X.TRASH.example.", "a@gone.example", "a@屑.example"):
        refused = await post(guard, "/signup", email=mail, password="never leaked 1!")
        assert (refused.status, refused.code) == (422, "disposable_address")
    assert (await post(guard, "/signup", email="x <a@trash.example>", password="never leaked 1!")).status == 400
    assert not bank.reached
    assert (await post(guard, "/signup", email="a@nottrash.example", password="never leaked 1!")).status == 303
    assert (await post(guard, "/signup", email="hana", password="never leaked 1!")).status == 303
    assert (await post(guard, "/forgot", email="a@trash.example")).status == 200


async def test_one_pin_at_many_accounts_is_refused() -> None:
    """The Docomo attack: one PIN at account after account, from a new network each time, ends after eight."""
    bank = Bank()
    guard = guarded(bank, link=LINK, **WIDE)
    tried = [await post(guard, "/link", address(n), b"%d" % n, number=f"{70_000 + n}", pin="1234") for n in range(60)]
    assert sum(found.status == 200 for found in tried) == 7
    assert {found.code for found in tried if found.status != 200} == {"too_many_attempts"}
    assert (await post(guard, "/link", address(99), number="50007", pin="0007")).status == 200
    assert guard.counts["POST /link", "throttle", "secret_accounts"] == 53


async def test_one_pin_in_many_spellings_is_one_pin() -> None:
    """Row 132: the bank compares numbers, so zeros, signs and blanks make no other PIN."""
    bank = Bank()
    guard = guarded(bank, link=LINK, **WIDE)
    spelled = [f"{before}{'0' * n}1234{after}" for n in range(12) for before in ("", "+", " ") for after in ("", " ")]
    assert {int(pin) for pin in spelled} == {1234}
    tried = [
        await post(guard, "/link", address(n), b"%d" % n, number=f"{70_000 + n}", pin=pin)
        for n, pin in enumerate(spelled)
    ]
    assert sum(found.status == 200 for found in tried) == 7


async def test_right_pins_are_no_guesses() -> None:
    """Many owners with one PIN link their accounts: a right PIN does not count against the others."""
    guard = guarded(Bank(), link=LINK, **WIDE)
    for number in range(30):
        found = await post(guard, "/link", address(number), number=f"{number}1234", pin="1234")
        assert found.status == 200


async def test_one_source_tries_so_many_targets_a_day() -> None:
    """Distinct targets of a device, a network and a logged-in account are limited; the same target again is free."""
    bank = Bank()
    settings: dict[str, Any] = {"link_account_max": 3, "link_device_max": 4, "link_network_max": 5, **WIDE}
    guard = guarded(
        bank, link=LINK, session_account=lambda scope: dict(scope["headers"]).get(b"cookie", b"").decode(), **settings
    )

    async def link(number: int, client: str = HERE, agent: bytes = b"a", who: bytes = b"") -> int:
        return (await post(guard, "/link", client, agent, who, number=f"{number}", pin=f"{number + 1:04}")).status

    assert [await link(number) for number in (1, 2, 3, 4, 5, 1, 2, 6)] == [200, 200, 200, 200, 429, 200, 200, 429]
    assert [await link(number, agent=b"b") for number in (7, 8, 7)] == [200, 429, 200]
    found = [await link(10 + number, address(number), who=b"hana") for number in range(5)]
    assert found == [200, 200, 200, 429, 429]
    assert await link(10, address(9), who=b"hana") == 200
    assert await link(30, address(9), who=b"otto") == 200


async def test_a_completed_reset_makes_the_device_known() -> None:
    """An owner under attack resets the password and gets in: the reset's device has a bucket of its own."""
    guard = guarded(
        Bank(),
        login="POST /login form:email,password success=303:/home",
        reset=RESET,
        **{**WIDE, "limit_account": "2/hour"},
    )
    assert not (await post(guard, "/forgot", email="hana")).device
    assert not (await post(guard, "/reset", email="hana", token="wrong", password="new one 7!")).device
    done = await post(guard, "/reset", email="hana", token="t0ken", password="new one 7!")
    assert done.device
    for _ in range(3):
        await post(guard, "/login", address(3), email="hana", password="guess")
    assert (await post(guard, "/login", email="hana", password="new one 7!")).status == 429
    cookie = b"__Host-sekisho=" + done.device.encode()
    assert (await post(guard, "/login", cookie=cookie, email="hana", password="new one 7!")).status == 303


async def test_a_guessed_reset_makes_none() -> None:
    """Without a rule nothing shows that a reset was completed."""
    guard = guarded(Bank(), reset="POST /reset form:email,token,password", **WIDE)
    assert not (await post(guard, "/reset", email="hana", token="t0ken", password="new one 7!")).device


class Silent:
    """An application that answers alike for every account, as it must."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await read(receive)
        await answer(send, 200, body=b"thank you")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/forgot", {"email": "{}"}),
        ("/reset", {"email": "{}", "token": "x", "password": "never leaked 1!"}),
        ("/signup", {"email": "{}", "password": "never leaked 1!"}),
        ("/code", {"email": "{}", "code": "123456"}),
        ("/code", {"email": "{}"}),
        ("/link", {"number": "{}", "pin": "1234"}),
    ],
)
async def test_known_and_unknown_accounts_are_answered_alike(path: str, fields: dict[str, str]) -> None:
    """The attacker's view: for an account that logged in here and for one that nobody has, status, headers but for
    random tokens, and bytes are the same, up to and beyond each limit.
    """
    doors = {
        "login": "POST /login form:email,password success=303:/home",
        "signup": SIGNUP,
        "reset": RESET,
        "link": LINK,
        "code": "POST /code form:email,code; POST /send form:email",
    }
    if path == "/code" and "code" not in fields:
        path = "/send"

    async def seen(name: str) -> list[tuple[int, list[bytes], bytes]]:
        guard = guarded(Switch(), **doors, limit_account="3/hour", **OPEN)
        assert (await post(guard, "/login", address(200), email="hana", password="new one 7!")).status == 303
        found = []
        sent: Any = {key: text.format(name) for key, text in fields.items()}
        for number in range(6):
            told = await post(guard, path, address(number), **sent)
            body = re.sub(rb'"retry_after": \d+', b"", told.body)  # slightly random
            found.append((told.status, sorted(key for key, _ in told.headers), body))
        return found

    assert await seen("hana") == await seen("nobody")


class Switch:
    """`Bank` at the log-in, `Silent` elsewhere."""

    def __init__(self) -> None:
        self._bank, self._silent = Bank(), Silent()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        return await (self._bank if scope["path"] == "/login" else self._silent)(scope, receive, send)
