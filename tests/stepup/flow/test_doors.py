"""Doors that give more than a session: the proof comes first, and the application runs after it (R2)."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.asgi.driving import answer, read
from tests.stepup.flow.driving import FORM, JSON, STEP, Client, Shop, Site, challenge, hidden

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send
    from tests.asgi.driving import Answer
    from tests.stepup.flow.conftest import Later

HTML = b"text/html"
DOORS = {
    "change": ("POST /password form:username,old_password,new_password", "/password"),
    "code": ("POST /code form:username,code", "/code"),
    "basic": ("GET /api basic", "/api"),
}


class Counting(Shop):
    """Records the body and method of each request and answers yes to everything."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[tuple[str, str, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/login":
            return await super().__call__(scope, receive, send)
        self.ran.append((scope["method"], scope["path"], await read(receive)))
        return await answer(send, 200, body=b"done")


def shop_of(site: Site) -> Counting:
    assert isinstance(site.shop, Counting)
    return site.shop


@pytest.fixture
async def site(later: Later) -> Site:
    settings = {"change": DOORS["change"][0], "code": DOORS["code"][0]}
    made = Site(shop=Counting(), settings={**settings, "login": f"POST /login; {DOORS['basic'][0]}"})
    await made.enrol("1")
    await made.enrol("2")
    return made


async def knock(client: Client, door: str, account: str = "hana", proof: str = "", **more: Any) -> Answer:
    """A request at a door, the same each time."""
    path = DOORS[door][1]
    shown = [(b"sekisho-proof", proof.encode())] if proof else []
    if door == "basic":
        basic = (b"authorization", b"Basic " + b64encode(f"{account}:right".encode()))
        return await client.send(path, method="GET", headers=[basic, *shown], **more)
    fields = {"username": account, "password": "right", "code": "1234"}
    if door == "change":
        fields = {"username": account, "old_password": "right", "new_password": "never seen in a leak 17"}
    return await client.send(path, urlencode(fields).encode(), headers=[FORM, *shown], **more)


async def proof_for(site: Site, client: Client, door: str, account: str = "hana", steps: int = 0) -> str:
    """The proof that an owner gets for a code."""
    asked = await knock(client, door, account)
    assert (asked.status, asked.code) == (401, "step_up_required")
    shown = await client.show(challenge(asked), site.code(steps))
    assert shown.status == 200, shown.body
    said = json.loads(shown.body)
    assert said["expires_in"] == 120
    return str(said["proof"])


@pytest.mark.parametrize("door", DOORS)
async def test_the_application_has_not_run_before_the_proof(site: Site, door: str) -> None:
    """The application does not run before the proof, because no seal could undo its effect (R2)."""
    client = site.client()
    asked = await knock(client, door)
    assert (asked.status, asked.code) == (401, "step_up_required")
    for _ in range(50):
        await asyncio.sleep(0)
    assert not shop_of(site).ran
    assert (await client.show(challenge(asked), "000000")).code == "proof_failed"
    assert not shop_of(site).ran


@pytest.mark.parametrize("door", DOORS)
async def test_a_proof_opens_its_door_once(site: Site, door: str) -> None:
    """A proof lets the repeated request through once; the second repetition is asked anew."""
    client = site.client()
    proof = await proof_for(site, client, door)
    assert not shop_of(site).ran
    assert (await knock(client, door, proof=proof)).body == b"done"
    again = await knock(client, door, proof=proof)
    assert (again.status, again.code) == (401, "step_up_required")
    assert len(shop_of(site).ran) == 1


async def test_of_many_repetitions_at_once_one_passes(site: Site) -> None:
    """Of many parallel repetitions with one proof one passes."""
    client = site.client()
    proof = await proof_for(site, client, "code")
    found = await asyncio.gather(*(knock(client, "code", proof=proof) for _ in range(20)))
    assert [one.status for one in found].count(200) == 1
    assert len(shop_of(site).ran) == 1


