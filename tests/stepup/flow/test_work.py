"""Work before the secret: asked for as JSON or by a page, valid once, and never a proof of identity."""

from __future__ import annotations

import asyncio
import gzip
import html
import json
import re
from base64 import b64decode
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from sekisho.challenge.work import difficulty
from sekisho.simulate.solve import solved
from sekisho.stepup.flow.fair_queue import FairQueue
from sekisho.stepup.pages import Pages
from tests.asgi.driving import HERE, OPEN, answer, ask, form, http, read
from tests.breach.hibp_server import hang_up
from tests.challenge.captcha_server import SECRET as CAPTCHA_SECRET
from tests.challenge.captcha_server import siteverify_api
from tests.stepup.flow.driving import FORM, JSON, STRANGE, Client, Shop, Site, challenge, hidden

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sekisho.asgi.types import Receive, Scope, Send
    from tests.asgi.driving import Answer
    from tests.challenge.captcha_server import SiteverifyApi
    from tests.stepup.flow.conftest import Later

    Headers = Sequence[tuple[bytes, bytes]]

HTML = b"text/html"
CONTINUE = "/sekisho/continue"
FIELD = "sekisho-form"
CROWD = 80  # of the 288 places that the queues have: more than a quarter
ONCE = {"limit_account": "1/hour"}  # one guess at an account, and the next one is asked for work
TWO_DOORS = {"login": "POST /login form:username,password; POST /code form:username,password"}


class Keeping(Shop):
    """Keeps bodies as they came, and answers yes to everything at its second door."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[tuple[bytes, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        body = await read(receive)
        self.bodies.append((dict(scope["headers"]).get(b"content-type", b""), body))
        if scope["path"] == "/code":
            return await answer(send, 200, body=b"done")

        packed = dict(scope["headers"]).get(b"content-encoding") == b"gzip"

        async def again() -> Any:
            return {"type": "http.request", "body": gzip.decompress(body) if packed else body, "more_body": False}

        return await super().__call__(scope, again, send)


def plain(**settings: Any) -> Site:
    """A site that asks for work and has no factors."""
    ruled = {"login": "POST /login success=303:/account"}
    asked = {"factors": "none", "protect": None, "challenges": "pow"}
    return Site(shop=Keeping(), settings={**asked, **ruled, **ONCE, **settings})


async def guessed(site: Site, account: str = "hana", path: str = "/login") -> None:
    """Use up the strangers' attempts at an account."""
    body = form(account, f"a guess at {account}")
    assert (await site.client("192.0.2.200").send(path, body)).status == 401


async def asked(client: Client, account: str = "hana", password: str = "right", **more: Any) -> dict[str, Any]:
    """The work that a client is asked for."""
    refused = await client.log_in(account, password, **more)
    assert (refused.status, refused.code) == (401, "challenge_required")
    found: dict[str, Any] = json.loads(refused.body)
    return found


async def worked(members: dict[str, Any]) -> tuple[bytes, bytes]:
    """The header that shows the solved work."""
    return b"sekisho-work", (await asyncio.to_thread(solved, members["work"])).encode()


def work_of(page: Answer) -> dict[str, Any]:
    """The work that a page gives its script."""
    found = re.search(r"data-work='([^']*)'", page.body.decode())
    assert found
    work: dict[str, Any] = json.loads(html.unescape(found[1]))
    return work


async def sent_on(client: Client, page: Answer, **more: str) -> Answer:
    """A page's form as its script sends it, with the work solved."""
    fields = {FIELD: hidden(page, FIELD), **more}
    fields["work"] = await asyncio.to_thread(solved, work_of(page))
    return await client.send("/login", urlencode(fields).encode(), accept=HTML)


# Asked for, solved, shown.


async def test_a_program_is_told_what_to_solve_and_where_to_go(later: Later) -> None:
    """A program gets puzzle and address as members of the problem document; the application has seen nothing."""
    site = plain()
    await guessed(site)
    members = await asked(site.client())
    assert members["work"]["parameters"]["algorithm"] == "PBKDF2/SHA-256"
    assert members["continue"] == CONTINUE
    assert "captcha" not in members
    assert site.shop.reached == [("hana", "a guess at hana")]


