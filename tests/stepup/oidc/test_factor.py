"""The factor `oidc` behind the guard: a log-in at the bank proves the account that it was connected to alone."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners import Enrolment
from sekisho.testing import SECRET
from tests.stepup.flow.conftest import _little_to_wait, later
from tests.stepup.flow.driving import STEP, Client, Site, challenge, stop
from tests.stepup.oidc.provider import CLIENT_ID, CLIENT_SECRET, Provider, provider
from tests.talking import CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.asgi.types import Receive, Scope, Send
    from tests.asgi.driving import Answer
    from tests.stepup.flow.conftest import Later

__all__ = ["_little_to_wait", "later"]

HTML = b"text/html"
MOUNT = "/sekisho"
PAGE = MOUNT + "/factors"
BANK = "hana at the bank"
ACR = "urn:bank:strong"
HOURS_72 = 72 * 3_600


@pytest.fixture
async def bank(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provider]:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with provider() as found:
        yield found


@pytest.fixture
async def site(bank: Provider, later: Later) -> AsyncIterator[Site]:
    made = Site(settings=settings(bank))
    await connected(made, bank)
    yield made
    await stop(made.guard)


def settings(bank: Provider, more: str = "", **others: Any) -> dict[str, Any]:
    return {
        "factors": "oidc,totp",
        "oidc": f"{bank.issuer} client_id={CLIENT_ID}{more} name=Bank & Co",
        "oidc_secret": CLIENT_SECRET,
        "pages_url": f"https://shop.test{MOUNT}",
        **others,
    }


async def connected(
    site: Site, bank: Provider, subject: str = BANK, account_id: str = "1", created_s: int = 1, issuer: str = ""
) -> None:
    """Connect an identity at the bank with an account: long ago, or at a Unix time in seconds."""
    number = secrets.token_hex(16)
    identity = json.dumps([issuer or bank.issuer, subject]).encode()
    sealed = Sealer([SECRET], clock_s=time.time).seal(
        b"identity", identity, bound_to=enrolment_binding(account_id, number)
    )
    await site.people.enrol(account_id, Enrolment(number, "oidc", "", created_s, sealed))


async def sent_away(client: Client, ticket: str, form: str = "") -> Answer:
    fields = {"challenge": ticket, "factor": "oidc", **({"form": form} if form else {})}
    return await client.send(f"{STEP}/oidc", urlencode(fields).encode(), accept=HTML)


def location(answer: Answer) -> str:
    assert answer.status == 303, answer.body
    return (answer.header(b"location") or b"").decode()


async def back(client: Client, query: str) -> Answer:
    return await client.send(f"{MOUNT}/oidc/callback", method="GET", headers=(), query=query, accept=HTML)


def fields_of(page: Answer) -> tuple[str, dict[str, str]]:
    """The form of the page that browsers come back to: its path, and its fields."""
    assert page.status == 200, page.body
    text = page.body.decode()
    action = re.search(r'<form method="post" action="([^"]+)" data-returned>', text)
    assert action
    return action[1], {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', text)}


async def posted(client: Client, page: Answer, accept: bytes = HTML, **others: str) -> Answer:
    path, fields = fields_of(page)
    return await client.send(path, urlencode(fields | others).encode(), accept=accept)


async def by_bank(client: Client, bank: Provider, ticket: str, *, form: str = "", **log_in: Any) -> Answer:
    """The answer to a step-up that is shown a log-in at the bank."""
    address = location(await sent_away(client, ticket, form))
    return await posted(client, await back(client, bank.log_in(address, **log_in)))


async def by_app(site: Site) -> Client:
    """A browser that has logged in with a code of an app."""
    client = site.client()
    assert (await client.show(challenge(await client.log_in()), site.code(-1))).status == 303
    return client


# Log-ins.


async def test_a_log_in_at_the_bank_releases_the_log_in(site: Site, bank: Provider) -> None:
    """The identity that was connected gives out the application's own answer, session included."""
    client = site.client()
    asked = await client.log_in(accept=HTML)
    assert b"Continue at Bank &amp; Co" in asked.body
    shown = await by_bank(client, bank, challenge(asked))
    assert (shown.status, shown.header(b"location")) == (303, b"/account")
    assert await client.who() == "hana"


