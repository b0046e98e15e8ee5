"""Requests for a reset at a door with `on_file=`: all are answered alike, those on file reach the application."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from sekisho.model import SettingsError
from sekisho.owners import Contact, MemoryOwners
from tests.asgi.driving import FORM, OPEN, Answer, address, answer, ask, guarded, http, read
from tests.stepup.flow.driving import JSON, Site, stop

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.wiring import LoginGuard

DOOR = "POST /forgot form:username on_file=send_to"
OWN = "POST /forgot form:email on_file=email"


class Mailing:
    """Sends a link to any address that a request names, as 7pay's application did, and says what it did."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.fails = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.sent.append(await read(receive))
        if self.fails:
            raise RuntimeError("hana@example.test")
        await answer(send, 200, [(b"set-cookie", b"session=s; HttpOnly")], b"sent")


def guard_of(app: Mailing, door: str = DOOR, **more: Any) -> LoginGuard:
    return guarded(app, factors="totp", owners=MemoryOwners(Site().contacts), reset=door, **{**OPEN, **more})


async def forgot(guard: LoginGuard, *, headers: Any = (FORM,), number: int = 1, **fields: str) -> Answer:
    return await ask(guard, http("/forgot", client=address(number), headers=headers), urlencode(fields).encode())


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


ASKED = [
    ("hana", "hana@example.test", True),
    ("hana", " Hana@Example.TEST", True),
    ("hana", "thief@example.test", False),
    ("nobody", "hana@example.test", False),
    ("Alice", "hana@example.test", False),
    ("alice", "alice@example.test", False),  # an account without an address
]


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        ("hana@gross.example", "hana@groß.example"),
        ("hana@groß.example", "hana@gross.example"),
        ("mike@mail.example", "mi\u212ae@mail.example"),
        ("sora@mail.example", "\u017fora@mail.example"),
        ("office@mail.example", "o\ufb03ce@mail.example"),
    ],
)
async def test_an_address_of_letters_that_fold_alike_is_another_mailbox(held: str, asked: str) -> None:
    """CVE-2019-19844: an address that case folding makes the owner's, at a domain that a thief has registered."""
    app, contacts = Mailing(), {"hana": Contact("1", held, "ja")}
    guard = guarded(app, factors="totp", owners=MemoryOwners(contacts), reset=DOOR, **OPEN)
    for to in (asked, held):
        assert (await forgot(guard, username="hana", send_to=to)).status == 202
        await settle()
    assert app.sent == [urlencode({"username": "hana", "send_to": held}).encode()]


@pytest.mark.parametrize(("account", "to", "is_sent"), ASKED)
async def test_only_an_address_on_file_reaches_the_application(account: str, to: str, is_sent: bool) -> None:
    """The application runs only for the account's own address; the answer is the guard's, before anything is asked."""
    app = Mailing()
    guard = guard_of(app)
    told = await forgot(guard, username=account, send_to=to)
    assert (told.status, json.loads(told.body)["code"]) == (202, "reset_requested")
    assert app.sent == []
    await settle()
    assert app.sent == ([urlencode({"username": account, "send_to": to}).encode()] if is_sent else [])


async def test_all_requests_are_answered_with_the_same_bytes() -> None:
    """The attacker's view: known and unknown accounts, right and wrong addresses, a failing application."""
    seen = set()
    for fails in (False, True):
        for account, to, _ in ASKED:
            app = Mailing()
            app.fails = fails
            told = await forgot(guard_of(app), username=account, send_to=to)
            await settle()
            headers = tuple((name, value) for name, value in told.headers if name != b"set-cookie")
            seen.add((told.status, headers, told.body, len(told.all(b"set-cookie"))))
    assert len(seen) == 1


async def test_the_account_may_be_the_address() -> None:
    """Where accounts are addresses, an account is on file under its own."""
    app, contacts = Mailing(), Site().contacts
    contacts["hana@example.test"] = contacts["hana"]
    guard = guarded(app, factors="totp", owners=MemoryOwners(contacts), reset=OWN, **OPEN)
    for mail in ("hana@example.test", "nobody@example.test", "hana"):
        assert (await forgot(guard, email=mail)).status == 202
    await settle()
    assert app.sent == [b"email=hana%40example.test"]


