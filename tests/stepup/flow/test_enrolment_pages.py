"""The owner's own page: an account's factors are changed only after a recent proof (R4)."""

from __future__ import annotations

import asyncio
import json
import re
import time
from base64 import b32decode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pyotp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sekisho.owners import Contact
from tests.stepup.authenticator import Authenticator
from tests.stepup.flow.driving import JSON, STEP, Client, Site, challenge, hidden
from tests.stepup.flow.letters import subject, writing

if TYPE_CHECKING:
    from tests.asgi.driving import Answer
    from tests.stepup.flow.conftest import Later

HTML = b"text/html"
PAGE = "/sekisho/factors"
TIE = "__Host-sekisho-tie"
ORIGIN = "https://shop.test"
CHANGES = ["/totp", "/totp/confirm", "/webauthn/options", "/webauthn", "/recovery", "/remove"]


@pytest.fixture
async def site(later: Later) -> Site:
    made = Site(settings={"factors": "webauthn,totp", "passkey_domain": "shop.test"})
    await made.enrol("1")
    await made.enrol("2")
    return made


async def look(client: Client, accept: bytes = b"*/*", path: str = PAGE) -> Answer:
    return await client.send(path, method="GET", headers=(), accept=accept)


async def listed(client: Client) -> dict[str, Any]:
    found = await look(client)
    assert found.status == 200, found.body
    said: dict[str, Any] = json.loads(found.body)
    return said


async def change(client: Client, path: str, accept: bytes = b"*/*", **fields: object) -> Answer:
    """A change as a program sends it, or as a page does."""
    if accept == HTML:
        return await client.send(PAGE + path, urlencode(fields).encode(), accept=accept)
    return await client.send(PAGE + path, json.dumps(fields).encode(), headers=[JSON], accept=accept)