async def test_the_page_that_a_browser_comes_back_to_only_carries_the_code_on(site: Site, bank: Provider) -> None:
    """It grants nothing, exchanges nothing, is kept nowhere, and its address goes to nobody."""
    client = site.client()
    address = location(await sent_away(client, challenge(await client.log_in())))
    query = bank.log_in(address)
    exchanges = len(bank.exchanges)
    seen = [await back(client, query), await back(site.client(), query)]
    for page in seen:
        assert page.header(b"referrer-policy") == b"strict-origin"
        assert page.header(b"cache-control") == b"no-store"
        assert page.header(b"set-cookie") is None
    assert len(bank.exchanges) == exchanges
    assert (await posted(client, seen[0])).status == 303


async def test_strangers_are_sent_away_alike(site: Site, bank: Provider) -> None:
    """Right and wrong passwords, accounts with and without an identity, and invented ones: the same answers."""
    seen = []
    for account, password in (("hana", "right"), ("hana", "no"), ("Alice", "wonder"), ("nobody", "x")):
        client = site.client()
        ticket = challenge(await client.log_in(account, password, accept=HTML))
        away = await sent_away(client, ticket)
        page = await back(client, bank.log_in(location(away), subject="somebody else"))
        refused = await posted(client, page)
        blank = re.compile(rb"[A-Za-z0-9_=-]{16,}")
        seen.append(
            (
                away.status,
                [name for name, _ in away.headers],
                blank.sub(b"", page.body),
                refused.status,
                len(refused.body),
                blank.sub(b"", refused.body),
            )
        )
    assert seen[0][3] == 401
    assert [one for one in seen[1:] if one != seen[0]] == []


async def test_behind_a_wrong_password_the_right_identity_is_a_wrong_proof(site: Site, bank: Provider) -> None:
    """A right log-in at the bank proves nothing behind a wrong password."""
    client = site.client()
    shown = await by_bank(client, bank, challenge(await client.log_in("hana", "wrong")))
    assert shown.status == 401
    assert await client.who() == "None"


@pytest.mark.parametrize("subject", ["Alice at the bank", "a new customer", "hana at the ban", BANK + " "])
async def test_another_identity_is_a_wrong_proof(site: Site, bank: Provider, subject: str) -> None:
    """The identity of another account, and one that nobody has connected: never bound on first use."""
    await connected(site, bank, "Alice at the bank", "2")
    client = site.client()
    for _ in range(2):
        assert (await by_bank(client, bank, challenge(await client.log_in()), subject=subject)).status == 401
    assert [one.kind for one in await site.people.enrolments("1")] == ["oidc"]


async def test_the_same_subject_at_another_issuer_is_somebody_else(bank: Provider, later: Later) -> None:
    """A subject is unique at its issuer alone: an identity of the issuer before proves nothing."""
    site = Site(settings=settings(bank))
    await connected(site, bank, issuer="https://old.example")
    client = site.client()
    assert (await by_bank(client, bank, challenge(await client.log_in()))).status == 401
    await stop(site.guard)


async def test_a_code_is_good_once(site: Site, bank: Provider) -> None:
    """The same code and state again: refused, in this log-in and in the next one of the same browser."""
    client = site.client()
    page = await back(client, bank.log_in(location(await sent_away(client, challenge(await client.log_in())))))
    key = {name: value for name, value in client.jar.items() if name == "__Host-sekisho-step"}
    assert (await posted(client, page)).status == 303
    client.jar = dict(key)
    assert (await posted(client, page, code="another")).status == 410
    ticket = challenge(await client.log_in())
    assert (await posted(client, page, challenge=ticket)).status == 401
    assert len(bank.exchanges) == 1


