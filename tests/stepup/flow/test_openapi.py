"""The API's document: valid, current, and true of a guarded application in both directions."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from openapi_spec_validator import validate

from sekisho.stepup.api import OPERATIONS, PAGES_ONLY
from sekisho.stepup.flow.routes import PageRoutes
from sekisho.wiring import LoginGuard
from tests.asgi.driving import OPEN, Answer, Line, ask, form, http
from tests.breach.making import corpus_file, digest
from tests.stepup.authenticator import Authenticator
from tests.stepup.flow.driving import STEP, Client, Shop, Site, challenge, stop
from tests.stepup.flow.letters import writing
from tests.stepup.flow.openapi import JSON, PAGE, Api
from tests.stepup.flow.test_activity import site_at, statement
from tests.stepup.flow.test_caps import banked, pay
from tests.stepup.flow.test_contact import site as signing_up_at
from tests.stepup.flow.test_enrolment_pages import app_code
from tests.stepup.flow.test_lost_factor import letter, sheet
from tests.stepup.flow.test_was_this_you import PAGES, token_of
from tests.stepup.oidc.provider import provider
from tests.stepup.oidc.test_factor import connected
from tests.stepup.oidc.test_factor import settings as at_bank
from tests.talking import CERTIFICATE

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.stepup.flow.conftest import Later
    from tests.stepup.flow.letters import Post

FACTORS, ACTIVITY = "/sekisho/factors", "/sekisho/activity"
KEY = "sekisho-challenge"


def test_the_document_is_what_the_command_writes() -> None:
    """The document is current. Refresh it with: python -m sekisho.stepup.api > docs/openapi.json."""
    done = subprocess.run([sys.executable, "-m", "sekisho.stepup.api"], capture_output=True, check=True)
    assert done.stdout == PAGE.read_bytes()


def test_the_document_is_valid() -> None:
    """The document is OpenAPI 3.1: clients can be generated from it."""
    validate(Api().document)


async def test_each_route_is_documented_or_for_pages_alone(tmp_path: Path) -> None:
    """Each route of a guard with all factors is in the document, or in the list of those for pages; none is in both."""
    async with site_at(tmp_path / "db", **EVERY) as site:
        await site.client().log_in()
        assert site.guard._loops is not None
        step_up = site.guard._loops._here()._step_up
        assert step_up is not None
        routes = step_up.ports.routes
        assert isinstance(routes, PageRoutes)
        below = {(one.method, one.path) for one in OPERATIONS if not one.beside}
        assert not below & PAGES_ONLY
        assert below | PAGES_ONLY == set(routes._routes)


EVERY: dict[str, Any] = {
    "signup": "POST /signup form:email,password contact=email",
    "factors": "webauthn,totp,oidc,email",
    "passkey_domain": "shop.test",
    "passkey": "POST /login/passkey",
    "oidc": "https://login.bank.example client_id=shop",
    "oidc_secret": "s" * 32,
    "pages_url": "https://shop.test/sekisho",
    "smtp": "smtp://127.0.0.1:1",
    "mail_from": "no-reply@shop.example",
    "account_page": "shop.example/account",
}


async def test_each_answer_is_documented_and_each_documented_answer_comes(
    tmp_path: Path, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every answer on a program's way has the documented status, headers and members; the document has no others."""
    api = Api()
    async with writing(factors="webauthn,totp,email", passkey_domain="shop.test", **PAGES) as post:
        await proving(api, post)
        await lost(api, post, later)
        await enrolling(api, post.site, later)
    await proof_first(api, later)
    await signing_up(api)
    await beginning_with_a_passkey(api)
    await log_ins(api, tmp_path, later)
    await refused(api, tmp_path)
    await shared(api)
    await found_by_browsers(api)
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    await elsewhere(api)
    assert api.documented() - api.seen == set()


async def proving(api: Api, post: Post) -> None:
    """An app logs in: asked, a passkey's options, a code, a wrong proof, a right one, another click too late."""
    site = post.site
    client = site.client(headers=[(KEY.encode(), b"new")])
    asked = await client.log_in()
    ticket = api.holds("POST", "/login", asked, "StepUpRequired")["challenge"]
    client.extra = [(KEY.encode(), asked.header(KEY.encode()) or b"")]
    await api.post(client, f"{STEP}/options", "PasskeyRequest", challenge=ticket)
    await api.post(client, f"{STEP}/send", "Sent", challenge=ticket, factor="email")
    await api.post(client, STEP, "ProofFailed", challenge=ticket, factor="totp", code="000000")
    let_in = await client.show(ticket, site.code(-1))
    api.released("POST", STEP, let_in)
    assert let_in.header(b"sekisho-device")
    for path in (STEP, f"{STEP}/options", f"{STEP}/send", f"{STEP}/recover", f"{STEP}/recover/confirm"):
        more = {"factor": "email"} if path in {STEP, f"{STEP}/send"} else {"code": "1"} if "recover" in path else {}
        await api.post(client, path, "StartAgain", challenge="junk", **more)
    await answered(api, post)