async def test_solved_work_lets_the_same_request_through() -> None:
    """The request repeated with solved work gets the application's own answer, and a device token that counts as
    seen.
    """
    site = plain()
    await guessed(site)
    client = site.client()
    shown = await worked(await asked(client))
    let_in = await client.log_in(headers=(FORM, shown))
    assert let_in.status == 303
    assert let_in.device
    assert await client.who() == "hana"


async def test_it_is_good_once() -> None:
    """Solved work is valid once: each further guess costs new work."""
    site = plain()
    await guessed(site)
    client = site.client()
    shown = await worked(await asked(client, password="wrong"))
    assert (await client.log_in(password="wrong", headers=(FORM, shown))).body == b"wrong"
    assert (await client.log_in(headers=(FORM, shown))).code == "challenge_required"


async def test_of_many_at_once_one_passes() -> None:
    """Of many parallel requests with one solution one passes."""
    site = plain()
    await guessed(site)
    client = site.client()
    shown = await worked(await asked(client, password="wrong"))
    answers = await asyncio.gather(*(client.log_in(password="wrong", headers=(FORM, shown)) for _ in range(20)))
    assert [found.body for found in answers].count(b"wrong") == 1


async def test_for_another_account_it_is_none() -> None:
    """Work for one account is void for another, even one that differs in case alone."""
    site = plain()
    for account in ("hana", "alice"):
        await guessed(site, account)
    client = site.client()
    shown = await worked(await asked(client))
    for account, password in (("alice", "hatter"), ("Alice", "wonder")):
        assert (await client.log_in(account, password, headers=(FORM, shown))).code == "challenge_required"


async def test_in_another_browser_it_is_none() -> None:
    """Work is void in another browser: a farm of machines could otherwise solve it for the guesser."""
    site = plain()
    await guessed(site)
    shown = await worked(await asked(site.client()))
    other = site.client()
    await asked(other)
    assert (await other.log_in(headers=(FORM, shown))).code == "challenge_required"
    assert (await site.client().log_in(headers=(FORM, shown))).code == "challenge_required"


async def test_at_another_door_it_is_none() -> None:
    """Work is void at another door, for the same account and browser too."""
    site = plain(**TWO_DOORS)
    await guessed(site)
    client = site.client()
    shown = await worked(await asked(client))
    assert (await client.send("/code", form("hana", "right"), headers=(FORM, shown))).code == "challenge_required"


async def test_it_is_no_good_two_minutes_later(later: Later) -> None:
    """Work expires after two minutes, or it could be stored up for an attack."""
    site = plain()
    await guessed(site)
    client = site.client()
    shown = await worked(await asked(client))
    later.seconds = 121
    assert (await client.log_in(headers=(FORM, shown))).code == "challenge_required"


@pytest.mark.parametrize("junk", [b"", b"x", b"e30=", b"\xff" * 40, b"A" * 20_000])
async def test_junk_is_no_work(junk: bytes) -> None:
    """Junk in place of work is answered like no work."""
    site = plain()
    await guessed(site)
    client = site.client()
    for header in (b"sekisho-work", b"sekisho-captcha"):
        assert (await client.log_in(headers=(FORM, (header, junk)))).code == "challenge_required"
    assert len(site.shop.reached) == 1


async def test_an_app_holds_its_work_by_a_header() -> None:
    """An app, which keeps no cookies, holds its work by a header and is sent no cookie."""
    site = plain()
    await guessed(site)
    app = site.client(headers=[(b"sekisho-challenge", b"new")])
    refused = await app.log_in()
    key = refused.header(b"sekisho-challenge")
    assert key
    assert not app.jar
    app.extra = [(b"sekisho-challenge", key)]
    shown = await worked(json.loads(refused.body))
    assert (await app.log_in(headers=(FORM, shown))).status == 303


