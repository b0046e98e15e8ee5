"""Protected routes need a recent proof of the account whose session it is, and of no other (R4)."""

from __future__ import annotations

import asyncio
import json
import re
import time
from base64 import b64decode
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

import itsdangerous
import pytest
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Route

from tests.stepup.flow.driving import FORM, Client, Site, challenge

if TYPE_CHECKING:
    from starlette.requests import Request

    from sekisho.asgi.types import Scope
    from tests.asgi.driving import Answer
    from tests.stepup.flow.conftest import Later

HTML = b"text/html"
TIE = "__Host-sekisho-tie"
STEP_COOKIE = "__Host-sekisho-step"


@pytest.fixture
async def site(later: Later) -> Site:
    made = Site()
    await made.enrol("1")
    await made.enrol("2")
    return made


async def pay(client: Client, accept: bytes = b"*/*") -> Answer:
    return await client.send("/pay", b"yen=1", accept=accept)


async def test_a_log_in_with_a_proof_is_fresh(site: Site) -> None:
    """A log-in with a proof counts as fresh: nothing is asked twice in a row."""
    client = await site.logged_in()
    assert (await pay(client)).body == b"paid"
    assert site.shop.paid == ["hana"]


async def test_a_proof_that_is_too_old_asks_for_another(site: Site, later: Later) -> None:
    """A proof that is too old is refused with the allowed age (RFC 9470), and the route has not run."""
    client = await site.logged_in()
    later.seconds = 301
    asked = await pay(client)
    assert (asked.status, asked.code) == (401, "step_up_required")
    said = asked.header(b"www-authenticate") or b""
    assert b'error="insufficient_user_authentication"' in said
    assert b'max_age="300"' in said
    assert not site.shop.paid


async def test_a_new_proof_opens_the_route_again(site: Site, later: Later) -> None:
    """A new proof opens the route for its maximum age, and no longer."""
    client = await site.logged_in()
    later.seconds = 400
    ticket = challenge(await pay(client))
    shown = await client.show(ticket, site.code())
    assert (shown.status, json.loads(shown.body)) == (200, {"proved": "POST /pay"})
    assert (await pay(client)).body == b"paid"
    later.seconds = 699
    assert (await pay(client)).status == 200
    later.seconds = 702
    assert (await pay(client)).status == 401


async def test_a_page_leads_on_after_the_proof(site: Site, later: Later) -> None:
    """A page leads on to the route after the proof, unless a link cannot reach the route."""
    client = await site.logged_in()
    later.seconds = 400
    ticket = challenge(await pay(client, accept=HTML))
    shown = await client.show(ticket, site.code(), accept=HTML)
    assert (shown.status, shown.header(b"location")) == (303, b"/")
    assert (await pay(client)).status == 200


async def test_a_denied_client_uses_no_protected_route(site: Site) -> None:
    """An operator's denial ends what a session and its fresh proof open; other routes and other clients go on."""
    client = await site.logged_in()
    site.guard = site.guarded(deny="198.51.100.77")
    client.guard = site.guard
    refused = await pay(client)
    assert (refused.status, refused.code) == (403, "denied")
    assert (await client.send("/account", method="GET", headers=())).status == 200
    client.address = "203.0.113.5"
    assert (await pay(client)).body == b"paid"


async def test_a_denied_client_is_known_by_names_of_headers_in_any_case(site: Site) -> None:
    """A denied client behind a proxy uses no protected route, however the server spells the names of headers."""
    client = await site.logged_in()
    client.guard = site.guarded(deny="198.51.100.77", trusted_proxies="10.0.0.0/8")
    client.address = "10.0.0.1"
    client.extra = [(b"X-Forwarded-For", b"203.0.113.9"), (b"X-Forwarded-For", b"198.51.100.77")]
    assert (await pay(client)).status == 403


async def test_a_socket_is_closed_where_its_session_has_no_fresh_proof(site: Site, later: Later) -> None:
    """A WebSocket at a protected route opens with a fresh proof alone: a handshake can ask for none."""
    client = await site.logged_in()
    with pytest.raises(NotImplementedError, match="websocket"):
        await client.connect("/pay")
    later.seconds = 301
    assert [message["type"] for message in await client.connect("/pay")] == ["websocket.close"]