async def test_a_proof_opens_no_other_door(site: Site) -> None:
    """A proof for one door opens no other: the owner agreed to the code, not to another password."""
    client = site.client()
    proof = await proof_for(site, client, "code")
    for door in ("change", "basic"):
        assert (await knock(client, door, proof=proof)).code == "step_up_required"
    assert not shop_of(site).ran
    assert (await knock(client, "code", proof=proof)).status == 200


@pytest.mark.parametrize("account", ["Hana", "alice", "Alice", "nobody"])
async def test_a_proof_opens_nothing_for_another_account(site: Site, account: str) -> None:
    """A proof opens nothing for another account; the spelling must match exactly, as another spelling may be another
    account (R3).
    """
    client = site.client()
    proof = await proof_for(site, client, "code")
    assert (await knock(client, "code", account, proof=proof)).code == "step_up_required"
    assert not shop_of(site).ran


async def test_a_proof_is_worth_nothing_in_another_browser(site: Site) -> None:
    """A proof that was copied or planted is worthless in another browser (row 82)."""
    owner, thief = site.client(), site.client()
    proof = await proof_for(site, owner, "code")
    await knock(thief, "code")
    assert (await knock(thief, "code", proof=proof)).code == "step_up_required"
    assert (await knock(site.client(), "code", proof=proof)).code == "step_up_required"
    assert not shop_of(site).ran


@pytest.mark.parametrize(("seconds", "status"), [(119, 200), (121, 401)])
async def test_a_proof_is_good_for_two_minutes(site: Site, later: Later, seconds: int, status: int) -> None:
    """A proof is valid for two minutes, counted from the proof and not from the question."""
    client = site.client()
    asked = await knock(client, "code")
    later.seconds = 300
    proof = json.loads((await client.show(challenge(asked), site.code())).body)["proof"]
    later.seconds += seconds
    assert (await knock(client, "code", proof=proof)).status == status


async def test_a_ticket_is_no_proof(site: Site) -> None:
    """A ticket is no proof: they are sealed for different purposes."""
    client = site.client()
    ticket = challenge(await knock(client, "code"))
    assert (await knock(client, "code", proof=ticket)).code == "step_up_required"
    proof = await proof_for(site, client, "code")
    assert (await client.show(proof, site.code(1))).code == "start_again"


async def test_a_login_proof_opens_no_door(site: Site) -> None:
    """A log-in's proof releases a session and opens no door."""
    client = site.client()
    ticket = challenge(await client.log_in())
    shown = await client.show(ticket, site.code())
    assert shown.status == 303
    assert b"proof" not in shown.body


@pytest.mark.parametrize("door", ["change", "code"])
async def test_a_page_carries_the_request_to_its_door(site: Site, door: str) -> None:
    """After the proof a page replays the submitted form byte for byte, once."""
    client = site.client()
    asked = await knock(client, door, accept=HTML)
    carried = hidden(asked, "form")
    assert carried
    fields = {"challenge": challenge(asked), "form": carried, "factor": "totp", "code": "000000"}
    failed = await client.send(STEP, urlencode(fields).encode(), accept=HTML)
    assert failed.status == 401
    assert hidden(failed, "form") == carried
    fields["code"] = site.code()
    done = await client.send(STEP, urlencode(fields).encode(), accept=HTML)
    assert (done.status, done.body) == (200, b"done")
    [(method, path, body)] = shop_of(site).ran
    assert (method, path) == ("POST", DOORS[door][1])
    assert b"username=hana" in body
    again = await client.send(STEP, urlencode(fields | {"code": site.code(1)}).encode(), accept=HTML)
    assert again.status == 410
    assert len(shop_of(site).ran) == 1


async def test_a_page_carries_no_request_to_another_door(site: Site) -> None:
    """A form sealed with one challenge is void with a ticket of another door."""
    client = site.client()
    code = await knock(client, "code", accept=HTML)
    change = await knock(client, "change", accept=HTML)
    fields = {"challenge": challenge(code), "form": hidden(change, "form"), "factor": "totp", "code": site.code()}
    refused = await client.send(STEP, urlencode(fields).encode(), accept=HTML)
    assert refused.status == 410
    assert not shop_of(site).ran


