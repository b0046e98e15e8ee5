"""A stranger's log-in is run in the background, sealed, and released once to a client that proves to be the owner."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import pytest

from sekisho.model import StoreUnavailable
from sekisho.passwords import PasswordsBusy
from sekisho.stepup.flow import proof_routes as redeeming
from sekisho.stepup.flow.fair_queue import FairQueue
from sekisho.stepup.flow.proof_routes import wait_s
from sekisho.store.vault import MemoryVault
from tests.asgi.driving import Line, answer, ask, form, http, pieces, read
from tests.control.commanding import tell
from tests.stepup.flow.driving import FORM, STEP, STRANGE, Shop, Site, challenge, stop

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.owners import Enrolment

FIRST_S, EVEN_S = redeeming.FIRST_S, redeeming.EVEN_S  # before a fixture removes them
PASSWORDS = [("hana", "right"), ("hana", "wrong"), ("alice", "hatter"), ("nobody", "right"), ("nobody", "wrong")]


@pytest.fixture
async def site() -> Site:
    made = Site()
    await made.enrol("1")
    await made.enrol("2")
    return made


async def test_the_applications_answer_is_released_after_the_proof(site: Site) -> None:
    """The application's answer is released unchanged, with status and cookies, and the application has run once."""
    client = site.client()
    asked = await client.log_in()
    assert (asked.status, asked.code) == (401, "step_up_required")
    assert "session" not in client.jar
    released = await client.show(challenge(asked), site.code())
    assert released.status == 303
    assert released.header(b"location") == b"/account"
    assert await client.who() == "hana"
    assert site.shop.reached == [("hana", "right")]