async def test_a_denied_clients_socket_is_closed(site: Site) -> None:
    """An operator's denial closes sockets at protected routes, those of a session with a fresh proof too."""
    client = await site.logged_in()
    client.guard = site.guarded(deny="198.51.100.77")
    assert [message["type"] for message in await client.connect("/pay")] == ["websocket.close"]


PAGES = {"protect": "POST /pay max_age=300 page=/pay; * /vault/* max_age=60"}


@pytest.mark.parametrize(
    ("path", "query", "location"),
    [
        ("/pay", "", b"/pay"),
        ("/pay", "to=a%20b&yen=5", b"/pay?to=a%20b&yen=5"),
        ("/vault/\u91d1", "", b"/vault/%E9%87%91"),
        ("//vault/x", "", b"/"),
        ("/vault/x", "a\r\nset-cookie:b", b"/"),
        ("/vault/" + "x" * 1000, "", b"/"),
    ],
)
async def test_a_page_view_is_resumed_after_the_proof(later: Later, path: str, query: str, location: bytes) -> None:
    """The page of a form asks beforehand, and the browser goes on to what it asked for: never to another host."""
    site = Site(settings=PAGES)
    await site.enrol("1")
    client = await site.logged_in()
    assert (await client.send("/pay", method="GET")).status == 200
    later.seconds = 160  # half of the page's 300 s are over; the form itself can still be sent
    assert (await client.send("/pay", b"yen=1", headers=(FORM,))).status == 200
    asked = await client.send(path, method="GET", accept=HTML, query=query)
    assert asked.status == 401
    found = re.search(rb'name="form" value="([^"]+)"', asked.body)
    form = found[1].decode() if found else ""
    assert bool(form) == (location != b"/")
    shown = await client.show(challenge(asked), site.code(), accept=HTML, form=form)
    assert (shown.status, shown.header(b"location")) == (303, location)
    assert (await pay(client)).status == 200


async def test_a_known_device_with_the_password_alone_is_not_fresh(site: Site, later: Later) -> None:
    """A known device with the password alone is not fresh: its session is bound to its account, without a proof."""
    client = await site.logged_in()
    del client.jar[TIE], client.jar["session"]
    assert (await client.log_in()).status == 303
    asked = await pay(client)
    assert (asked.status, asked.code) == (401, "step_up_required")
    later.seconds = 60
    assert (await client.show(challenge(asked), site.code())).status == 200
    assert (await pay(client)).status == 200


async def test_the_proof_of_one_does_not_open_the_session_of_another(site: Site, later: Later) -> None:
    """R4: a thief with A's session cookie cannot open it with a proof of the thief's own account."""
    owner = await site.logged_in()
    thief = await site.logged_in("Alice", "wonder")
    own = thief.jar["session"]
    thief.jar["session"] = owner.jar["session"]
    refused = await pay(thief)
    assert refused.status == 401
    assert b"challenge" not in json.loads(refused.body)
    # The thief asks for a proof with the own session and shows it with A's.
    later.seconds = 400
    thief.jar["session"] = own
    ticket = challenge(await pay(thief))
    thief.jar["session"] = owner.jar["session"]
    shown = await thief.show(ticket, site.code())
    assert (shown.status, shown.code) == (410, "start_again")
    assert (await pay(thief)).status == 401
    assert not site.shop.paid


async def test_the_tie_of_one_is_no_tie_of_anothers_session(site: Site) -> None:
    """R4: one account's binding is void for another's session, in any combination and with both sessions shown at
    once.
    """
    owner, thief = await site.logged_in(), await site.logged_in("Alice", "wonder")
    mixed = site.client()
    mixed.jar = {TIE: thief.jar[TIE], "session": owner.jar["session"]}
    assert (await pay(mixed)).status == 401
    mixed.jar = {TIE: thief.jar[TIE], "session": f"{owner.jar['session']}; session={thief.jar['session']}"}
    assert (await pay(mixed)).status == 401
    assert not site.shop.paid


async def test_a_session_that_is_tied_to_nobody_is_refused(site: Site) -> None:
    """A session bound to no account is refused and told to log in: no proof would help."""
    client = await site.logged_in()
    del client.jar[TIE]
    refused = await pay(client)
    assert (refused.status, refused.code) == (401, "step_up_required")
    assert "challenge" not in json.loads(refused.body)
    assert (await pay(site.client())).status == 401
    assert not site.shop.paid