async def test_a_log_in_at_the_bank_renews_a_proof_once(site: Site, bank: Provider, later: Later) -> None:
    """On a protected route as well: the same code does not renew the proof when it is too old again."""
    client = site.client()
    assert (await by_bank(client, bank, challenge(await client.log_in()))).status == 303
    later.seconds = 301
    asked = await client.send("/pay", b"yen=1")
    page = await back(client, bank.log_in(location(await sent_away(client, challenge(asked)))))
    assert (await posted(client, page)).status == 303
    later.seconds = 602
    assert (await posted(client, page, challenge=challenge(await client.send("/pay", b"yen=1")))).status == 401
    assert (await client.send("/pay", b"yen=1")).status == 401


async def test_the_state_of_another_browser_is_refused(site: Site, bank: Provider) -> None:
    """An attacker with the password has the owner log in at the bank, or brings a code of their own to the owner."""
    thief, owner = site.client(), site.client()
    address = location(await sent_away(thief, challenge(await thief.log_in())))
    theirs = await back(owner, bank.log_in(address))
    assert (await posted(owner, theirs)).status == 410
    ticket = challenge(await owner.log_in())
    assert (await posted(owner, theirs, challenge=ticket)).status == 401
    assert bank.exchanges == []
    # The owner's code in the thief's browser would be the thief's log-in: it never leaves the owner's.
    assert await thief.who() == "None"


async def test_the_state_of_another_purpose_is_refused(site: Site, bank: Provider) -> None:
    """A log-in at the bank for one step-up proves nothing in another, even in the same browser."""
    client = site.client()
    first = await back(client, bank.log_in(location(await sent_away(client, challenge(await client.log_in())))))
    for account, password in (("hana", "right"), ("Alice", "wonder")):
        ticket = challenge(await client.log_in(account, password))
        assert (await posted(client, first, challenge=ticket)).status == 401
    assert bank.exchanges == []
    assert (await posted(client, first)).status == 303


async def test_a_refusal_at_the_bank_asks_again(site: Site, bank: Provider) -> None:
    """`error=access_denied` shows the choice of factors again, and another way works."""
    await site.enrol("1")
    client = site.client()
    ticket = challenge(await client.log_in())
    bank.manner.error = "access_denied"
    page = await back(client, bank.log_in(location(await sent_away(client, ticket))))
    assert page.status == 401
    assert challenge(page) == ticket
    assert (await client.show(ticket, site.code())).status == 303


@pytest.mark.parametrize(
    "query", ["", "state=x&code=c", "state=" + "s" * 64 + "&code=c", "code=%ff", "x=" + "x" * 9_000]
)
async def test_a_callback_that_nobody_began_starts_again(site: Site, query: str) -> None:
    """Other states, and any other text: no page that carries them on."""
    assert (await back(site.client(), query)).status == 410


async def test_two_values_of_one_parameter_are_refused(site: Site, bank: Provider) -> None:
    """RFC 6749, section 3.1: two parsers could read two different codes."""
    client = site.client()
    query = bank.log_in(location(await sent_away(client, challenge(await client.log_in()))))
    assert (await back(client, query + "&code=other")).status == 410


async def test_log_ins_at_the_bank_are_bounded(site: Site) -> None:
    """Ten for one step-up: each keeps an entry in the store for its time."""
    client = site.client()
    ticket = challenge(await client.log_in())
    found = [(await sent_away(client, ticket)).status for _ in range(12)]
    assert found == [303] * 10 + [503] * 2


async def test_a_long_form_comes_back(site: Site, bank: Provider) -> None:
    """What the page carries is kept while the owner is away; other text than ours is left out."""
    client = site.client()
    ticket = challenge(await client.log_in())
    kept = "A" * 91_908
    for form, expected in ((kept, kept), ("\u3042" * 5_000, None), ("x y", None)):
        page = await back(client, bank.log_in(location(await sent_away(client, ticket, form))))
        assert fields_of(page)[1].get("form") == expected