def said(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


def app_code(secret: str, at: float) -> str:
    """The code of an app that was given this secret."""
    plain = secret.replace(" ", "")
    b32decode(plain + "=" * (-len(plain) % 8))
    return pyotp.TOTP(plain).at(int(at))


# Access.


async def test_a_session_that_is_nobodys_sees_nothing(site: Site) -> None:
    """A session without an account sees nothing: there is no account to ask a proof for."""
    for path, method in [("", "GET"), *((change, "POST") for change in CHANGES)]:
        found = await site.client().send(PAGE + path, method=method, headers=())
        assert (found.status, found.code) == (401, "step_up_required")
        assert "challenge" not in json.loads(found.body)


async def test_a_proof_that_is_too_old_is_asked_for_again(site: Site, later: Later) -> None:
    """A proof that is too old is asked again: an unattended machine or a stolen session enrols no factor."""
    client = await site.logged_in()
    token = (await listed(client))["token"]
    later.seconds = 301
    for path in CHANGES:
        refused = await change(client, path, token=token)
        assert (refused.status, refused.code) == (401, "step_up_required")
    ticket = challenge(await look(client))
    assert (await client.show(ticket, "000000")).code == "proof_failed"
    assert (await client.show(ticket, site.code())).status == 200
    assert len((await listed(client))["factors"]) == 1


async def test_a_page_leads_back_here_after_the_proof(site: Site, later: Later) -> None:
    """After the proof a page leads back to the owner's page."""
    client = await site.logged_in()
    later.seconds = 301
    asked = await look(client, HTML)
    assert asked.status == 401
    shown = await client.show(challenge(asked), site.code(), accept=HTML)
    assert (shown.status, shown.header(b"location")) == (303, PAGE.encode())
    assert (await look(client, HTML)).status == 200


async def test_the_proof_of_another_account_opens_nothing(site: Site, later: Later) -> None:
    """R4: a thief with A's session cannot use a factor of the thief's own account."""
    owner, thief = await site.logged_in(), await site.logged_in("Alice", "wonder")
    later.seconds = 301
    own = dict(thief.jar)
    ticket = challenge(await look(thief))
    thief.jar["session"] = owner.jar["session"]
    assert (await thief.show(ticket, site.code())).code == "start_again"
    # With the second session's binding as well as its cookie, and a new challenge.
    thief.jar = dict(own)
    ticket = challenge(await look(thief))
    thief.jar |= {"session": owner.jar["session"], TIE: owner.jar[TIE]}
    assert (await thief.show(ticket, site.code(1))).code == "start_again"
    assert (await look(thief)).status == 401


async def test_one_neighbour_leaves_the_owners_database_to_others(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attacker with an account looks at its page by a hundred connections: 16 of an address read the database."""
    client, found, asked, goes_on = await site.logged_in(), site.people.contact, [], asyncio.Event()

    async def slow(account: str) -> Contact | None:
        asked.append(account)
        await goes_on.wait()
        return await found(account)

    monkeypatch.setattr(site.people, "contact", slow)
    paths = ["/sekisho/factors", "/sekisho/factors/recovery"] * 50
    looks = [asyncio.create_task(client.send(path, method=_METHOD[path], headers=())) for path in paths]
    for _ in range(50):
        await asyncio.sleep(0)
    assert asked == ["hana"] * 16
    assert [look.result().code for look in looks if look.done()] == ["unavailable"] * 84
    goes_on.set()
    assert {(await look).status for look in looks} == {200, 410, 503}


_METHOD = {"/sekisho/factors": "GET", "/sekisho/factors/recovery": "POST"}


async def test_a_change_is_asked_for_by_this_page_alone(site: Site) -> None:
    """A change needs this page's token: another site has none, and a token of another browser or account is void."""
    client = await site.logged_in()
    other = await site.logged_in("Alice", "wonder")
    theirs = (await listed(other))["token"]
    ticket = challenge(await site.client().log_in())
    for token in ("", "x", theirs, ticket):
        for path in CHANGES:
            refused = await change(client, path, token=token)
            assert (refused.status, refused.code) == (410, "start_again")
    [mine] = (await listed(client))["factors"]
    theirs_too = await change(other, "/remove", token=theirs, id=mine["id"])
    assert theirs_too.status == 200
    assert (await listed(client))["factors"] == [mine]


async def test_the_question_for_a_proof_is_no_token(site: Site, later: Later) -> None:
    """A ticket for a proof is no token of this page: only the token says that the page was seen."""
    client = await site.logged_in()
    later.seconds = 301
    question = challenge(await look(client))
    assert (await client.show(question, site.code())).status == 200
    refused = await change(client, "/totp", token=question)
    assert (refused.status, refused.code) == (410, "start_again")


# Changes.


async def test_an_authenticator_app_is_enrolled(site: Site, later: Later) -> None:
    """An enrolled app proves its owner from the next time step on; the code that enrolled it is spent."""
    client = await site.logged_in()
    token = (await listed(client))["token"]
    offer = said(await change(client, "/totp", token=token))
    assert offer["uri"].startswith("otpauth://totp/")
    assert "<svg" in offer["qr"]
    wrong = await change(client, "/totp/confirm", token=token, state=offer["state"], code="000000")
    assert (wrong.status, wrong.code) == (401, "proof_failed")
    now = time.time()
    code = app_code(offer["secret"], now)
    made = await change(client, "/totp/confirm", token=token, state=offer["state"], code=code, label="my phone")
    assert said(made) == {"done": True}
    assert [one["label"] for one in (await listed(client))["factors"]] == ["phone", "my phone"]
    stranger = site.client()
    ticket = challenge(await stranger.log_in())
    assert (await stranger.show(ticket, code)).code == "proof_failed"
    assert (await stranger.show(ticket, app_code(offer["secret"], now + 30))).status == 303


async def test_an_offer_is_good_for_its_account_and_once(site: Site) -> None:
    """An offer works once and for its own account alone."""
    client, other = await site.logged_in(), await site.logged_in("Alice", "wonder")
    token, theirs = (await listed(client))["token"], (await listed(other))["token"]
    offer = said(await change(client, "/totp", token=token))
    now = time.time()
    shown = {"state": offer["state"], "code": app_code(offer["secret"], now)}
    assert (await change(other, "/totp/confirm", token=theirs, **shown)).code == "proof_failed"
    assert (await change(client, "/totp/confirm", token=token, **shown)).status == 200
    shown["code"] = app_code(offer["secret"], now + 30)
    assert (await change(client, "/totp/confirm", token=token, **shown)).code == "proof_failed"


async def test_a_passkey_is_enrolled_and_proves_its_owner(site: Site) -> None:
    """An enrolled passkey proves its owner at the log-in, in a new browser."""
    client = await site.logged_in()
    token = (await listed(client))["token"]
    asked = said(await change(client, "/webauthn/options", token=token))
    key = Authenticator(ORIGIN, Ed25519PrivateKey.generate())
    made = key.create(asked["publicKey"])
    done = await change(client, "/webauthn", token=token, state=asked["state"], credential=json.loads(made), label="k")
    assert said(done) == {"done": True}
    again = await change(client, "/webauthn", token=token, state=asked["state"], credential=json.loads(made))
    assert again.code == "proof_failed"

    stranger = site.client()
    ticket = challenge(await stranger.log_in())
    body = json.dumps({"challenge": ticket}).encode()
    options = said(await stranger.send(f"{STEP}/options", body, headers=[JSON]))["publicKey"]
    credential = json.loads(key.get(options))
    shown = json.dumps({"challenge": ticket, "factor": "webauthn", "credential": credential}).encode()
    assert (await stranger.send(STEP, shown, headers=[JSON])).status == 303


async def test_recovery_codes_let_their_owner_in_and_a_new_sheet_ends_the_old(site: Site) -> None:
    """Each recovery code works once, and a new sheet voids the old one, where the account has nothing stronger."""
    client = await site.logged_in()
    found = await listed(client)
    assert said(await change(client, "/remove", token=found["token"], id=found["factors"][0]["id"])) == {"done": True}
    token = (await listed(client))["token"]
    old = said(await change(client, "/recovery", token=token))["codes"]
    new = said(await change(client, "/recovery", token=token))["codes"]
    assert len(new) == 10
    assert not set(old) & set(new)
    stranger = site.client()
    ticket = challenge(await stranger.log_in())
    assert (await stranger.show(ticket, old[0], "recovery")).code == "proof_failed"
    assert (await stranger.show(ticket, new[0], "recovery")).status == 303
    another = site.client()
    ticket = challenge(await another.log_in())
    assert (await another.show(ticket, new[0], "recovery")).code == "proof_failed"
    assert (await another.show(ticket, new[1], "recovery")).status == 303


async def test_a_factor_that_was_removed_proves_nothing(site: Site) -> None:
    """A removed factor proves nothing from that moment on."""
    client = await site.logged_in()
    found = await listed(client)
    assert said(await change(client, "/remove", token=found["token"], id=found["factors"][0]["id"])) == {"done": True}
    assert (await listed(client))["factors"] == []
    stranger = site.client()
    ticket = challenge(await stranger.log_in())
    assert (await stranger.show(ticket, site.code(1))).code == "proof_failed"


async def test_a_fourth_app_is_one_too_many(site: Site) -> None:
    """A fourth app would never be checked, so it is not enrolled; page and program are told."""
    client = await site.logged_in()
    await site.enrol("1")
    await site.enrol("1")
    token = (await listed(client))["token"]
    full = await change(client, "/totp", token=token)
    assert (full.status, full.code) == (409, "enrolments_full")
    page = await change(client, "/totp", HTML, token=token)
    assert page.status == 409
    assert "no room for another" in page.body.decode()


# The page.


async def test_the_page_does_without_scripts_what_needs_none(site: Site) -> None:
    """Begin, mistyped code, confirm and remove all work through forms without scripts."""
    client = await site.logged_in()
    page = await look(client, HTML)
    assert page.status == 200
    token = hidden(page, "token")
    offer = await change(client, "/totp", HTML, token=token)
    assert offer.status == 200
    state, secret = hidden(offer, "state"), secret_in(offer)
    failed = await change(client, "/totp/confirm", HTML, token=hidden(offer, "token"), state=state, code="000000")
    assert failed.status == 401
    assert "aria-invalid" in failed.body.decode()
    assert (hidden(failed, "state"), secret_in(failed)) == (state, secret)
    code = app_code(secret, time.time())
    done = await change(client, "/totp/confirm", HTML, token=hidden(failed, "token"), state=state, code=code)
    location = done.header(b"location")
    assert (done.status, location) == (303, f"{PAGE}?notice=added".encode())
    assert "Added." in (await see(client, location)).body.decode()
    number = (await listed(client))["factors"][-1]["id"]
    gone = await change(client, "/remove", HTML, token=token, id=number)
    assert gone.status == 303
    assert "Removed." in (await see(client, gone.header(b"location"))).body.decode()


async def see(client: Client, location: bytes | None) -> Answer:
    """Follow a redirect as a browser does."""
    path, _, query = (location or b"").decode().partition("?")
    return await client.send(path, method="GET", headers=(), accept=HTML, query=query)


def secret_in(page: Answer) -> str:
    found = re.search(r"<code>([^<]+)</code>", page.body.decode())
    assert found
    return found[1]


@pytest.mark.parametrize("notice", ["failed", "full", "<script>", "x" * 9_999, "%E3%81%82"])
async def test_a_link_says_nothing_on_the_page_that_did_not_happen(site: Site, notice: str) -> None:
    """The page shows no message that a link made up: it could frighten or mislead an owner."""
    client = await site.logged_in()
    page = await client.send(PAGE, method="GET", headers=(), accept=HTML, query=f"notice={notice}")
    assert page.status == 200
    assert 'role="status"' not in page.body.decode()


@pytest.mark.parametrize("path", ["/webauthn", "/totp/confirm"])
async def test_a_page_whose_change_failed_says_so(site: Site, path: str) -> None:
    """A failed change is reported on the page itself, which can be used further."""
    client = await site.logged_in()
    token = (await listed(client))["token"]
    failed = await change(client, path, HTML, token=token, state="x", credential="{}", code="123456")
    assert failed.status == 401
    assert "Nothing was changed" in failed.body.decode()
    assert hidden(failed, "token")


# Owners without a factor.


async def test_an_owner_without_a_factor_enrols_after_a_mailed_code() -> None:
    """An owner without a factor enters by a mailed code and enrols an app; a mail tells the owner, in case it was a
    thief.
    """
    async with writing() as post:
        site = post.site
        site.shop.owners["kenji"] = "key"
        site.contacts["kenji"] = Contact("9", "kenji@example.test", "en")
        client = site.client()
        ticket = challenge(await client.log_in("kenji", "key"))
        body = json.dumps({"challenge": ticket, "factor": "email"}).encode()
        assert (await client.send(f"{STEP}/send", body, headers=[JSON])).status == 202
        [letter] = await post.letters(1)
        assert letter.to == ("kenji@example.test",)
        assert (await client.show(ticket, letter.code, "email")).status == 303

        token = (await listed(client))["token"]
        offer = said(await change(client, "/totp", token=token))
        code = app_code(offer["secret"], time.time())
        shown = {"token": token, "state": offer["state"], "code": code}
        assert (await change(client, "/totp/confirm", **shown)).status == 200
        letters = await post.letters(3)
        assert {one.to for one in letters} == {("kenji@example.test",)}
        assert sorted(one.subject for one in letters) == sorted(
            [subject("code"), subject("new_device"), subject("factor_changed")]
        )


# Cost of the page.


async def test_a_known_devices_log_in_brings_a_tie_only_where_one_was_asked_for() -> None:
    """A known device's log-in sets a session binding only after its owner opened the page once."""
    change = "POST /password form:username,old_password,new_password success=303"
    site = Site(settings={"protect": None, "login": "POST /login success=303:/account", "change": change})
    await site.enrol()
    client = await site.logged_in()
    assert client.jar.pop("__Host-sekisho-tie")
    assert (await client.log_in()).status == 303
    assert "__Host-sekisho-tie" not in client.jar
    assert (await client.send(PAGE, method="GET", headers=())).status == 401
    assert client.jar["__Host-sekisho-tie"] == "wanted"
    assert (await client.log_in()).status == 303
    asked = await client.send(PAGE, method="GET", headers=())
    assert (await client.show(challenge(asked), site.code(1))).status == 200
    assert (await client.send(PAGE, method="GET", headers=())).status == 200


async def test_a_passkey_is_listed_with_its_maker(site: Site) -> None:
    """A passkey without a name of the owner's is listed by its maker's, in JSON and on the page; it proves as ever."""
    client = await site.logged_in()
    token = (await listed(client))["token"]
    asked = said(await change(client, "/webauthn/options", token=token))
    apple = bytes.fromhex("fbfc3007154e4ecc8c0b6e020557d7bd")
    key = Authenticator(ORIGIN, Ed25519PrivateKey.generate(), aaguid=apple)
    made = json.loads(key.create(asked["publicKey"]))
    assert said(await change(client, "/webauthn", token=token, state=asked["state"], credential=made)) == {"done": True}
    factors = (await listed(client))["factors"]
    assert [(one["class"], one["maker"]) for one in factors] == [("app", ""), ("phr", "Apple Passwords")]
    page = (await look(client, HTML)).body.decode()
    assert "<strong>Apple Passwords</strong>" in page
    assert "it also confirms payments and changes" in page

    stranger = site.client()
    ticket = challenge(await stranger.log_in())
    body = json.dumps({"challenge": ticket}).encode()
    options = said(await stranger.send(f"{STEP}/options", body, headers=[JSON]))["publicKey"]
    shown = {"challenge": ticket, "factor": "webauthn", "credential": json.loads(key.get(options))}
    assert (await stranger.send(STEP, json.dumps(shown).encode(), headers=[JSON])).status == 303


async def test_an_owner_accepts_only_strong_ways_and_ends_it(site: Site) -> None:
    """The choice is made on the page or by a program; the last strong way then stays, and the page says why."""
    client = await site.logged_in()
    found = await listed(client)
    assert found["only_strong"] is False
    done = await change(client, "/only-strong", HTML, token=found["token"], on="yes")
    assert (done.status, done.header(b"location")) == (303, f"{PAGE}?notice=changed".encode())
    assert "Changed." in (await see(client, done.header(b"location"))).body.decode()
    assert (await listed(client))["only_strong"] is True
    number = found["factors"][0]["id"]
    refused = await change(client, "/remove", token=found["token"], id=number)
    assert (refused.status, refused.code) == (409, "still_needed")
    page = await change(client, "/remove", HTML, token=found["token"], id=number)
    assert (page.status, "your last strong way" in page.body.decode()) == (409, True)
    assert said(await change(client, "/only-strong", token=found["token"], on="no")) == {"done": True}
    assert said(await change(client, "/remove", token=found["token"], id=number)) == {"done": True}


async def test_browsers_are_told_which_passkeys_are_left(site: Site) -> None:
    """The page and the API list the accepted passkeys for the Signal API, so that a removed one is offered no more."""
    client = await site.logged_in()
    token = (await listed(client))["token"]
    asked = said(await change(client, "/webauthn/options", token=token))
    key = Authenticator(ORIGIN, Ed25519PrivateKey.generate())
    made = json.loads(key.create(asked["publicKey"]))
    await change(client, "/webauthn", token=token, state=asked["state"], credential=made)
    found = await listed(client)
    user = asked["publicKey"]["user"]["id"]
    assert found["passkeys"] == {"rpId": "shop.test", "userId": user, "allAcceptedCredentialIds": [made["id"]]}
    await change(client, "/remove", token=token, id=found["factors"][1]["id"])
    left = {"rpId": "shop.test", "userId": user, "allAcceptedCredentialIds": []}
    assert (await listed(client))["passkeys"] == left
    signal = re.search(r'data-signal="([^"]+)"', (await look(client, HTML)).body.decode())
    assert signal
    assert json.loads(signal[1].replace("&#34;", '"')) == left


async def test_other_sites_that_may_use_the_passkeys_are_listed_where_browsers_look() -> None:
    """`/.well-known/webauthn` lists the origins if one is of another site; elsewhere the application answers."""
    settings = {"factors": "webauthn,totp", "passkey_domain": "shop.test"}
    origins = "https://shop.test,https://shop.example"
    related = Site(settings={**settings, "passkey_origins": origins}).client()
    for _ in range(3):  # a path that is not ours would be remembered
        found = await look(related, path="/.well-known/webauthn")
        assert json.loads(found.body) == {"origins": origins.split(",")}
        assert found.header(b"content-type") == b"application/json"
    assert (await look(Site(settings=settings).client(), path="/.well-known/webauthn")).body == b"None"