@pytest.mark.parametrize("accept", [b"application/json", HTML])
async def test_beyond_the_limit_an_attacker_still_sees_the_same_bytes(accept: bytes) -> None:
    """Row 86: beyond the limit, right and wrong passwords of known and unknown accounts get the same bytes."""
    site = Site(settings={"challenges": "pow", **ONCE})
    await site.enrol()
    seen = set()
    for account in ("hana", "Alice", "nobody", "noone"):
        await site.client("192.0.2.200").log_in(account, "a guess")
        for password in ("right", "wonder", "wrong"):
            found = await site.client().log_in(account, password, accept=accept)
            seen.add((found.status, masked(dict(found.headers)), masked(found.body)))
    assert len(seen) == 1
    assert b"challenge_required" in found.body or accept is HTML


def masked(said: Any) -> str:
    """An answer without its random parts, whose lengths stay, and without the puzzle's time."""
    text = re.sub(r"(\"expiresAt\": ?)\d+", r"\1", html.unescape(str(said)))
    fields = r"\"(?:nonce|salt|signature|carried|ours)\": ?\""
    random = rf"(step=|nonce-|nonce=\"|name=\"(?:sekisho-)?form\" value=\"|{fields})([\w=-]+)"
    return re.sub(random, lambda found: found[1] + "." * len(found[2]), text)


# Work is no proof (R14).


async def test_solved_work_opens_no_sealed_answer() -> None:
    """R14: with factors, work comes before the secret is checked, and the factor is still needed."""
    site = Site(shop=Keeping(), settings={"challenges": "pow", **ONCE})
    await site.enrol()
    await site.client("192.0.2.200").log_in("hana", "a guess")
    client = site.client()
    shown = await worked(await asked(client))
    await passed(site, 1)
    assert site.shop.reached == [("hana", "a guess")]

    stopped = await client.log_in(headers=(FORM, shown))
    assert (stopped.status, stopped.code) == (401, "step_up_required")
    assert "session" not in client.jar
    assert not stopped.device
    await passed(site, 2)
    assert site.shop.reached[1:] == [("hana", "right")]
    ticket = challenge(stopped)
    for proof in (shown[1].decode(), "000000"):
        assert (await client.show(ticket, proof)).code == "proof_failed"
    assert (await client.show(ticket, "", shown[1].decode())).code == "proof_failed"
    released = await client.show(ticket, site.code())
    assert released.status == 303
    assert await client.who() == "hana"


async def test_where_there_is_none_to_ask_for_nobody_is_kept_from_a_factor_by_it() -> None:
    """A stranger without further suspicion is asked for the factor alone, and no work keeps it away."""
    site = Site(settings={"challenges": "pow"})
    await site.enrol()
    assert (await site.client().log_in()).code == "step_up_required"


async def passed(site: Site, runs: int) -> None:
    """Wait until so many background runs have reached the shop, or none has for a while."""
    for _ in range(200):
        await asyncio.sleep(0)
        if len(site.shop.reached) >= runs:
            break
    for _ in range(20):
        await asyncio.sleep(0)


# Pages.

BODIES = [
    pytest.param(FORM[1], form("hana", "right"), id="form"),
    pytest.param(
        b"application/x-www-form-urlencoded; charset=UTF-8", b"x=%20&password=right&username=hana&y=+", id="more"
    ),
    pytest.param(JSON[1], b'{ "password":"right", "username":"h\\u0061na" , "csrf": [1, 2] }', id="json"),
]


@pytest.mark.parametrize(("content_type", "body"), BODIES)
async def test_a_page_carries_the_request_to_its_door(content_type: bytes, body: bytes) -> None:
    """A page replays the same bytes with the same type, and the client gets the application's own answer."""
    site = plain()
    await guessed(site)
    client = site.client()
    page = await client.send("/login", body, headers=((b"content-type", content_type),), accept=HTML)
    assert page.status == 401
    assert page.header(b"content-type") == b"text/html; charset=utf-8"
    assert b"right" not in page.body
    await sent_on(client, page)
    assert isinstance(site.shop, Keeping)
    assert site.shop.bodies[1:] == [(content_type, body)]
    assert await client.who() == "hana"