async def test_a_page_carries_no_request_for_another_account(site: Site) -> None:
    """A form for another account is asked again: the proof belongs to the ticket's account, the door checks the
    form's.
    """
    client = site.client()
    mine = await knock(client, "code", "hana", accept=HTML)
    hers = await knock(client, "code", "Alice", accept=HTML)
    fields = {"challenge": challenge(mine), "form": hidden(hers, "form"), "factor": "totp", "code": site.code()}
    refused = await client.send(STEP, urlencode(fields).encode(), accept=HTML)
    assert refused.status == 401
    assert not shop_of(site).ran


@pytest.mark.parametrize(("kind", "path"), [("signup", "/signup"), ("reset", "/reset")])
async def test_where_nobody_could_prove_anything_nobody_is_asked_to(kind: str, path: str) -> None:
    """Sign-up (no factor yet) and reset (proved by mail) may ask for work, but never for a proof."""
    fields = "form:username,password" if kind == "signup" else "form:username"
    settings = {kind: f"POST {path} {fields}", "challenges": "pow", "limit_account": "1/hour"}
    site = Site(shop=Counting(), settings=settings)
    await site.enrol()
    seen = []
    for n in range(4):
        body = urlencode({"username": "hana", "password": "never seen in a leak 17"}).encode()
        seen.append(await site.client(f"198.51.{n}.1").send(path, body))
    assert {one.status for one in seen} == {200, 401}
    assert {one.code for one in seen if one.status == 401} == {"challenge_required"}


async def test_no_code_is_sent_for_a_door_that_anybody_can_knock_at() -> None:
    """No code is mailed at a door that checks no secret or session: a list of names would be enough to flood account
    owners.
    """
    sent = asyncio.Event()
    site = Site(shop=Counting())
    await site.enrol()
    site.guard = site.guarded(on_code=lambda _: sent.set(), factors="totp,webhook", code=DOORS["code"][0])
    client = site.client()
    ticket = challenge(await knock(client, "code"))
    body = json.dumps({"challenge": ticket, "factor": "webhook"}).encode()
    answered = await client.send(f"{STEP}/send", body, headers=[JSON])
    assert (answered.status, json.loads(answered.body)) == (202, {"sent": True})
    await asyncio.sleep(1)  # sending a code takes up to half a second, so that its time tells nothing
    assert not sent.is_set()
    # Behind a right secret the same call sends a code to an owner who has nothing stronger.
    ticket = challenge(await client.log_in("alice", "hatter"))
    await client.send(f"{STEP}/send", json.dumps({"challenge": ticket, "factor": "webhook"}).encode(), headers=[JSON])
    await asyncio.wait_for(sent.wait(), 5)


async def test_guesses_at_a_door_use_up_none_of_the_tries_at_the_log_in(site: Site) -> None:
    """Anyone may guess at a door without a secret, so its guesses use up none of the owner's tries at the log-in
    (R7).
    """
    for n in range(4):
        attacker = site.client(f"198.51.{n}.7")
        ticket = challenge(await knock(attacker, "code"))
        for _ in range(5):
            assert (await attacker.show(ticket, "000000")).code == "proof_failed"
    owner = site.client()
    assert (await owner.show(challenge(await owner.log_in()), site.code())).status == 303


async def test_guesses_at_doors_are_counted_over_all_of_an_account(site: Site) -> None:
    """Guesses at doors are counted per account: a new ticket costs nothing there, so guessing would otherwise never
    end.
    """
    for n in range(3):
        attacker = site.client(f"198.51.{n}.7")
        ticket = challenge(await knock(attacker, "code"))
        for _ in range(4):
            await attacker.show(ticket, "000000")
    client = site.client("198.51.9.7")
    assert (await client.show(challenge(await knock(client, "code")), site.code())).code == "proof_failed"