@pytest.mark.parametrize(("said", "status"), [("hana", 200), (None, 200), ("Alice", 401), ("Hana", 401)])
async def test_the_application_knows_whose_session_it_is(site: Site, said: str | None, status: int) -> None:
    """If the application names another account than the binding does, the session is refused."""
    client = await site.logged_in()
    client.guard = site.guarded(session_account=lambda _: said)
    assert (await pay(client)).status == status


@pytest.mark.parametrize(("said", "status"), [("hana", 200), (None, 200), ("Alice", 401)])
async def test_the_application_may_ask_its_database_whose_session_it_is(
    site: Site, said: str | None, status: int
) -> None:
    """A coroutine function tells whose session it is as a plain function does."""

    async def whose_row(_: Scope) -> str | None:
        await asyncio.sleep(0)
        return said

    client = await site.logged_in()
    client.guard = site.guarded(session_account=whose_row)
    assert (await pay(client)).status == status


@pytest.mark.parametrize(("path", "method"), [("/pay", "POST"), ("/sekisho/factors", "GET")])
async def test_an_unknown_session_opens_nothing(site: Site, path: str, method: str) -> None:
    """While the application's database fails, no proof opens a route or the owner's page: it may be another's."""

    async def broken(_: Scope) -> str | None:
        raise ConnectionError

    client = await site.logged_in()
    client.guard = site.guarded(session_account=broken)
    refused = await client.send(path, b"yen=1", method=method)
    assert (refused.status, refused.code) == (503, "unavailable")
    assert not site.shop.paid


async def test_in_monitor_nobody_is_asked(site: Site) -> None:
    """In `monitor` no route asks for a proof."""
    client = site.client(guard=site.guarded(mode="monitor"))
    assert (await pay(client)).status == 200


@pytest.mark.parametrize("where", ["/pay", "/sekisho/factors"])
async def test_a_question_for_a_fresh_proof_dies_with_a_change_of_password(
    site: Site, later: Later, where: str
) -> None:
    """Row 83: a challenge asked in a session from before a password change is void; others are not affected."""
    asked = {}
    for account, password in (("hana", "right"), ("Alice", "wonder")):
        asked[account] = await site.logged_in(account, password)
    later.seconds = 400
    method = "POST" if where == "/pay" else "GET"
    tickets = {name: challenge(await client.send(where, method=method)) for name, client in asked.items()}
    owner = await site.logged_in()
    changed = await owner.send("/password", b"username=hana&old_password=right&new_password=never+seen+17")
    assert changed.status == 303
    await asyncio.sleep(0)
    later.seconds = 430
    shown = {name: await client.show(tickets[name], site.code()) for name, client in asked.items()}
    assert (shown["hana"].code, shown["Alice"].status) == ("start_again", 200)


async def test_a_ticket_of_another_browser_refreshes_nothing(site: Site, later: Later) -> None:
    """A ticket of another browser refreshes nothing: only the browser that was asked holds it."""
    client = await site.logged_in()
    later.seconds = 400
    ticket = challenge(await pay(client))
    client.jar.pop(STEP_COOKIE)
    assert (await client.show(ticket, site.code())).code == "start_again"


async def test_a_ticket_of_a_log_in_refreshes_nothing(site: Site, later: Later) -> None:
    """A ticket of a log-in refreshes nothing: its purpose is sealed into it."""
    client = await site.logged_in()
    later.seconds = 400
    binding, session = client.jar[TIE], client.jar["session"]
    stranger = site.client()
    ticket = challenge(await stranger.log_in())
    stranger.jar[TIE], stranger.jar["session"] = binding, session
    shown = await stranger.show(ticket, site.code())
    assert shown.status == 303
    stranger.jar[TIE], stranger.jar["session"] = binding, session
    assert (await pay(stranger)).status == 401


# A service whose session cookie is signed anew with every answer.

KEY = "a key of the service"
ROLLING = "POST /login success=303"  # to the front page, with a cookie in every answer: no guess takes that for success


async def _log_in(request: Request) -> RedirectResponse | PlainTextResponse:
    form = await request.form()
    if (form["username"], form["password"]) not in {("hana", "right"), ("Alice", "wonder")}:
        return PlainTextResponse("wrong", 401)
    request.session["user"] = form["username"]
    return RedirectResponse("/", 303)