async def elsewhere(api: Api) -> None:
    """An app opens the provider's address, is handed that of the callback, and shows what the code stands for."""
    async with provider() as bank:
        site = Site(settings=at_bank(bank))
        await connected(site, bank)
        client = site.client(headers=[(KEY.encode(), b"new")])
        asked = await client.log_in()
        client.extra = [(KEY.encode(), asked.header(KEY.encode()) or b"")]
        found = await api.post(client, f"{STEP}/oidc", "Elsewhere", challenge=challenge(asked))
        query = bank.log_in(found["location"])
        callback = "/sekisho/oidc/callback"
        shown = await client.send(callback, method="GET", headers=(), query=query)
        fields = api.holds("GET", callback, shown, "LogInElsewhere")
        let_in = await client.send(STEP, json.dumps(fields).encode(), headers=[JSON])
        api.released("POST", STEP, let_in)
        assert let_in.status == 303
        await api.get(client, callback, "StartAgain")
        await stop(site.guard)


async def answered(api: Api, post: Post) -> None:
    told = await letter(post, "新しい端末")
    client = post.site.client()
    await api.post(client, "/sekisho/notice", "Answered", token=token_of(told), answer="yes")
    await api.post(client, "/sekisho/notice", "NoticeOver", token=token_of(told), answer="no")


async def lost(api: Api, post: Post, later: Later) -> None:
    """A lost app: both codes."""
    site, client = post.site, post.site.client()
    codes = await sheet(site)
    ticket = challenge(await client.log_in())
    await api.post(client, f"{STEP}/recover", "Sent", challenge=ticket, code=codes[0])
    second = await letter(post, "作り直す")
    await api.post(client, f"{STEP}/recover/confirm", "ProofFailed", challenge=ticket, code="00000000")
    await api.post(client, f"{STEP}/recover/confirm", "RecoveryBegun", challenge=ticket, code=second.code)
    later.seconds += 60


async def fresh(site: Site, steps: int = 0) -> Client:
    """A browser with a session that its owner has just proved."""
    client = site.client()
    shown = await client.show(challenge(await client.log_in("Alice", "wonder")), site.code(steps))
    assert shown.status == 303
    return client


async def enrolling(api: Api, site: Site, later: Later) -> None:
    """The owner's page: each change, and each reason why there is none."""
    client = await fresh(site)
    token = (await api.get(client, FACTORS, "Factors"))["token"]
    offer = await api.post(client, f"{FACTORS}/totp", "TotpOffer", token=token)
    wrong = {"token": token, "state": offer["state"], "code": "000000"}
    await api.post(client, f"{FACTORS}/totp/confirm", "ProofFailed", **wrong)
    right = app_code(offer["secret"], time.time())
    await api.post(client, f"{FACTORS}/totp/confirm", "Done", **{**wrong, "code": right, "label": "phone"})
    asked = await api.post(client, f"{FACTORS}/webauthn/options", "PasskeyOffer", token=token)
    shown: dict[str, Any] = {"token": token, "state": asked["state"]}
    await api.post(client, f"{FACTORS}/webauthn", "ProofFailed", **shown, credential={})
    made = json.loads(Authenticator("https://shop.test", Ed25519PrivateKey.generate()).create(asked["publicKey"]))
    again = await api.post(client, f"{FACTORS}/webauthn/options", "PasskeyOffer", token=token)
    made = json.loads(Authenticator("https://shop.test", Ed25519PrivateKey.generate()).create(again["publicKey"]))
    await api.post(client, f"{FACTORS}/webauthn", "Done", token=token, state=again["state"], credential=made)
    await api.post(client, f"{FACTORS}/recovery", "RecoveryCodes", token=token)
    await api.post(client, f"{FACTORS}/only-strong", "Done", token=token, on="no")
    listed = (await api.get(client, FACTORS, "Factors"))["factors"]
    await api.post(client, f"{FACTORS}/remove", "Done", token=token, id=listed[-1]["id"])
    await impossible(api, client, token)
    later.seconds += 301
    await turned_away(api, site, client, FACTORS)