async def test_a_page_sends_its_form_to_where_it_stands() -> None:
    """The form is posted to the door's own address, so the application's page and forms without `action` work there."""
    site = plain()
    await guessed(site)
    client = site.client()
    page = await client.log_in(password="wrong", accept=HTML)
    assert b'<form method="post" data-work=' in page.body
    wrong = await sent_on(client, page)  # to /login
    assert (wrong.status, wrong.body) == (401, b"wrong")
    # A form of the application's page goes to the same address and is an attempt like any other.
    let_in = await sent_on(client, await client.log_in(accept=HTML))
    assert (let_in.status, let_in.header(b"location")) == (303, b"account")
    assert await client.who() == "hana"


async def test_where_the_answer_leads_is_seen_from_its_door() -> None:
    """For a request too large for the form, a redirect to `account` resolves against the log-in's path."""
    site = plain(body_bytes_max="4096")
    await guessed(site)
    client = site.client()
    page = await client.log_in(accept=HTML)
    assert b'action="/sekisho/continue"' in page.body
    fields = {"form": hidden(page, "form"), "work": await asyncio.to_thread(solved, work_of(page))}
    let_in = await client.send(CONTINUE, urlencode(fields).encode(), accept=HTML)
    assert (let_in.status, let_in.header(b"location")) == (303, b"/account")


async def test_what_follows_the_path_is_carried_too() -> None:
    """The query is carried too: many log-ins keep the return address there."""
    site = plain()
    queries = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        queries.append(scope.get("query_string"))
        await site.shop(scope, receive, send)

    site.guard = site.guarded(app)
    await guessed(site)
    client = site.client()
    scope = http(client=STRANGE, headers=[FORM, (b"accept", HTML)], query_string=b"next=%2Fpay")
    page = await ask(site.guard, scope, form("hana", "right"))
    jar = dict(line.partition(b";")[0].decode().split("=", 1) for line in page.all(b"set-cookie"))
    client.jar.update(jar)
    assert (await sent_on(client, page)).status == 303
    assert queries == [b"", b"next=%2Fpay"]


async def test_without_work_a_page_comes_back_as_it_was() -> None:
    """Without work, as with scripts turned off, the page asks again and nothing reaches the application."""
    site = plain()
    await guessed(site)
    client = site.client()
    page = await client.log_in(accept=HTML)
    again = await client.send("/login", urlencode({FIELD: hidden(page, FIELD)}).encode(), accept=HTML)
    assert again.status == 401
    assert (await sent_on(client, again)).status == 303
    assert len(site.shop.reached) == 2


async def test_a_form_for_another_door_is_none() -> None:
    """A form sealed at one door is void at another."""
    site = plain(login=TWO_DOORS["login"])
    await guessed(site)
    client = site.client()
    page = await client.log_in(accept=HTML)
    fields = {FIELD: hidden(page, FIELD), "work": await asyncio.to_thread(solved, work_of(page))}
    assert (await client.send("/code", urlencode(fields).encode())).status == 410


async def test_a_form_where_nothing_is_asked_for_is_an_attempt_that_cannot_be_read() -> None:
    """A page's form at a door that asks for nothing is an unreadable attempt, and charged."""
    site = Site(settings={"factors": "none", "protect": None, "challenges": "none"})
    refused = await site.client().send("/login", b"sekisho-form=x")
    assert refused.status == 400


async def test_a_page_that_is_sent_twice_runs_once() -> None:
    """A page's form sent twice runs once: it opens each time, but its work is used up."""
    site = plain()
    await guessed(site)
    client = site.client()
    page = await client.log_in(password="wrong", accept=HTML)
    fields = {FIELD: hidden(page, FIELD), "work": await asyncio.to_thread(solved, work_of(page))}
    sent = [await client.send("/login", urlencode(fields).encode()) for _ in range(2)]
    assert [found.body == b"wrong" for found in sent] == [True, False]
    assert sent[1].code == "challenge_required"


async def test_from_page_to_page_up_to_the_factor() -> None:
    """R14 by pages: work, then proof, then answer; typed once, run once."""
    site = Site(shop=Keeping(), settings={"challenges": "pow", **ONCE})
    await site.enrol()
    await site.client("192.0.2.200").log_in("hana", "a guess")
    await passed(site, 1)
    client = site.client()
    page = await sent_on(client, await client.log_in(accept=HTML))
    assert page.status == 401
    assert "session" not in client.jar
    released = await client.show(hidden(page, "challenge"), site.code(), accept=HTML)
    assert (released.status, released.header(b"location")) == (303, b"/account")
    assert site.shop.reached[1:] == [("hana", "right")]


