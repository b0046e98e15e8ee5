"""Sign-ups at a door with `contact=`: the application runs for those alone who read the address's mailbox."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import pytest

from sekisho.crypto.vault_keys import VaultKeys
from sekisho.ledger.daily import DailyLimits, DayCounts
from sekisho.model import SettingsError
from sekisho.model.mail_domain import mailbox_key, prefix_key
from sekisho.owners import Contact, MemoryOwners
from sekisho.stepup.flow.contact_proofs import ContactBudget
from sekisho.store.vault import MemoryVault
from tests.asgi.driving import FORM, OPEN, answer, guarded, read
from tests.mail.servers import RealServer, real_server
from tests.stepup.flow.driving import JSON, Client, challenge, hidden, stop
from tests.stepup.flow.letters import _read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.stepup.factors.senders import CodeMessage
    from sekisho.wiring import LoginGuard
    from tests.asgi.driving import Answer

DOOR = "POST /signup form:email,password json:email,password contact=email success=303:/welcome"
PAGE = b"text/html"


class Service:
    """Opens an account with any address, as Docomo's service did; it says so where the address has one already."""

    def __init__(self) -> None:
        self.opened: list[dict[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read(receive)
        sent = json.loads(body) if body.startswith(b"{") else dict(parse_qsl(body.decode()))
        is_known = sent.get("email") == "known@mail.test"
        self.opened.append(sent)
        return await answer(send, 409 if is_known else 303, [(b"location", b"/welcome")])


class Site(NamedTuple):
    service: Service
    guard: LoginGuard
    server: RealServer

    def client(self, address: str = "203.0.113.9") -> Client:
        return Client(self.guard, address, [])

    async def code(self, count: int = 1) -> str:
        """The code of the letter that arrived last, of so many."""
        last = (await self.server.messages(count))[-1]
        return _read(last.to, last.content).code


@asynccontextmanager
async def site(**settings: Any) -> AsyncIterator[Site]:
    service = Service()
    async with real_server() as server:
        mail = {
            "smtp": f"smtp://127.0.0.1:{server.port}",
            "mail_from": "no-reply@shop.example",
            "account_page": "shop.example/account",
            "service_name": "Shop",
        }
        guard = guarded(service, **{**OPEN, "signup": DOOR, **mail, **settings})
        yield Site(service, guard, server)
        await stop(guard)


async def sign_up(client: Client, email: str = "hana@mail.test", **more: Any) -> Answer:
    return await client.send("/signup", urlencode({"email": email, "password": "never leaked 1!"}).encode(), **more)


async def enter(client: Client, asked: Answer, code: str, **fields: str) -> Answer:
    shown = {"challenge": challenge(asked), "code": code, **fields}
    return await client.send("/sekisho/contact", urlencode(shown).encode(), accept=PAGE if "form" in fields else b"*/*")


async def test_the_application_runs_after_the_code() -> None:
    """A page asks for the code; a wrong one changes nothing; the right one runs the request that was typed, once."""
    async with site() as made:
        client = made.client()
        asked = await sign_up(client, accept=PAGE)
        assert (asked.status, made.service.opened) == (401, [])
        assert b"Confirm your email address" in asked.body
        form, code = hidden(asked, "form"), await made.code()
        wrong = await enter(client, asked, "00000000" if code != "00000000" else "00000001", form=form)
        assert (wrong.status, made.service.opened) == (401, [])
        assert b'aria-invalid="true"' in wrong.body
        done = await enter(client, asked, code, form=form)
        assert (done.status, done.header(b"location")) == (303, b"/welcome")
        assert made.service.opened == [{"email": "hana@mail.test", "password": "never leaked 1!"}]
        assert (await enter(client, asked, code, form=form)).status == 410
        assert (await enter(made.client(), asked, code, form=form)).status == 410  # another browser
        assert len(made.service.opened) == 1


APART = "POST /signup form:username,password json:username,password contact=mail success=303:/welcome"
WITHOUT: list[dict[str, str]] = [{}, {"mail": ""}, {"Mail": "hana@mail.test"}, {"email": "hana@mail.test"}]


@pytest.mark.parametrize("elsewhere", WITHOUT)
async def test_a_sign_up_without_the_address_that_the_door_names_is_refused(elsewhere: dict[str, str]) -> None:
    """Threat 129: the code went to the account's name instead, and opened an account for an address that the
    application found elsewhere, by another spelling of the field, or for none.
    """
    sent = {"username": "thief@mail.test", "password": "never leaked 1!", **elsewhere}
    async with site(signup=APART) as made:
        for kind, body in ((FORM, urlencode(sent)), (JSON, json.dumps(sent))):
            told = await made.client().send("/signup", body.encode(), headers=[kind])
            assert (told.status, json.loads(told.body)["code"]) == (400, "unreadable_attempt")
        reason = "address_empty" if "mail" in elsewhere else "address_missing"
        assert made.guard.counts["POST /signup", "unreadable", reason] == 2
        assert made.service.opened == []


async def test_programs_repeat_the_request_with_the_proof() -> None:
    """A program posts the code where it is told, and repeats its request; the proof is for that address, and once."""
    async with site() as made:
        client = made.client()
        asked = await sign_up(client)
        told = [json.loads(asked.body)[name] for name in ("code", "step_up", "factors")]
        assert told == ["contact_required", "/sekisho/contact", ["email"]]
        proof = json.loads((await enter(client, asked, await made.code())).body)["proof"]

        async def repeat(email: str) -> Answer:
            body = json.dumps({"email": email, "password": "never leaked 1!"}).encode()
            return await client.send("/signup", body, headers=[JSON, (b"sekisho-proof", proof.encode())])

        assert (await repeat("other@mail.test")).code == "contact_required"
        assert (await repeat("hana@mail.test")).status == 303
        assert (await repeat("hana@mail.test")).code == "contact_required"
        assert [one["email"] for one in made.service.opened] == ["hana@mail.test"]


async def test_every_address_is_answered_alike() -> None:
    """The attacker's view: known, unknown, impossible and flooded addresses give answers of the same bytes."""
    async with site(limit_account="9999/minute") as made:
        seen: dict[bytes, set[Any]] = {PAGE: set(), b"*/*": set()}
        for email in ("known@mail.test", "nobody1@mail.test", "no address at", *["flood@mail.test"] * 8):
            for accept, answers in seen.items():
                asked = await sign_up(made.client(), email, accept=accept)
                text = asked.body.decode().replace(challenge(asked), "CHALLENGE")
                text = text.replace(hidden(asked, "form"), "FORM") if accept == PAGE else text
                headers = tuple((name, len(value)) for name, value in asked.headers if name != b"content-length")
                answers.add((asked.status, headers, re.sub(r'nonce="[^"]+"', "", text)))
        assert [len(answers) for answers in seen.values()] == [1, 1]
        assert made.service.opened == []


async def test_a_mailbox_gets_five_codes_an_hour() -> None:
    """Tags behind `+` are the same mailbox; one that is flooded gets no more, and the answers do not tell."""
    async with site() as made:
        for number in range(9):
            asked = await sign_up(made.client(), f"Hana+{number}@Mail.test")
            assert asked.code == "contact_required"
        await sign_up(made.client(), "last@mail.test")
        await stop(made.guard)  # which sends what is queued
        assert sorted(one.to[0].rpartition("+")[2] for one in made.server.received) == [
            *(f"{number}@mail.test" for number in range(5)),
            "last@mail.test",
        ]


async def test_a_code_is_sent_again() -> None:
    """The same code again, twice at most for one challenge."""
    async with site() as made:
        client = made.client()
        asked = await sign_up(client)
        fields = urlencode({"challenge": challenge(asked)}).encode()
        told = [await client.send("/sekisho/contact/send", fields) for _ in range(2)]
        assert [(one.status, json.loads(one.body)) for one in told] == [(202, {"sent": True})] * 2
        first, again, *_ = [_read(one.to, one.content).code for one in await made.server.messages(2)]
        assert first == again


async def test_a_letter_holds_no_text_of_the_client() -> None:
    """Neither address nor fields nor headers enter it: strangers have no letters written in the site's name."""
    async with site() as made:
        client = Client(made.guard, "203.0.113.9", [(b"user-agent", b"call 03-1234"), (b"accept-language", b"ja")])
        await client.send("/signup", b"email=buy.now@mail.test&password=p%20w&name=call+03-1234")
        [letter] = await made.server.messages(1)
        read_ = _read(letter.to, letter.content)
        assert letter.to == ("buy.now@mail.test",)
        for text in ("buy", "now", "1234-", "call", "203.0"):
            assert text not in read_.text.replace(read_.code, "")
        assert "アカウント開設" in read_.subject


async def test_a_sign_up_counts_once() -> None:
    """The request that asked for the code and the one that shows it are one sign-up of the day, and charged once."""
    async with site(signups_network_max=2, limit_ip="2/hour") as made:
        for number in (1, 2):
            client = made.client()
            asked = await sign_up(client, f"hana{number}@mail.test", accept=PAGE)
            done = await enter(client, asked, await made.code(number), form=hidden(asked, "form"))
            assert done.status == 303
        assert (await sign_up(made.client(), "hana3@mail.test")).status == 429


async def test_refused_addresses_and_passwords_get_no_code(tmp_path: Any) -> None:
    """Disposable domains are refused before; the address may have a field of its own."""
    (tmp_path / "domains").write_text("trash.example\n")
    door = "POST /signup form:user,password contact=mail"
    async with site(signup=door, disposable_domains=str(tmp_path / "domains")) as made:
        client = made.client()
        told = await client.send("/signup", b"user=hana&password=never+leaked+1!&mail=a@trash.example")
        assert told.code == "disposable_address"
        assert (await client.send("/signup", b"user=hana&password=x&mail=a@mail.test")).code == "contact_required"
        assert (await made.server.messages(1))[0].to == ("a@mail.test",)


async def test_a_ticket_of_a_sign_up_is_worth_nothing_at_a_step_up() -> None:
    """A sign-up under an owner's name has no code sent to them, and proves nothing at a log-in; nor the reverse."""
    owners = MemoryOwners({"hana": Contact("1", "hana@mail.test", "en")})
    door = "POST /signup form:email,password contact=mail"
    async with site(factors="email", owners=owners, signup=door) as made:
        client = made.client()
        asked = await client.send("/signup", b"email=x&password=never+leaked+1!&mail=hana")
        for path in ("/sekisho/step-up/send", "/sekisho/step-up"):
            fields = {"challenge": challenge(asked), "factor": "email", "code": "12345678"}
            assert (await client.send(path, urlencode(fields).encode())).status == 410
        log_in = await client.send("/login", b"username=hana&password=x")
        assert (await enter(client, log_in, "12345678")).status == 410
        await stop(made.guard)
        assert made.server.received == []


async def test_in_monitor_nobody_is_asked() -> None:
    """A guard that only watches passes sign-ups on."""
    async with site(mode="monitor") as made:
        assert (await sign_up(made.client())).status == 303


async def test_a_number_gets_its_code_from_the_services_own_sender() -> None:
    """A code for a number goes to the service's sender; numbers and addresses are asked alike."""
    sent: list[CodeMessage] = []

    async def on_code(message: CodeMessage) -> None:
        sent.append(message)

    door = "POST /signup form:phone,password contact=phone success=303:/welcome"
    async with site(signup=door, on_code=on_code) as made:
        client = made.client()

        async def ask(phone: str, accept: bytes) -> Answer:
            fields = urlencode({"phone": phone, "password": "never leaked 1!"}).encode()
            return await client.send("/signup", fields, accept=accept)

        asked = await ask("+81 90-1234-5678", PAGE)
        assert b"Confirm how to reach you" in asked.body
        assert json.loads((await ask("hana@mail.test", b"*/*")).body)["factors"] == ["email", "webhook"]
        assert (await made.server.messages(1))[0].to == ("hana@mail.test",)
        message = await arrived(sent)
        assert message._replace(code="", minutes=10) == ("", "+81 90-1234-5678", "", "en", 10)
        done = await enter(client, asked, message.code, form=hidden(asked, "form"))
        assert (done.status, made.service.opened[0]["phone"]) == (303, "+81 90-1234-5678")


async def arrived(sent: list[CodeMessage]) -> CodeMessage:
    """Codes leave in a task of their own, within half a second."""
    async with asyncio.timeout(20):
        while not sent:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    return sent[0]


@pytest.mark.parametrize(
    ("address", "mailbox", "prefix"),
    [
        ("Hana+shop@Mail.test", "hana@mail.test", "mail.test"),
        ("h.a.n.a@Mail.test", "hana@mail.test", "mail.test"),
        ('"ha..na"@mail.test', "hana@mail.test", "mail.test"),
        ("+81 90-1234-5678", "819012345678", "819012"),
        ("+81 (90) 1234\u20135678 ext. 5", "819012345678", "819012"),
        ("+819012345678,5", "819012345678", "819012"),
        ("+819012345678;ext=5", "819012345678", "819012"),
        ("\u0660\u0668\u0661 90-1234-5678", "819012345678", "819012"),
        ("7up 12", "7up12", "7up12"),
        ("0081(90)1234.5678", "819012345678", "819012"),
        ("＋８１９０１２３４５６７８", "819012345678", "819012"),
    ],
)
def test_one_target_has_one_count(address: str, mailbox: str, prefix: str) -> None:
    """No tag, dot, blank, width or extension makes another target of a mailbox or a telephone."""
    assert (mailbox_key(address), prefix_key(address)) == (mailbox, prefix)


async def test_codes_of_a_day_are_bounded() -> None:
    """A network, a mail domain and the whole site have so many each; another day has as many again."""
    now_s = 1_700_000_000.0
    vault = MemoryVault(entries_max=99, bytes_max=1 << 20, clock_s=lambda: now_s)
    limits = DailyLimits(DayCounts(vault, None, let_in=False, clock_s=lambda: now_s))
    budget = ContactBudget(limits, VaultKeys([b"s" * 32]), network_max=3, site_max=8)
    one, two = b"1" * 16, b"2" * 16
    assert [await budget.take(f"{n}@a.test", one) for n in range(5)] == [True] * 3 + [False] * 2
    assert [await budget.take(f"{n}@A.test", two) for n in range(2)] == [True, False]
    assert [await budget.take(f"{n}@{n}.test", bytes([n]) * 16) for n in range(7)] == [True] * 4 + [False] * 3
    now_s += 86_400
    assert await budget.take("0@a.test", one)


def test_what_cannot_be_asked_stops_the_start() -> None:
    """Without a mail server, and without a sender of the service's own, no code leaves."""
    with pytest.raises(SettingsError, match="contact= in SEKISHO_SIGNUP"):
        guarded(Service(), signup=DOOR)