async def turned_away(api: Api, site: Site, client: Client, path: str) -> None:
    """Each page and change without a session, and with a proof that is too old."""
    for one in OPERATIONS:
        if f"/sekisho{one.path}".startswith(path):
            fields = dict.fromkeys(one.needs, "x")
            for who, schema in ((site.client(), "LogInFirst"), (client, "StepUpRequired")):
                await called(api, who, one.method, f"/sekisho{one.path}", schema, fields)


async def called(api: Api, client: Client, method: str, path: str, schema: str, fields: dict[str, Any]) -> Any:
    if method == "GET":
        return await api.get(client, path, schema)
    return await api.post(client, path, schema, **fields)


async def impossible(api: Api, client: Client, token: str) -> None:
    """The last strong way of an owner who accepts no other; a token that is none."""
    await api.post(client, f"{FACTORS}/only-strong", "Done", token=token, on="yes")
    found = await api.get(client, FACTORS, "Factors")
    for one in found["factors"][1:]:
        await api.post(client, f"{FACTORS}/remove", "Done", token=token, id=one["id"])
    last = found["factors"][0]["id"]
    await api.post(client, f"{FACTORS}/remove", "NotPossible", token=token, id=last)
    await api.post(client, f"{FACTORS}/remove", "StartAgain", token="junk", id=last)
    await api.post(client, f"{FACTORS}/only-strong", "Done", token=token, on="no")
    await api.post(client, f"{FACTORS}/remove", "Done", token=token, id=last)
    await api.post(client, f"{FACTORS}/only-strong", "ProofFailed", token=token, on="yes")


async def proof_first(api: Api, later: Later) -> None:
    """At a door where the proof comes first, and at a protected route with a cap."""
    site = Site()
    await site.enrol("1")
    client = site.client()
    fields = {"username": "hana", "old_password": "right", "new_password": "never seen in a leak 17"}
    asked = await client.send("/password", urlencode(fields).encode())
    ticket = api.holds("POST", "/login", asked, "StepUpRequired")["challenge"]
    await api.post(client, STEP, "Proof", challenge=ticket, factor="totp", code=site.code(-1))
    api.holds("POST", "/pay", await site.client().send("/pay", b"yen=1"), "LogInFirst")
    await route(api, later)


async def route(api: Api, later: Later) -> None:
    _, client = await banked()
    api.released("POST", "/pay", await pay(client, 1000))
    api.holds("POST", "/pay", await pay(client, 1), "CapReached")
    later.seconds += 301
    ticket = api.holds("POST", "/pay", await pay(client, 1), "StepUpRequired")["challenge"]
    await api.post(client, STEP, "Proved", challenge=ticket, factor="totp", code=client.site.code())  # type: ignore[attr-defined]


async def log_ins(api: Api, tmp_path: Path, later: Later) -> None:
    """The owner's statement, with its two buttons."""
    async with site_at(tmp_path / "owners.db") as site:
        old = await fresh(site, -1)
        later.seconds += 301
        client = await fresh(site)
        await turned_away(api, site, old, ACTIVITY)
        await statement(client, 2)
        found = await api.get(client, ACTIVITY, "LogIns")
        chosen = {"token": found["token"], "id": found["log_ins"][0]["id"]}
        await api.post(client, f"{ACTIVITY}/end", "Done", **chosen)
        await api.post(client, f"{ACTIVITY}/not-me", "Done", **chosen)


async def signing_up(api: Api) -> None:
    """A sign-up proves its address first."""
    async with signing_up_at() as site:
        client = site.client()
        body = urlencode({"email": "new@mail.test", "password": "never seen in a leak 17"}).encode()
        asked = await client.send("/signup", body)
        ticket = api.holds("POST", "/login", asked, "ContactRequired")["challenge"]
        await api.post(client, "/sekisho/contact/send", "Sent", challenge=ticket)
        await api.post(client, "/sekisho/contact", "ProofFailed", challenge=ticket, code="00000000")
        code = await site.code(2)
        await api.post(client, "/sekisho/contact", "Proof", challenge=ticket, code=code)