async def test_an_outage_of_the_bank_is_answered_alike(
    site: Site, bank: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """503 for every account and every password, one line for the operator, and another way still works."""
    await site.enrol("1")
    bank.manner.metadata = {"issuer": "https://other.example"}
    answers = []
    client = site.client()
    with caplog.at_level(logging.WARNING, "sekisho"):
        for account, password in (("nobody", "x"), ("hana", "wrong"), ("hana", "right")):
            ticket = challenge(await client.log_in(account, password))
            found = await sent_away(client, ticket)
            answers.append((found.status, found.body))
    assert answers[0][0] == 503
    assert len({status for status, _ in answers}) == 1
    assert len([record for record in caplog.records if "[SEK026]" in record.getMessage()]) == 1
    assert (await client.show(ticket, site.code())).status == 303


async def test_an_outage_at_the_exchange_is_no_wrong_proof(site: Site, bank: Provider) -> None:
    """503, whether the password was right: the guard does not know who logged in."""
    for account, password in (("hana", "right"), ("hana", "wrong"), ("nobody", "x")):
        client = site.client()
        ticket = challenge(await client.log_in(account, password))
        address = location(await sent_away(client, ticket))
        bank.manner.token_status = 500
        assert (await posted(client, await back(client, bank.log_in(address)))).status == 503
        bank.manner.token_status = 200
        assert (await by_bank(client, bank, ticket)).status == (303 if password == "right" else 401)


async def test_no_code_is_logged(site: Site, bank: Provider, caplog: pytest.LogCaptureFixture) -> None:
    """Neither codes nor states nor subjects are in the log, right or wrong."""
    caplog.set_level(logging.DEBUG)
    for subject in (BANK, "somebody else"):
        client = site.client()
        await by_bank(client, bank, challenge(await client.log_in()), subject=subject)
    text = "".join(record.getMessage() for record in caplog.records if record.name.startswith("sekisho"))
    assert "proof_failed" in text
    for exchange in bank.exchanges:
        assert exchange["code"] not in text
    assert BANK not in text
    assert "somebody else" not in text


async def test_a_proof_may_come_before_the_application_has_answered(bank: Provider, later: Later) -> None:
    """A wrong identity is refused while the application still checks the password; a right one waits for it."""
    site = Site(settings=settings(bank))
    checks, shop = asyncio.Event(), site.shop

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/login":
            await checks.wait()
        await shop(scope, receive, send)

    guard = site.guarded(slow)
    await connected(site, bank)
    client = site.client(guard=guard)
    ticket = challenge(await client.log_in())
    assert (await by_bank(client, bank, ticket, subject="somebody else")).status == 401
    assert shop.reached == []
    bank.exchanged.clear()
    waiting = asyncio.create_task(by_bank(client, bank, ticket))
    await bank.exchanged.wait()
    checks.set()
    assert (await waiting).status == 303
    assert await client.who() == "hana"
    await stop(guard)


async def test_of_many_calls_at_once_one_gets_the_log_in(site: Site, bank: Provider) -> None:
    """Ten posts of one code: one exchange, one session, and the same answer for a double click."""
    client = site.client()
    page = await back(client, bank.log_in(location(await sent_away(client, challenge(await client.log_in())))))
    found = await asyncio.gather(*(posted(client, page) for _ in range(10)))
    assert {answer.status for answer in found} <= {303, 401, 410}
    assert len({answer.header(b"set-cookie") for answer in found if answer.status == 303}) == 1
    assert len(bank.exchanges) == 1


# Classes, and protected routes.


async def test_a_log_in_at_the_bank_opens_a_protected_route(bank: Provider, later: Later) -> None:
    """A route with `acr=phr` opens where the operator has said that this provider's context is one of a passkey."""
    strong = settings(bank, f" acr={ACR} class=phr", protect="POST /pay max_age=300 acr=phr")
    site = Site(settings=strong)
    await connected(site, bank)
    client = site.client()
    assert (await by_bank(client, bank, challenge(await client.log_in()))).status == 303
    later.seconds = 400
    asked = await client.send("/pay", b"yen=1", accept=HTML)
    assert asked.status == 401
    assert (await by_bank(client, bank, challenge(asked))).status == 303
    assert (await client.send("/pay", b"yen=1")).body == b"paid"
    later.seconds = 800
    bank.manner.claims = {"acr": "urn:bank:weak"}
    assert (await by_bank(client, bank, challenge(await client.send("/pay", b"yen=1")))).status == 401
    await stop(site.guard)


async def test_without_a_word_of_the_operator_it_is_no_stronger_than_an_app(site: Site, bank: Provider) -> None:
    """Class `app`: an account with an app is proved by either, and the list of factors says so."""
    await site.enrol("1")
    client = site.client()
    assert (await by_bank(client, bank, challenge(await client.log_in()))).status == 303
    listed = json.loads((await client.send(PAGE, method="GET", headers=())).body)
    assert {(one["kind"], one["class"]) for one in listed["factors"]} == {("oidc", "app"), ("totp", "app")}


async def test_as_a_passkeys_class_it_retires_the_app(bank: Provider, later: Later) -> None:
    """Class `phr`: once connected for 72 hours, a code of the app is a wrong proof, and is not spent."""
    site = Site(settings=settings(bank, f" acr={ACR} class=phr"))
    await connected(site, bank, created_s=int(time.time()))
    await site.enrol("1")
    client = site.client()
    assert (await client.show(challenge(await client.log_in()), site.code())).status == 303
    later.seconds = HOURS_72 + 60
    stranger = site.client()
    ticket = challenge(await stranger.log_in())
    assert (await stranger.show(ticket, site.code())).code == "proof_failed"
    assert (await by_bank(stranger, bank, ticket)).status == 303
    await stop(site.guard)


async def test_a_new_identity_is_held_back(bank: Provider, later: Later) -> None:
    """Connected an hour ago it logs in, and opens no protected route: a thief's own account at the bank."""
    site = Site(settings=settings(bank))
    await site.enrol("1")
    await connected(site, bank, created_s=int(time.time()))
    later.seconds = 3_600
    client = site.client()
    assert (await by_bank(client, bank, challenge(await client.log_in()))).status == 303
    asked = await client.send("/pay", b"yen=1")
    assert asked.status == 401
    assert (await by_bank(client, bank, challenge(asked))).status == 401
    await stop(site.guard)


# Enrolment.


async def listed(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await client.send(PAGE, method="GET", headers=())).body)
    return found