async def _pay(request: Request) -> PlainTextResponse:
    request.session["visits"] = request.session.get("visits", 0) + 1
    return PlainTextResponse(f"paid by {request.session.get('user')}")


def rolling() -> Starlette:
    app = Starlette(routes=[Route("/login", _log_in, methods=["POST"]), Route("/pay", _pay, methods=["POST"])])
    app.add_middleware(SessionMiddleware, secret_key=KEY, https_only=True)
    return app


def whose(scope: Scope) -> str | None:
    """The account of a session, as such a service would report it."""
    jar = SimpleCookie(dict(scope["headers"]).get(b"cookie", b"").decode())
    try:
        data = itsdangerous.TimestampSigner(KEY).unsign(jar["session"].value)
    except (KeyError, itsdangerous.BadSignature):
        return None
    user = json.loads(b64decode(data)).get("user")
    return str(user) if user else None


async def test_a_session_cookie_that_rolls_keeps_its_tie(site: Site, later: Later) -> None:
    """Starlette's cookie changes with every answer; the application names its account, and the binding holds."""
    client = site.client(guard=site.guarded(rolling(), login=ROLLING, session_account=whose))
    assert (await client.show(challenge(await client.log_in()), site.code(-1))).status == 303
    seen = {client.jar["session"]}
    for _ in range(3):
        assert (await pay(client)).body == b"paid by hana"
        seen.add(client.jar["session"])
    assert len(seen) == 4
    later.seconds = 400
    ticket = challenge(await pay(client))
    assert (await client.show(ticket, site.code())).status == 200
    assert (await pay(client)).body == b"paid by hana"


async def test_a_log_out_ends_step_ups_of_a_session_that_the_application_deletes_first(
    site: Site, later: Later
) -> None:
    """Whose session it was is learnt before the application runs: afterwards nobody could say it."""
    rows = ["a session"]
    service = rolling()

    async def leave(_: Request) -> PlainTextResponse:
        rows.clear()
        return PlainTextResponse("bye")

    async def whose_row(scope: Scope) -> str | None:
        return whose(scope) if rows else None

    service.router.routes.append(Route("/logout", leave, methods=["POST"]))
    guard = site.guarded(service, login=ROLLING, logout="POST /logout", session_account=whose_row)
    client = site.client(guard=guard)
    assert (await client.show(challenge(await client.log_in()), site.code(-1))).status == 303
    await pay(client)
    later.seconds = 400
    ticket, before = challenge(await pay(client)), dict(client.jar)
    assert (await client.send("/logout", b"")).status == 200
    rows.append("the next session")
    client.jar.update(before)

    assert (await client.show(ticket, site.code())).code == "start_again"


async def test_a_session_cookie_that_rolls_is_not_another_s(site: Site) -> None:
    """R4 holds for rolling cookies too, with both sessions renewed."""
    guard = site.guarded(rolling(), login=ROLLING, session_account=whose)
    owner, thief = site.client(guard=guard), site.client(guard=guard)
    assert (await owner.show(challenge(await owner.log_in()), site.code(-1))).status == 303
    assert (await thief.show(challenge(await thief.log_in("Alice", "wonder")), site.code(0))).status == 303
    await pay(owner)
    thief.jar["session"] = owner.jar["session"]
    assert (await pay(thief)).status == 401
    thief.jar["session"] = "forged"
    assert (await pay(thief)).status == 401


async def test_without_the_application_s_word_a_cookie_that_changed_is_nobody_s(site: Site) -> None:
    """Without the application's answer a changed cookie looks like a thief's, and its client is told to log in."""
    client = site.client(guard=site.guarded(rolling(), login=ROLLING))
    assert (await client.show(challenge(await client.log_in()), site.code(-1))).status == 303
    assert (await pay(client)).status == 200
    assert (await pay(client)).status == 401


# Work that a session can cause.