async def test_a_cookie_without_a_path_keeps_the_one_that_the_door_gave_it() -> None:
    """A released cookie without a path gets the door's path; released from our page's path, it would log nobody in."""

    class Plain(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            lines = [(b"location", b"../home"), (b"set-cookie", b"s=1; HttpOnly"), (b"set-cookie", b"t=1; PATH=/x")]
            await answer(send, 303, lines)

    site = Site(shop=Plain(), settings={"login": "POST /api/v1/login form:username,password success=303"})
    await site.enrol()
    client = site.client()
    asked = await client.send("/api/v1/login", form("hana", "right"))
    released = await client.show(challenge(asked), site.code())
    assert released.all(b"set-cookie")[:2] == [b"s=1; HttpOnly; Path=/api/v1", b"t=1; PATH=/x"]
    assert released.header(b"location") == b"/api/home"


class Realms(Shop):
    """A tenant in the path of each log-in; a name belongs to its tenant."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _, _, realm, *_ = scope["path"].split("/")
        sent = dict(parse_qsl((await read(receive)).decode()))
        if (realm, sent.get("username"), sent.get("password")) != ("shop", "hana", "right"):
            return await answer(send, 401, body=b"wrong")
        headers = [(b"location", b"account"), (b"set-cookie", b"session=s; HttpOnly"), (b"set-cookie", b"x=1")]
        return await answer(send, 303, headers)


async def test_an_answer_below_a_tenant_keeps_its_addresses() -> None:
    """At a door with placeholders relative addresses and cookies keep the path that was asked for."""
    door = "POST /realms/{realm}/login form:username,password account={realm}/{username} success=cookie:session"
    site = Site(shop=Realms(), settings={"login": door, "change": None})
    site.contacts["shop/hana"] = site.contacts["hana"]
    await site.enrol("1")
    client = site.client()
    asked = await client.send("/realms/shop/login", form("hana", "right"))
    released = await client.show(challenge(asked), site.code())
    assert (released.status, released.header(b"location")) == (303, b"/realms/shop/account")
    assert b"session=s; HttpOnly; Path=/realms/shop" in released.all(b"set-cookie")
    other = await client.send("/realms/bank/login", form("hana", "right"))
    assert (await client.show(challenge(other), site.code(1))).status == 401


async def test_a_proved_device_is_asked_no_more(site: Site) -> None:
    """A device that was proved is not asked again, from any address: its token came with the released answer."""
    client = await site.logged_in()
    client.address = "203.0.113.200"
    assert (await client.log_in()).status == 303


async def test_a_wrong_proof_is_a_line_in_the_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """A wrong proof is one log line, alike behind right and wrong passwords, without any text of the client."""
    for password in ("right", "wrong"):
        client = site.client()
        ticket = challenge(await client.log_in(password=password))
        await client.show(ticket, "000000")
        await client.show(ticket, "000000", factor="hana@example.org")
    right = site.client()
    ticket, code = challenge(await right.log_in()), site.code()
    key = right.jar["__Host-sekisho-step"]
    await right.show(ticket, code)
    right.jar["__Host-sekisho-step"] = key
    await right.show(ticket, code)  # a second click
    said = [one.getMessage() for one in caplog.records if one.name == "sekisho.refusals"]

    wrong = ["totp", "no factor of this site"]
    assert said == [f"sekisho: POST /login answered proof_failed ({reason})" for reason in wrong * 2]


async def test_a_wrong_code_releases_nothing_and_the_ticket_stays_good(site: Site) -> None:
    """A wrong code releases nothing, and the ticket stays valid for another try."""
    client = site.client()
    ticket = challenge(await client.log_in())
    wrong = await client.show(ticket, "000000")
    assert (wrong.status, wrong.code) == (401, "proof_failed")
    assert "session" not in client.jar
    assert (await client.show(ticket, site.code())).status == 303


@pytest.mark.parametrize("accept", [b"application/json", b"text/html"])
async def test_an_attacker_sees_the_same_bytes_whatever_he_tries(site: Site, accept: bytes) -> None:
    """Right and wrong passwords of known and unknown accounts, with and without factors, get the same answer."""
    seen = set()
    for n, (account, password) in enumerate(PASSWORDS):
        asked = await site.client(f"198.51.100.{n}").log_in(account, password, accept=accept)
        seen.add(same(asked))
    assert len(seen) == 1


async def test_after_a_proof_that_fails_he_sees_the_same_again(site: Site) -> None:
    """The answers after a wrong code are the same whether the password was right or wrong."""
    seen = set()
    for n, (account, password) in enumerate(PASSWORDS):
        client = site.client(f"198.51.100.{n}")
        ticket = challenge(await client.log_in(account, password))
        seen.add(same(await client.show(ticket, "123456")))
    assert len(seen) == 1


async def test_wrong_codes_are_answered_at_even_times(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong codes are answered at even times: a member's rows take longer to read, so the delay starts before the
    look-up.
    """
    find, loop = site.people.enrolments, asyncio.get_running_loop()
    looked_s: list[float] = []
    took: list[float] = []

    async def looking(account_id: str) -> tuple[Enrolment, ...]:
        looked_s.append(loop.time())
        return await find(account_id)

    def waiting(took_s: float, _age_s: float) -> float:
        took.append(took_s)
        return 0

    monkeypatch.setattr(site.people, "enrolments", looking)
    monkeypatch.setattr("sekisho.stepup.flow.proof_routes.wait_s", waiting)
    for n, (account, password) in enumerate(PASSWORDS):
        client = site.client(f"198.51.100.{n}")
        ticket = challenge(await client.log_in(account, password))
        await settled(site)
        for path in (STEP, f"{STEP}/options"):
            asked_s, seen = loop.time(), len(took)
            fields = {"challenge": ticket, "factor": "totp", "code": "123456"}
            await client.send(path, urlencode(fields).encode())
            [took_s] = took[seen:]
            assert asked_s <= loop.time() - took_s
            assert looked_s[-1] >= asked_s


@pytest.mark.parametrize(
    ("took_s", "age_s", "waits_s"),
    [
        (0, 600, 0.05),
        (0.02, 600, 0.03),
        (0.049, 600, 0.001),
        (0.061, 600, 0.039),
        (1.234, 600, 0.016),
        # The answer comes within a second of the ticket, and not earlier for a caller whose predecessor was just
        # answered.
        (0.001, 0.021, 0.979),
        (0.02, 0.4, 0.6),
        (0.002, 0.999, 0.048),
        (0.03, 0.96, 0.04),
        # Clocks that differ.
        (0, -5, 1.0),
    ],
)
def test_a_wrong_proof_is_answered_a_second_after_its_ticket_and_at_even_times(
    took_s: float, age_s: float, waits_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong proof is answered a second after its ticket, at even times, however long look-up and application take."""
    monkeypatch.setattr(redeeming, "FIRST_S", FIRST_S)
    monkeypatch.setattr(redeeming, "EVEN_S", EVEN_S)
    assert wait_s(took_s, age_s) == pytest.approx(waits_s, abs=1e-6)


def same(asked: Any) -> tuple[int, tuple[tuple[bytes, bytes], ...], bytes]:
    """An answer without its random parts; their lengths stay."""
    hidden = [(name, re.sub(rb"step=[\w-]+", b"step=", value)) for name, value in asked.headers]
    hidden = [(name, re.sub(rb"nonce-[\w-]+", b"nonce", value)) for name, value in hidden]
    body = re.sub(rb'nonce="[\w-]+"', b"nonce", asked.body)
    ticket = challenge(asked).encode()
    return asked.status, tuple(hidden), body.replace(ticket, b"." * len(ticket))


async def test_a_session_that_the_client_holds_is_not_logged_in_behind_the_seal(site: Site) -> None:
    """R1: a session that the client holds is hidden from the run, or a right password would log the attacker's session
    in.
    """
    site.shop.sessions["planted"] = None
    client = site.client()
    client.jar["session"] = "planted"
    ticket = challenge(await client.log_in())
    await settled(site)
    assert await client.who() == "None"
    assert b"cookie" not in site.shop.saw[0]
    assert (await client.show(ticket, site.code())).status == 303
    assert site.shop.sessions["planted"] is None


async def test_nothing_else_that_names_the_client_is_in_the_run(site: Site) -> None:
    """R1: bearer tokens, and state that outer session middleware made of a cookie, are hidden from the run as well."""
    names = [b"authorization", b"proxy-authorization", b"sekisho-device", b"sekisho-tie"]
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await site.shop(scope, receive, send)

    outside: dict[str, Any] = {"session": {"user": "planted"}, "user": "planted", "auth": "planted"}
    names += [b"x-forwarded-user", b"x-remote-user", b"x-client-cert"]
    headers = [FORM, *((name, b"Bearer planted") for name in names), (b"origin", b"https://shop.test")]
    scope = http(
        client=STRANGE,
        headers=headers,
        extensions={"tls": {"client_cert_name": "planted"}},
        state={"user": "planted"},
        **outside,
    )
    asked = await ask(site.guarded(app), scope, form("hana", "right"))
    assert asked.code == "step_up_required"
    await settled(site)
    [run] = seen
    assert "planted" not in str(run)
    assert dict(run["headers"]).keys() == {b"content-type", b"origin"}
    assert scope["session"] == {"user": "planted"}


async def test_a_session_behind_a_blank_is_none(site: Site) -> None:
    """R1: a session behind a blank is hidden too: Bottle and WebOb end a cookie at a blank and would log it in."""
    site = Site(settings={"login": "POST /login form:username,password cookies=csrf"})
    client = site.client()
    client.jar["csrf"] = "abc session=planted"
    await client.log_in()
    await settled(site)
    assert site.shop.reached == [("hana", "right")]
    assert b"cookie" not in site.shop.saw[0]


async def test_the_state_of_the_lifespan_is_in_the_run() -> None:
    """The lifespan state (an application's pool) is in the run; what outer middleware stored about the request is
    not.
    """
    seen: list[dict[str, Any]] = []
    state: dict[str, Any] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["pool"] = "the pool"
            return await send({"type": "lifespan.startup.complete"})
        seen.append(scope["state"])
        return await answer(send, 401)

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(_message: Any) -> None:
        pass

    site = Site()
    guard = site.guarded(app)
    await guard({"type": "lifespan", "state": state}, receive, send)
    here = {**state, "user": "planted"}
    await ask(guard, http(client=STRANGE, headers=[FORM], state=here), form("hana", "right"))
    for _ in range(50):
        await asyncio.sleep(0)
    [found] = seen
    assert found.keys() == {"pool", "sekisho"}


async def test_cookies_that_the_door_names_reach_the_application() -> None:
    """Cookies that the door names reach the application: a form's own token is no session, and many forms need it."""
    site = Site(settings={"login": "POST /login form:username,password cookies=csrf"})
    client = site.client()
    client.jar |= {"csrf": "c", "session": "s"}
    await client.log_in()
    await settled(site)
    assert site.shop.saw[0][b"cookie"] == b"csrf=c"


async def test_a_named_session_that_the_application_keeps_is_withheld(caplog: pytest.LogCaptureFixture) -> None:
    """R1, row C13: `cookies=` names the session's own cookie. Such a log-in is not believed, said, and seen once."""
    site = Site(settings={"login": "POST /login form:username,password success=303:/account cookies=session"})
    site.shop.sessions |= {"first": None, "second": None}
    for session in ("first", "second"):
        client = site.client()
        client.jar["session"] = session
        ticket = challenge(await client.log_in())
        await settled(site)
        if session == "first":
            assert (await client.show(ticket, site.code())).status == 401
    assert site.shop.saw[0][b"cookie"] == b"session=first"
    assert b"cookie" not in site.shop.saw[1]
    assert site.shop.sessions["second"] is None
    assert caplog.text.count("[SEK087]") == 1


async def test_a_proof_is_good_once(site: Site) -> None:
    """Rows 79 and 82: code and ticket work once."""
    client = site.client()
    ticket = challenge(await client.log_in())
    code = site.code()
    key = client.jar["__Host-sekisho-step"]
    assert (await client.show(ticket, code)).status == 303
    client.jar["__Host-sekisho-step"] = key
    again = await client.show(ticket, site.code(1))
    assert (again.status, again.code) == (410, "start_again")


async def test_of_many_redemptions_at_once_one_is_granted(site: Site) -> None:
    """Of twenty parallel requests with two right codes one is granted: one code is accepted, with one answer."""
    client = site.client()
    ticket = challenge(await client.log_in())
    codes = [site.code(), site.code(1)] * 10
    answers = await asyncio.gather(*(client.show(ticket, code) for code in codes))
    granted = [code for code, found in zip(codes, answers, strict=True) if found.status == 303]
    assert len(set(granted)) == 1
    assert len({(tuple(found.headers), found.body) for found in answers if found.status == 303}) == 1
    assert site.shop.reached == [("hana", "right")]


async def test_another_browser_holds_nothing(site: Site) -> None:
    """Row 82: a ticket that was copied or planted is void in another browser."""
    owner, thief = site.client(), site.client()
    ticket = challenge(await owner.log_in())
    await thief.log_in("alice", "hatter")
    refused = await thief.show(ticket, site.code())
    assert (refused.status, refused.code) == (410, "start_again")


async def test_anothers_code_is_no_proof_for_an_account(site: Site) -> None:
    """R3: this shop distinguishes `Alice` from `alice`, so a code of one proves nothing for the other."""
    client = site.client()
    ticket = challenge(await client.log_in("alice", "hatter"))
    assert (await client.show(ticket, site.code())).code == "proof_failed"
    assert "session" not in client.jar


async def test_a_ticket_that_was_changed_is_none(site: Site) -> None:
    """A ticket with any byte changed is void."""
    client = site.client()
    ticket = challenge(await client.log_in())
    for at in range(0, len(ticket), 37):
        other = "A" if ticket[at] != "A" else "B"
        refused = await client.show(ticket[:at] + other + ticket[at + 1 :], site.code())
        assert (refused.status, refused.code) == (410, "start_again")


async def test_a_ticket_under_a_foreign_key_is_none(site: Site) -> None:
    """A ticket sealed under another service's key, or a key that has been removed, is void."""
    other = Site(settings={"secret": b"another secret of more than thirty-two bytes"})
    client = other.client()
    ticket = challenge(await client.log_in())
    client.guard = site.guard
    assert (await client.show(ticket, site.code())).code == "start_again"


async def test_ten_wrong_codes_behind_a_wrong_password_cost_the_owner_nothing(site: Site) -> None:
    """R7: ten wrong codes behind a wrong password cost the owner nothing, or anyone who knows a name could lock the
    owner out.
    """
    for n in range(3):
        attacker = site.client(f"198.51.100.{n}")
        ticket = challenge(await attacker.log_in("hana", "wrong"))
        for _ in range(5):
            await attacker.show(ticket, "000000")
    await site.logged_in()


async def test_a_right_code_behind_a_wrong_password_is_not_spent(site: Site) -> None:
    """A right code behind a wrong password is not spent, and proves nothing."""
    attacker = site.client("198.51.100.3")
    ticket = challenge(await attacker.log_in("hana", "wrong"))
    assert (await attacker.show(ticket, site.code())).code == "proof_failed"
    await site.logged_in()


async def test_a_challenge_dies_with_a_change_of_password(site: Site) -> None:
    """Row 83: a challenge that began with the old password ends with a change of it."""
    thief = site.client()
    ticket = challenge(await thief.log_in())
    owner = await site.logged_in()
    changed = await owner.send("/password", b"username=hana&old_password=right&new_password=better")
    assert changed.status == 303
    await settled(site)
    assert (await thief.show(ticket, site.code(1))).code == "start_again"


HOW: dict[str, dict[str, Any]] = {
    "session": {},
    "said": {"session_account": lambda _: "hana"},
    "reported": {},
    "reset": {"change": None, "reset": "POST /password form:,token,new_password"},
    "reset by name": {"change": None, "reset": "POST /password form:username,token,new_password success=200"},
}


@pytest.mark.parametrize("how", HOW)
async def test_a_challenge_dies_whoever_says_whose_password_was_changed(how: str) -> None:
    """Row 83: it also ends if the session or a mailed token names the account, as most change and reset forms name
    none.
    """
    shop = Shop()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/password":
            return await shop(scope, receive, send)
        if how in {"reported", "reset"}:
            scope["state"]["sekisho"].report(success=True, account="Hana")
        return await answer(send, 200, body=b"maybe")

    change = "POST /password form:,old_password,new_password"
    site = Site(shop=shop, settings={"change": change, "protect": None, **HOW[how]})
    await site.enrol()
    site.guard = site.guarded(app)
    owner = site.client()
    assert (await owner.show(challenge(await owner.log_in()), site.code(-1))).status == 303
    if how == "session":  # of a log-in that was asked no proof
        assert (await owner.log_in()).status == 303
    else:
        owner.jar.pop("session")
    thief, other = site.client(), site.client()
    ticket, others = challenge(await thief.log_in()), challenge(await other.log_in("Alice", "wonder"))
    body = b"username=hana&token=mailed&old_password=right&new_password=never+seen+in+a+leak+17"
    changed = await owner.send("/password", body)
    assert changed.body == b"maybe"
    await settled(site)
    assert (await thief.show(ticket, site.code())).code == "start_again"
    assert (await other.show(others, site.code())).code == "proof_failed"


async def test_an_address_that_is_denied_meanwhile_shows_no_proof(site: Site) -> None:
    """Row 83: an address that is denied after the challenge began cannot redeem its proof."""
    client = site.client()
    ticket = challenge(await client.log_in())
    client.guard = site.guarded(deny=f"{STRANGE}/32")
    assert (await client.show(ticket, site.code())).code == "denied"


async def test_a_native_app_holds_its_ticket_by_a_header(site: Site) -> None:
    """A native app holds its ticket by a header and is sent no cookie for it."""
    app = site.client(headers=[(b"sekisho-challenge", b"new")])
    asked = await app.log_in()
    key = asked.header(b"sekisho-challenge")
    assert key
    assert "__Host-sekisho-step" not in app.jar
    app.extra = [(b"sekisho-challenge", key)]
    released = await app.show(challenge(asked), site.code())
    assert released.status == 303
    assert released.header(b"sekisho-device")


async def test_the_answer_does_not_wait_for_the_application() -> None:
    """The answer does not wait for the application: a password check takes long, and differs for accounts that
    exist.
    """
    gate = asyncio.Event()

    class Slow(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await gate.wait()
            await super().__call__(scope, receive, send)

    site = Site(shop=Slow())
    await site.enrol()
    client = site.client()
    asked = await asyncio.wait_for(client.log_in(), 2)
    shown = asyncio.create_task(client.show(challenge(asked), site.code()))
    await asyncio.sleep(0)
    gate.set()
    assert (await shown).status == 303


class Stuck(Shop):
    """Answers nothing until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.gate.wait()
        await super().__call__(scope, receive, send)


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> Site:
    """A guard with one place for runs, which is taken."""
    monkeypatch.setattr("sekisho.wiring.proofs.FairQueue", partial(FairQueue, running_max=1, waiting_max=0))
    return Site(shop=Stuck())


async def test_an_owner_waits_for_a_place_and_is_then_told_to_come_back(
    crowded: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a place, the owner waits, then gets 503 instead of a question nobody could answer, for any secret."""
    monkeypatch.setattr("sekisho.stepup.flow.escrowed_runs.PLACE_S", 0.01)
    assert (await crowded.client("192.0.2.1").log_in("nobody", "wrong")).code == "step_up_required"
    seen = set()
    for n, (account, password) in enumerate(PASSWORDS):
        full = await crowded.client(f"198.51.{n}.7").log_in(account, password)
        assert full.header(b"retry-after")
        seen.add((full.status, full.code, len(full.body)))
    assert seen == {(503, "unavailable", len(full.body))}


async def test_a_place_that_comes_free_is_the_waiting_owners(crowded: Site) -> None:
    """A place that becomes free goes to the waiting owner, who notices a short delay alone."""
    await crowded.enrol()
    assert isinstance(crowded.shop, Stuck)
    await crowded.client("192.0.2.1").log_in("nobody", "wrong")
    owner = crowded.client()
    waiting = asyncio.ensure_future(owner.log_in())
    for _ in range(50):
        await asyncio.sleep(0)
    assert not waiting.done()
    crowded.shop.gate.set()
    assert (await owner.show(challenge(await waiting), crowded.code())).status == 303


async def test_a_run_that_does_not_end_is_ended_and_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that reaches its deadline is cancelled and counts as a wrong secret; nothing waits on."""
    monkeypatch.setattr("sekisho.wiring.proofs.RUN_S", 0.05)
    site = Site(shop=Stuck())
    await site.enrol()
    client = site.client()
    ticket = challenge(await client.log_in())
    assert (await client.show(ticket, site.code())).code == "proof_failed"


async def test_what_runs_when_the_service_stops_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopping the service waits briefly for runs under way, then cancels them."""
    monkeypatch.setattr("sekisho.stepup.flow.escrowed_runs.STOP_S", 0.01)
    site = Site(shop=Stuck())
    before = asyncio.all_tasks()
    await site.client().log_in()
    await stop(site.guard)
    assert asyncio.all_tasks() == before


async def test_the_client_that_leaves_does_not_end_the_run(site: Site) -> None:
    """A client that leaves does not end the run: servers report a disconnect after the answer, and frameworks abort on
    that.
    """
    line = Line(pieces(form("hana", "right")))
    await site.guard(http(client=STRANGE, headers=[FORM]), line.receive, line.send)
    await settled(site)
    assert site.shop.sessions


async def test_an_application_that_listens_hears_of_no_client_that_left() -> None:
    """The application hears of no disconnect: Django and streaming responses abort their work on `http.disconnect`."""
    left = asyncio.Event()

    class Listening(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            messages = [await receive()]
            while messages[-1].get("more_body"):
                messages.append(await receive())
            listening = asyncio.ensure_future(receive())
            await left.wait()
            await asyncio.sleep(0)
            if listening.done():
                return
            listening.cancel()
            replayed = iter(messages)

            async def again() -> Any:
                return next(replayed)

            await super().__call__(scope, again, send)

    site = Site(shop=Listening())
    line = Line(pieces(b"username=ha", b"na&password=right"))
    await site.guard(http(client=STRANGE, headers=[FORM]), line.receive, line.send)
    for _ in range(20):
        await asyncio.sleep(0)
    left.set()
    await settled(site)
    assert list(site.shop.sessions.values()) == ["hana"]


@pytest.mark.parametrize("status", [200, 201, 302, 303, 204])
async def test_what_may_be_no_success_is_never_released(status: int) -> None:
    """An answer that may be no success is never released, with the right code either: it counts as a wrong password."""

    class Vague(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            lines = [(b"location", b"/account"), (b"set-cookie", b"seen=1; Path=/")]
            await answer(send, status, lines, b"<p>Hello</p>")

    site = Site(shop=Vague())
    await site.enrol()
    client = site.client()
    refused = await client.show(challenge(await client.log_in()), site.code())
    assert (refused.status, refused.code) == (401, "proof_failed")
    assert "seen" not in client.jar


@pytest.mark.parametrize("end", ["raises", "nothing", "half", "large"])
async def test_what_is_no_whole_answer_is_never_released(end: str) -> None:
    """No incomplete answer is released: one that raised, was empty, stopped in the middle or exceeds the bound."""

    class Broken(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            headers = [(b"set-cookie", b"session=s; HttpOnly"), (b"location", b"/account")]
            if end == "raises":
                await send({"type": "http.response.start", "status": 303, "headers": headers})
                raise RuntimeError
            if end != "nothing":
                await send({"type": "http.response.start", "status": 303, "headers": headers})
                body = b"x" * (65_537 if end == "large" else 10)
                await send({"type": "http.response.body", "body": body, "more_body": end == "half"})

    site = Site(shop=Broken())
    await site.enrol()
    client = site.client()
    ticket = challenge(await client.log_in())
    refused = await client.show(ticket, site.code())
    assert (refused.status, refused.code) == (401, "proof_failed")


async def test_a_store_with_room_for_marks_alone_does_not_tell_which_secrets_were_right(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store filled to the brim must not reveal right passwords by failing at the larger entries that they need."""
    put = MemoryVault.put

    async def nearly_full(vault: MemoryVault, key: bytes, value: bytes, **more: Any) -> bool:
        if len(value) > 100:
            raise StoreUnavailable
        return await put(vault, key, value, **more)

    monkeypatch.setattr(MemoryVault, "put", nearly_full)
    seen = set()
    for n, (account, password) in enumerate(PASSWORDS):
        client = site.client(f"198.51.100.{n}")
        ticket = challenge(await client.log_in(account, password))
        seen.add(same(await client.show(ticket, "123456")))
    [(status, _, _)] = seen
    assert status == 401


async def test_the_charge_comes_back_with_the_proof() -> None:
    """A proof refunds the charge: three log-ins of one owner pass from an address with two attempts an hour."""
    site = Site(settings={"limit_ip": "2/hour"})
    await site.enrol()
    for steps in (-1, 0, 1):
        client = site.client()
        ticket = challenge(await client.log_in())
        assert (await client.show(ticket, site.code(steps))).status == 303


async def test_the_charge_stands_without_a_proof() -> None:
    """A right password without a proof refunds nothing and shows in no counter."""
    site = Site(settings={"limit_ip": "2/hour"})
    statuses = [(await site.client().log_in("hana", password)).status for password in ("right", "wrong", "right")]
    assert statuses == [401, 401, 429]


async def settled(site: Site) -> None:
    """Wait until the background runs have reached the shop."""
    for _ in range(200):
        await asyncio.sleep(0)
        if site.shop.reached:
            break
    for _ in range(20):
        await asyncio.sleep(0)


async def test_an_application_that_has_no_time_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run answered with 503 (a full argon2 pool) is repeated, unnoticed by the owner."""
    monkeypatch.setattr("sekisho.stepup.flow.escrowed_run.PAUSES_S", (0, 0, 0))
    limits = iter(range(10))

    class Busy(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            match next(limits):
                case 0:
                    raise PasswordsBusy(1)
                case 1 | 2:
                    await answer(send, 503)
                case _:
                    await super().__call__(scope, receive, send)

    site = Site(shop=Busy())
    await site.enrol()
    client = site.client()
    ticket = challenge(await client.log_in())
    assert (await client.show(ticket, site.code())).status == 303
    assert next(limits) == 4


async def test_a_challenge_dies_with_an_unblocking(site: Site) -> None:
    """Row 83: unblocking an account ends its challenges."""
    client = site.client()
    ticket = challenge(await client.log_in())
    loops = site.guard._loops
    assert loops is not None
    account = loops.process.digests._account()
    account.update(b"hana")
    tell(site.guard, unblocked=(account.digest()[:16],))
    await settled(site)
    assert (await client.show(ticket, site.code())).code == "start_again"


async def test_an_unblocking_ends_what_is_under_way_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Acts stay in the record; a challenge begun after the first reading survives the others."""
    ended: list[bytes] = []
    monkeypatch.setattr(
        "sekisho.stepup.flow.consequences.AccountConsequences.end_all",
        lambda _, account_digest: ended.append(account_digest),
    )
    await site.client().log_in()
    one, two = b"1" * 16, b"2" * 16
    for unblocked in ((one,), (), (two,), ()):
        tell(site.guard, unblocked=unblocked)
    await settled(site)
    assert ended == [one, two]