async def connecting(client: Client, token: str) -> Answer:
    return await client.send(f"{PAGE}/oidc", urlencode({"token": token}).encode(), accept=HTML)


@pytest.fixture
async def plain(bank: Provider, later: Later) -> AsyncIterator[Site]:
    """A site whose owner has an app, and no identity yet."""
    made = Site(settings=settings(bank))
    await made.enrol("1")
    await made.enrol("2")
    yield made
    await stop(made.guard)


async def test_an_owner_connects_the_bank(plain: Site, bank: Provider, later: Later) -> None:
    """On the owner's page, after a proof: from then on the identity proves this account, and can be removed."""
    client = await by_app(plain)
    page = await client.send(PAGE, method="GET", headers=(), accept=HTML)
    assert b"Connect Bank &amp; Co" in page.body
    assert b"form-action 'self' https:" in (page.header(b"content-security-policy") or b"")
    address = location(await connecting(client, (await listed(client))["token"]))
    page = await back(client, bank.log_in(address))
    done = await asyncio.gather(*(posted(client, page) for _ in range(5)))
    assert sorted(answer.status for answer in done) == [303, *[401] * 4]
    assert {answer.header(b"location") for answer in done} == {None, f"{PAGE}?notice=added".encode()}
    assert (await posted(client, page)).status == 401
    found = await listed(client)
    assert [one["kind"] for one in found["factors"]] == ["totp", "oidc"]
    stranger = plain.client()
    assert (await by_bank(stranger, bank, challenge(await stranger.log_in()))).status == 303
    number = found["factors"][1]["id"]
    fields = urlencode({"token": found["token"], "id": number}).encode()
    assert (await client.send(f"{PAGE}/remove", fields)).status == 200
    later.seconds = 60
    stranger = plain.client()
    assert (await by_bank(stranger, bank, challenge(await stranger.log_in()))).status == 401