async def test_a_session_has_one_challenge_at_a_time(site: Site, later: Later) -> None:
    """A session has one challenge at a time: five tries and forty reads of factors, in any number of browsers."""
    client = await site.logged_in()
    # Minutes later; a minute after the ten-minute mark.
    later.seconds = 1_260 - time.time() % 600
    thieves = []
    for _ in range(12):
        thief = site.client()
        thief.jar = {"session": client.jar["session"], TIE: client.jar[TIE]}
        thieves.append((thief, challenge(await pay(thief))))
    for thief, ticket in thieves[:5]:
        assert (await thief.show(ticket, "000000")).code == "proof_failed"
    # The sixth try is right, but too late.
    thief, ticket = thieves[6]
    assert (await thief.show(ticket, site.code())).code == "proof_failed"
    answers = [(await thief.show(ticket, "000000")).code for thief, ticket in thieves * 4]
    assert set(answers) == {"proof_failed", "start_again"}
    assert answers.count("proof_failed") == 40 - 6


async def test_a_session_whose_binding_is_spelled_otherwise_has_no_other_challenge(site: Site, later: Later) -> None:
    """Another spelling of a session's binding (base64 skips foreign signs) brings no further tries."""
    client = await site.logged_in()
    later.seconds = 1_260 - time.time() % 600
    answers = []
    for number in range(6):
        thief = site.client()
        thief.jar = {"session": client.jar["session"], TIE: "!!!!" * number + client.jar[TIE]}
        ticket = challenge(await pay(thief))
        answers.append(await thief.show(ticket, "000000" if number < 5 else site.code()))
    assert [shown.code for shown in answers] == ["proof_failed"] * 6


async def test_a_route_that_allows_no_age_asks_for_each_proof_anew(site: Site, later: Later) -> None:
    """A route that allows no age asks for each proof anew: each proof ends its own challenge and starts no other."""
    client = await site.logged_in()
    for number in range(3):
        later.seconds += 301
        ticket = challenge(await pay(client))
        assert (await client.show(ticket, site.code())).status == 200, number
        assert (await client.show(ticket, site.code(1))).code == "start_again"
        assert (await pay(client)).body == b"paid"


async def test_an_answer_that_was_lost_leaves_another_question(site: Site, later: Later) -> None:
    """If the answer with the new binding was lost, the session is asked anew by a new challenge."""
    client = await site.logged_in()
    later.seconds = 301
    before = dict(client.jar)
    assert (await client.show(challenge(await pay(client)), site.code())).status == 200
    client.jar = before
    again = challenge(await pay(client))
    assert (await client.show(again, site.code(1))).status == 200
    assert (await pay(client)).body == b"paid"


# The class of the last proof.


async def test_a_route_may_want_a_passkey(later: Later) -> None:
    """A route with `acr=phr` refuses a fresh proof by an app, and names the class (RFC 9470)."""
    later.seconds = 0
    settings = {"factors": "webauthn,totp", "passkey_domain": "shop.test"}
    site = Site(settings={**settings, "protect": "POST /pay max_age=300 acr=phr"})
    await site.enrol("1")
    client = await site.logged_in()
    asked = await pay(client)
    said = asked.header(b"www-authenticate") or b""
    assert (asked.status, asked.code) == (401, "step_up_required")
    assert said.endswith(b'max_age="300", acr_values="phr"')
    assert b"stronger" in said
    assert (await client.show(challenge(asked), site.code())).code == "proof_failed"
    assert not site.shop.paid


async def test_the_floor_of_the_site_holds_for_every_route(later: Later) -> None:
    """With a floor of apps, a route without `acr=` takes an app's proof and says which class it wants."""
    later.seconds = 0
    site = Site(settings={"factor_floor": "app"})
    await site.enrol("1")
    client = await site.logged_in()
    assert (await pay(client)).body == b"paid"
    later.seconds = 400
    assert b'acr_values="app"' in ((await pay(client)).header(b"www-authenticate") or b"")


async def test_a_log_in_by_a_new_factor_opens_no_protected_route(later: Later) -> None:
    """A factor that was enrolled a moment ago logs in; the protected route wants another proof, and not by it."""
    site = Site()
    later.seconds = 0
    await site.enrol("1", created_s=int(time.time()))
    client = await site.logged_in()
    asked = await pay(client)
    assert (asked.status, asked.code) == (401, "step_up_required")
    assert (await client.show(challenge(asked), site.code())).code == "proof_failed"
    later.seconds = 72 * 3_600 + 60
    assert (await client.show(challenge(await pay(client)), site.code())).status == 200
    assert (await pay(client)).body == b"paid"