@pytest.mark.parametrize("path", ["/login", CONTINUE])
@pytest.mark.parametrize("how", ["altered", "expired", "another browser's", "another service's", "none", "junk"])
async def test_a_form_that_is_not_its_holders_is_none(how: str, path: str, later: Later) -> None:
    """A form that is altered, expired, copied or made up gets the same answer, and nothing reaches the application."""
    site = plain()
    await guessed(site)
    client = site.client()
    page = await client.log_in(accept=HTML)
    carried = hidden(page, FIELD)
    match how:
        case "altered":
            carried = carried[:40] + ("A" if carried[40] != "A" else "B") + carried[41:]
        case "expired":
            later.seconds = 121
        case "another browser's":
            client = site.client()
        case "another service's":
            client.guard = site.guarded(secret=b"another secret of more than thirty-two bytes")
        case "none":
            carried = ""
        case _:
            carried = "\N{SNOWMAN}" * 100
    fields = {FIELD: carried, "work": await asyncio.to_thread(solved, work_of(page))}
    refused = await client.send(path, urlencode(fields).encode())
    assert (refused.status, refused.code) == (410, "start_again")
    assert len(site.shop.reached) == 1


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param((FORM, (b"content-encoding", b"gzip")), None, id="compressed"),
        pytest.param(((b"content-type", FORM[1] + b"; x=" + b"y" * 600),), form("hana", "right"), id="long type"),
        pytest.param((FORM,), form("hana", "right") + b"&x=" + b"y" * 70_000, id="long body"),
    ],
)
@pytest.mark.parametrize("accept", [HTML, b"application/json"])
async def test_what_no_page_can_carry_is_asked_for_all_the_same(
    headers: Headers, body: bytes | None, accept: bytes
) -> None:
    """What no page can carry is asked for anyway: programs repeat the request, a page says to start again."""
    site = plain(body_bytes_max="100000")
    await guessed(site)
    client = site.client()
    packed = gzip.compress(form("hana", "right")) if body is None else body
    refused = await client.send("/login", packed, headers=headers, accept=accept)
    assert refused.status == 401
    if accept == HTML:
        assert hidden(refused, FIELD) == ""
        assert (await sent_on(client, refused)).status == 410
        return
    shown = await worked(json.loads(refused.body))
    await client.send("/login", packed, headers=(*headers, shown))
    assert isinstance(site.shop, Keeping)
    assert site.shop.bodies[-1][1] == packed


# A captcha.


@asynccontextmanager
async def with_captcha() -> AsyncIterator[tuple[Site, SiteverifyApi]]:
    async with siteverify_api() as api:
        site = plain(
            challenges="pow,turnstile",
            captcha_sitekey="site-1",
            captcha_secret=CAPTCHA_SECRET,
            captcha_hosts="shop.example",
            captcha_url=api.url,
        )
        await guessed(site)
        yield site, api


async def test_a_solved_captcha_is_as_good_as_work_and_once() -> None:
    """A program shows a captcha token by a header; it counts once, even if the provider accepts it the second time."""
    async with with_captcha() as (site, api):
        client = site.client()
        members = await asked(client, password="wrong")
        assert members["captcha"] == {"provider": "turnstile", "sitekey": "site-1"}
        shown = (b"sekisho-captcha", api.earned().encode())
        assert (await client.log_in(password="wrong", headers=(FORM, shown))).body == b"wrong"
        api.forget_use()
        assert (await client.log_in(headers=(FORM, shown))).code == "challenge_required"
        assert len(api.forms) == 2


@pytest.mark.parametrize("name", ["cf-turnstile-response", "h-captcha-response", "captcha"])
async def test_a_page_shows_it_by_the_name_that_the_providers_script_gives_it(name: str) -> None:
    """The page reads the captcha token from the field name that the provider's widget uses."""
    async with with_captcha() as (site, api):
        client = site.client()
        page = await client.log_in(accept=HTML)
        assert b'data-sitekey="site-1"' in page.body
        fields = {FIELD: hidden(page, FIELD), name: api.earned()}
        assert (await client.send("/login", urlencode(fields).encode(), accept=HTML)).status == 303