@pytest.mark.parametrize("elsewhere", [{}, {"send_to": ""}, {"Send_To": "thief@example.test"}])
async def test_a_request_without_the_address_that_the_door_names_is_refused(elsewhere: dict[str, Any]) -> None:
    """Threat 111: an account that is its own address passed for one on file, and the application found the thief's
    address by another spelling of the field.
    """
    app, contacts = Mailing(), Site().contacts
    contacts["hana@example.test"] = contacts["hana"]
    guard = guarded(app, factors="totp", owners=MemoryOwners(contacts), reset=DOOR, **OPEN)
    assert (await forgot(guard, username="hana@example.test", **elsewhere)).status == 400
    await settle()
    assert app.sent == []


async def test_a_failure_behind_the_answer_names_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """The log has the door and the kind of failure."""
    app = Mailing()
    app.fails = True
    await forgot(guard_of(app), username="hana", send_to="hana@example.test")
    await settle()
    assert "POST /forgot: a reset failed behind its answer (RuntimeError)" in caplog.messages
    assert "hana" not in caplog.text


async def test_requests_stay_counted() -> None:
    """Each request is charged, on file or not: an account's mailbox is not flooded."""
    app = Mailing()
    guard = guard_of(app, limit_account="2/hour")
    told = []
    for number in range(4):
        told.append(await forgot(guard, number=number, username="hana", send_to="hana@example.test"))
        await settle()
    assert [each.status for each in told] == [202, 202, 429, 429]
    assert len(app.sent) == 2
    await stop(guard)


async def test_an_owner_is_sent_five_letters_an_hour() -> None:
    """133: requests for other addresses count for nothing, and all are answered alike."""
    app = Mailing()
    guard = guard_of(app, limit_account="9999/hour")
    for number in range(40):
        for to in ("thief@example.test", "hana@example.test"):
            assert (await forgot(guard, number=number, username="hana", send_to=to)).status == 202
            await settle()
    assert len(app.sent) == 5
    await stop(guard)


class Hanging(Mailing):
    """Its mail relay takes a letter and does not answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)
        await asyncio.Event().wait()


async def test_a_busy_application_shows_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """111: requests for an account on file fill the runs, others do not. All are answered alike; each is run once."""
    monkeypatch.setattr("sekisho.stepup.flow.on_file.RUN_S", 0.5)
    seen, sent = [], []
    for account in ("hana", "nobody"):
        app = Hanging()
        guard = guard_of(app, limit_account="9999/hour")
        told = [await forgot(guard, number=n, username=account, send_to="hana@example.test") for n in range(70)]
        await settle()
        seen.append([(each.status, each.header(b"retry-after")) for each in told])
        sent.append(len(app.sent))
        await stop(guard)
    assert seen[0] == seen[1] == [(202, None)] * 70
    assert sent == [1, 0]


async def test_many_accounts_on_file_wait_for_their_turn(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """64 run at once, 256 wait, and the log says once that the rest is not carried out."""
    monkeypatch.setattr("sekisho.stepup.flow.on_file.RUN_S", 0.5)
    app, contact = Hanging(), Site().contacts["hana"]
    owners = MemoryOwners({f"hana{n}": replace(contact, account_id=f"{n}") for n in range(330)})
    guard = guarded(app, factors="totp", owners=owners, reset=DOOR, **OPEN)
    for n in range(330):
        told = await forgot(guard, number=n, username=f"hana{n}", send_to="hana@example.test")
        assert told.status == 202
    await settle()
    assert len(app.sent) == 64
    await stop(guard)
    assert len([text for text in caplog.messages if "not carried out: 320 others" in text]) == 1


@pytest.mark.parametrize(
    ("body", "query", "headers"),
    [
        (b"username=hana&send_to=a@x&send_to=hana@example.test", b"", (FORM,)),
        (b"username=hana&send_to[]=a@x", b"", (FORM,)),
        (b"username=hana&send_to=hana@example.test", b"send_to=a@x", (FORM,)),
        (b'{"username":"hana","send_to":["a@x"]}', b"", (JSON,)),
        (b'{"username":"hana","send_to":"a","x":"&send_to=b&"}', b"", (JSON,)),
    ],
)
async def test_two_addresses_are_refused(body: bytes, query: bytes, headers: Any) -> None:
    """An address that two parsers could read differently is refused."""
    app = Mailing()
    guard = guard_of(app, "POST /forgot form:username json:username on_file=send_to")
    assert (await ask(guard, http("/forgot", headers=headers, query_string=query), body)).status == 400
    await settle()
    assert app.sent == []


def test_what_cannot_be_asked_stops_the_start() -> None:
    """Without factors there are no owners to ask."""
    with pytest.raises(SettingsError, match="on_file= in SEKISHO_RESET"):
        guarded(Mailing(), reset=DOOR)