async def test_connecting_needs_a_fresh_proof_and_this_page(plain: Site, bank: Provider, later: Later) -> None:
    """A stolen session alone connects nothing, nor does another site's form or another account's page."""
    client, other = await by_app(plain), plain.client()
    await other.show(challenge(await other.log_in("Alice", "wonder")), plain.code(1))
    token = (await listed(client))["token"]
    for wrong in ("", (await listed(other))["token"], challenge(await plain.client().log_in())):
        assert (await connecting(client, wrong)).status == 410
    address = location(await connecting(client, token))
    page = await back(client, bank.log_in(address))
    later.seconds = 301
    assert (await connecting(client, token)).status == 401
    assert (await posted(client, page)).status == 401
    assert [one.kind for one in await plain.people.enrolments("1")] == ["totp"]


async def test_the_identity_of_another_browser_is_not_connected(plain: Site, bank: Provider) -> None:
    """An attacker's callback in the owner's browser would connect the attacker's account at the bank."""
    owner, thief = await by_app(plain), plain.client()
    await thief.show(challenge(await thief.log_in("Alice", "wonder")), plain.code(1))
    address = location(await connecting(thief, (await listed(thief))["token"]))
    page = await back(owner, bank.log_in(address, subject="the thief at the bank"))
    assert (await posted(owner, page)).status == 410
    assert (await posted(owner, page, token=(await listed(owner))["token"])).status == 401
    # Nor a code that was given for a step-up.
    stranger = plain.client()
    away = location(await sent_away(stranger, challenge(await stranger.log_in("Alice", "wonder"))))
    path, fields = fields_of(await back(owner, bank.log_in(away, subject="the thief at the bank")))
    assert path == STEP
    fields["token"] = (await listed(owner))["token"]
    assert (await owner.send(f"{PAGE}/oidc/confirm", urlencode(fields).encode(), accept=HTML)).status == 401
    assert [one.kind for one in await plain.people.enrolments("1")] == ["totp"]
    assert bank.exchanges == []


async def test_a_wrong_token_connects_nothing(plain: Site, bank: Provider) -> None:
    """What proves nothing in a step-up connects nothing either."""
    client = await by_app(plain)
    bank.manner.claims = {"nonce": "n" * 43}
    address = location(await connecting(client, (await listed(client))["token"]))
    refused = await posted(client, await back(client, bank.log_in(address)))
    assert refused.status == 401
    assert b"Nothing was changed" in refused.body
    bank.manner.error = "access_denied"
    address = location(await connecting(client, (await listed(client))["token"]))
    assert location(await back(client, bank.log_in(address))) == PAGE
    assert [one.kind for one in await plain.people.enrolments("1")] == ["totp"]


async def test_an_account_has_three_identities_at_most(plain: Site, bank: Provider) -> None:
    """The fourth could never be compared: as many seals are opened for every account."""
    client = await by_app(plain)
    for number in range(3):
        await connected(plain, bank, f"account {number}")
    refused = await connecting(client, (await listed(client))["token"])
    assert refused.status == 409
    stranger = plain.client()
    assert (await by_bank(stranger, bank, challenge(await stranger.log_in()), subject="account 2")).status == 303


async def test_the_page_works_in_japanese(site: Site, bank: Provider) -> None:
    """The button names the provider, in the client's language."""
    japanese = site.client(headers=[(b"accept-language", b"ja")])
    asked = await japanese.log_in(accept=HTML)
    assert "Bank &amp; Coで続ける".encode() in asked.body
    page = await back(japanese, bank.log_in(location(await sent_away(japanese, challenge(asked)))))
    assert page.header(b"content-language") == b"ja"