async def test_work_is_no_way_round_a_captcha_that_can_tell() -> None:
    """While the provider answers, a wrong or missing token is refused, with solved work too."""
    async with with_captcha() as (site, _):
        client = site.client()
        for token in (None, b"never-earned"):
            shown = [await worked(await asked(client))]
            shown += [(b"sekisho-captcha", token)] if token else []
            assert (await client.log_in(headers=(FORM, *shown))).code == "challenge_required"


async def test_where_the_provider_cannot_tell_work_is_enough() -> None:
    """While the provider is down, work is enough: nobody is locked out, and nothing is free."""
    async with with_captcha() as (site, api):
        api.answer = hang_up
        client = site.client()
        members = await asked(client)
        token = (b"sekisho-captcha", api.earned().encode())
        assert (await client.log_in(headers=(FORM, token))).code == "challenge_required"
        assert (await client.log_in(headers=(FORM, token, await worked(members)))).status == 303


# Crowds.


async def test_places_in_the_queues_cost_work_once_a_quarter_is_taken() -> None:
    """Once a quarter of the queues is taken, strangers pay with work for hashes; proved devices pay nothing."""
    gate = asyncio.Event()

    class Slow(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/login":
                await gate.wait()
            await super().__call__(scope, receive, send)

    site = Site(shop=Slow(), settings={"challenges": "pow"})
    await site.enrol()
    owner = site.client(HERE)
    gate.set()
    ticket = challenge(await owner.log_in())
    assert (await owner.show(ticket, site.code())).status == 303
    gate.clear()

    crowd = [await stranger(site, n).log_in(f"somebody {n}", f"a guess {n}") for n in range(CROWD)]
    codes = [found.code for found in crowd]
    assert codes[:70] == ["step_up_required"] * 70
    assert codes[-1] == "challenge_required"

    client = stranger(site, CROWD)
    shown = await worked(await asked(client, "alice", "hatter"))
    assert (await client.log_in("alice", "hatter", headers=(FORM, shown))).code == "step_up_required"
    known = asyncio.ensure_future(owner.log_in())
    await asyncio.sleep(0)
    gate.set()
    assert (await known).status == 303


@pytest.mark.parametrize("taken", [0.3, 0.6, 0.8, 0.95])
async def test_work_grows_harder_as_the_queues_fill(taken: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work grows harder as the queues fill, by the table of `difficulty`."""
    monkeypatch.setattr(FairQueue, "occupancy", property(lambda _: taken))
    site = Site(settings={"challenges": "pow"})
    puzzle = (await asked(site.client()))["work"]["parameters"]
    limits = 1 << 4 * len(puzzle["keyPrefix"])
    assert 0 <= puzzle["cost"] * limits - difficulty(0, taken) < limits


def stranger(site: Site, n: int) -> Client:
    return site.client(f"10.{n}.7.7")


async def test_in_monitor_nobody_is_asked() -> None:
    """In `monitor` the events say what would be asked, and the application answers."""
    site = plain(mode="monitor")
    await guessed(site)
    assert (await site.client().log_in()).status == 303
    site = Site(settings={"challenges": "pow", "mode": "monitor", **ONCE})
    await site.enrol()
    await guessed(site)
    assert (await site.client().log_in()).status == 303
    assert (await site.client().log_in(accept=HTML)).status == 303


async def test_a_request_that_cannot_be_read_is_not_asked_for_work() -> None:
    """A request that cannot be read is not asked for work, as it has no account to bind it to."""
    site = plain(**{**OPEN, "limit_account": "99/hour"})
    client = site.client()
    codes = [(await client.log_in(f"somebody {n}", f"a guess {n}")).body for n in range(19)]
    assert b"challenge_required" in codes[-1]
    reached = len(site.shop.reached)
    for headers in [((b"content-type", b"text/plain"),), (FORM, (b"content-encoding", b"br")), (FORM, FORM)]:
        refused = await client.send("/login", b"username=a&username=b&password=c", headers=headers)
        assert refused.code == "unreadable_attempt"
    assert len(site.shop.reached) == reached


# Without JavaScript.


async def waited(client: Client, page: Answer, **more: str) -> Answer:
    """The form for browsers without JavaScript, as its button sends it."""
    fields = {FIELD: hidden(page, FIELD), "waited": "yes", **more}
    return await client.send("/login", urlencode(fields).encode(), accept=HTML)


async def test_without_javascript_half_a_minute_stands_for_the_work(later: Later) -> None:
    """Without JavaScript half a minute's wait replaces the work, not earlier; the page says so and keeps the input."""
    site = plain()
    await guessed(site)
    client = site.client()
    page = await client.log_in(accept=HTML)
    assert b"<noscript>" in page.body
    assert b"wait for half a minute" in page.body
    later.seconds = 29
    assert (await waited(client, page)).status == 401
    later.seconds = 31
    assert (await waited(client, page)).status == 303
    assert await client.who() == "hana"


async def test_a_wait_is_good_once_and_for_its_own_request(later: Later) -> None:
    """A wait counts once and for its own request: no waiting with one password and sending another."""
    site = plain()
    await guessed(site)
    client = site.client()
    page = await client.log_in(password="wrong", accept=HTML)
    shown = (b"sekisho-waited", hidden(page, FIELD).encode())
    later.seconds = 31
    assert (await client.log_in(password="right", headers=(FORM, shown))).code == "challenge_required"
    assert (await waited(client, page)).body == b"wrong"
    assert (await waited(client, page)).status == 401
    assert site.shop.reached[1:] == [("hana", "wrong")]


async def test_a_wait_is_good_once_in_every_spelling_of_its_form(later: Later) -> None:
    """A form has one spelling: base64 of the other alphabet, or with other unused bits, is no second wait."""
    site = plain()
    await guessed(site)
    client = site.client()
    page = await client.log_in(password="wrong", accept=HTML)
    form = hidden(page, FIELD)
    later.seconds = 31
    assert (await waited(client, page)).body == b"wrong"
    for again in spellings(form) - {form}:
        shown = (FORM, (b"sekisho-waited", again.encode()))
        assert (await client.log_in(password="wrong", headers=shown)).code == "challenge_required"
    assert site.shop.reached[1:] == [("hana", "wrong")]


def spellings(form: str) -> set[str]:
    """Texts that decode to the bytes of this form, in base64 as lenient decoders read it."""
    bare = form.rstrip("=")
    padding = form[len(bare) :]
    lasts = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same = {bare[:-1] + last + padding for last in lasts}
    every = {form.replace("-", "+"), form.replace("_", "/"), *same}
    return {one for one in every if b64decode(one, b"-_") == b64decode(form, b"-_")}


async def test_waits_are_few_for_each_network(later: Later) -> None:
    """Parallel waits cost nothing, so a network may pass six an hour."""
    site = plain(**OPEN)
    await guessed(site)
    clients = [site.client(f"198.51.100.{n}") for n in range(1, 10)]
    pages = [await client.log_in(password="wrong", accept=HTML) for client in clients]
    later.seconds = 31
    let_in = [(await waited(client, page)).body == b"wrong" for client, page in zip(clients, pages, strict=True)]
    assert let_in == [True] * 6 + [False] * 3
    other = site.client("203.0.113.77")
    page = await other.log_in(accept=HTML)
    later.seconds = 62
    assert (await waited(other, page)).status == 303


async def test_where_a_captcha_is_asked_for_nobody_waits_past_it(later: Later) -> None:
    """Where a captcha is asked for, no wait replaces it."""
    async with with_captcha() as (site, _):
        client = site.client()
        page = await client.log_in(accept=HTML)
        assert b'name="waited"' not in page.body
        later.seconds = 31
        assert (await waited(client, page)).status == 401


def test_a_page_that_came_over_http_says_so() -> None:
    """A page over plain HTTP says so: browsers keep none of our cookies there and compute nothing."""
    pages = Pages("/sekisho", "Shop")
    page = pages.work("en", form="f", work='{"parameters":{}}', nonce="n").body
    assert b"opened over http, without a secure connection" in page
    assert b"isSecureContext ? form.dataset.failed : form.dataset.insecure" in pages.script.body