async def beginning_with_a_passkey(api: Api) -> None:
    """An app asks for options, and shows a passkey that nobody has enrolled."""
    site = Site(settings={"factors": "webauthn", "passkey_domain": "shop.test", "passkey": "POST /login/passkey"})
    client = site.client(headers=[(KEY.encode(), b"new")])
    asked = await client.send("/sekisho/passkey/options", b"", headers=[])
    options = api.holds("POST", "/sekisho/passkey/options", asked, "PasskeyRequest")["publicKey"]
    client.extra = [(KEY.encode(), asked.header(KEY.encode()) or b"")]
    shown = Authenticator("https://shop.test", Ed25519PrivateKey.generate()).get(options)
    found = await client.send("/login/passkey", urlencode({"credential": shown}).encode())
    api.holds("POST", "/login", found, "ProofFailed")
    script = await client.send("/sekisho/passkey.js", method="GET", headers=())
    assert (script.header(b"content-type") or b"").startswith(b"text/javascript")
    assert api.operation("GET", "/sekisho/passkey.js")["responses"]["200"]["content"]["text/javascript"]


async def refused(api: Api, tmp_path: Path) -> None:
    """What doors answer besides: work, limits, choices that are not accepted, and settings that make no sense."""
    listed = tmp_path / "domains"
    listed.write_text("trash.example\n")
    corpus_file(tmp_path / "leaked", {digest("sunshine"): 9})
    doors = {"signup": "POST /signup form:email,password", "reset": "POST /forgot form:username on_file=send_to"}
    site = Site(settings={**doors, "disposable_domains": str(listed), "corpus": str(tmp_path / "leaked"), **OPEN})
    for mail, schema in (("a@trash.example", "DisposableAddress"), ("a@kept.example", "BreachedPassword")):
        body = urlencode({"email": mail, "password": "sunshine"}).encode()
        api.holds("POST", "/login", await site.client().send("/signup", body), schema)
    body = urlencode({"username": "hana", "send_to": "hana@example.test"}).encode()
    api.holds("POST", "/login", await site.client().send("/forgot", body), "ResetRequested")
    api.holds("POST", "/login", await limited(limit_ip="1/hour"), "TooManyAttempts")
    api.holds("POST", "/login", await limited(limit_account="1/hour", challenges="pow"), "ChallengeRequired")
    api.holds("POST", "/login", await limited(deny="198.51.100.0/24"), "Denied")
    broken = await ask(LoginGuard(Shop(), secret="short"), http("/login"), form("hana", "right"))
    api.holds("POST", "/login", broken, "Misconfigured")


async def limited(**settings: Any) -> Answer:
    """The second answer to a stranger of a site without factors."""
    site = Site(settings={"factors": "none", "protect": None, **settings})
    await site.client().log_in("hana", "wrong")
    return await site.client().log_in("hana", "wrong")


async def shared(api: Api) -> None:
    """What every step answers alike."""
    site = Site()
    client = site.client()
    for kind, body in ((JSON, b"["), (JSON, b"x" * 200_000), ((b"content-type", b"text/plain"), b"x")):
        api.holds("POST", STEP, await client.send(STEP, body, headers=[kind]), "UnreadableAttempt")
    api.holds("POST", STEP, await begun(site), "UnreadableAttempt")
    denied = site.client(guard=site.guarded(deny="198.51.100.0/24"))
    await api.post(denied, f"{STEP}/options", "Denied", challenge="junk")
    await away(api)


async def begun(site: Site) -> Answer:
    """The answer to a body that stops after its first byte."""
    silent = Line([{"type": "http.request", "body": b"{", "more_body": True}], hangs_up=False)
    await site.guarded(body_seconds_max=0.1)(http(STEP, headers=[JSON]), silent.receive, silent.send)
    return silent.answer


async def away(api: Api) -> None:
    """While the store is away, a step and a door say when to come back."""
    site = Site()
    client = site.client()
    ticket = challenge(await client.log_in())
    client.guard = site.guarded(store="redis://127.0.0.1:1/0")
    await api.post(client, f"{STEP}/options", "Unavailable", challenge=ticket)
    api.holds("POST", "/login", await client.log_in("hana", "wrong"), "Unavailable")
    await stop(client.guard)


async def found_by_browsers(api: Api) -> None:
    """The script, and the list of other sites that may use the passkeys."""
    origins = "https://shop.test,https://shop.example"
    site = Site(settings={"factors": "webauthn,totp", "passkey_domain": "shop.test", "passkey_origins": origins})
    await api.get(site.client(), "/.well-known/webauthn", "Sites")
    script = await site.client().send("/sekisho/sekisho.js", method="GET", headers=())
    assert (script.header(b"content-type") or b"").startswith(b"text/javascript")
    assert api.operation("GET", "/sekisho/sekisho.js")["responses"]["200"]["content"]["text/javascript"]
