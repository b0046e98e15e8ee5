"""Refusals: when they are sent, how they read, and what they must not reveal."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from tests.asgi.driving import (
    FORM,
    HERE,
    JSON,
    OPEN,
    SESSION,
    Answer,
    Clock,
    Line,
    Shop,
    address,
    answer,
    ask,
    form,
    guarded,
    http,
    known_device,
    log_in,
    pieces,
)

if TYPE_CHECKING:
    from sekisho.asgi.types import App, Message, Receive, Scope, Send

L = 3
NEIGHBOUR = "203.0.113.77"  # in the /24 of HERE
FORWARDED = (b"x-forwarded-for", b"192.0.2.1")


async def burn(app: App, clock: Clock, account: str = "hana", *, tries: int = L, first: int = 0) -> None:
    """Use up the strangers' attempts at an account, from an address each."""
    for n in range(first, first + tries):
        await log_in(app, account, f"guess {n}", client=address(n))
        clock.advance(3)


async def flood(app: App, clock: Clock, client: str = HERE, *, tries: int = L, **more: Any) -> list[int]:
    """Guess at as many accounts, from one address."""
    statuses = []
    for n in range(tries):
        statuses.append((await log_in(app, f"owner {n}", "guess", client=client, **more)).status)
        clock.advance(3)
    return statuses


# Retry-After.


async def test_retry_after_is_never_earlier_than_the_truth(clock: Clock) -> None:
    """A client that returns at `Retry-After` has room, whichever limit refused it."""
    app = guarded(Shop(), limit_ip="4/10minute;6/day", limit_account="3/5minute", limit_network="8/minute")
    came_back = 0
    for n in range(60):
        answered = await log_in(app, f"owner {n % 4}", f"guess {n}")
        if answered.status != 429:
            clock.advance(2.5)
            continue
        waited = int(answered.header(b"retry-after") or 0)
        assert json.loads(answered.body)["retry_after"] == waited
        clock.advance(waited)
        assert (await log_in(app, f"owner {n % 4}", f"guess again {n}")).status == 401
        came_back += 1
        clock.advance(2.5)
    assert came_back >= 10


async def test_a_shed_attempt_is_told_the_same_truth(clock: Clock) -> None:
    """A worker's shed tells the same waiting time as the ledger did."""
    app = guarded(Shop(), limit_ip="1/10minute")
    await flood(app, clock, tries=2)

    clock.advance(100)
    waited = int((await log_in(app)).header(b"retry-after") or 0)

    assert 600 - 106 <= waited <= 600 - 106 + 1 + 120
    clock.advance(600 - 106)
    assert (await log_in(app)).status == 303


# Form.


@pytest.mark.parametrize(
    ("headers", "kind", "language", "text"),
    [
        ([], b"application/problem+json", b"en", "Too many attempts"),
        ([(b"accept", b"text/html,*/*;q=0.8")], b"text/html; charset=utf-8", b"en", "Too many attempts"),
        (
            [(b"accept", b"text/html"), (b"accept-language", b"ja,en;q=0.5")],
            b"text/html; charset=utf-8",
            b"ja",
            "しばらくお待ちください",
        ),
        ([(b"accept-language", b"ja-JP")], b"application/problem+json", b"ja", "しばらくお待ちください"),
    ],
)
async def test_a_refusal_is_written_for_its_reader(
    headers: list[tuple[bytes, bytes]], kind: bytes, language: bytes, text: str, clock: Clock
) -> None:
    """A refusal is a problem document for programs, a page (English or Japanese) for browsers, and never stored."""
    app = guarded(Shop(), **OPEN, limit_account=f"{L}/hour")
    await burn(app, clock)

    answered = await log_in(app, headers=headers)

    assert answered.status == 429
    assert answered.header(b"content-type") == kind
    assert answered.header(b"content-language") == language
    assert answered.header(b"cache-control") == b"no-store"
    assert text in answered.body.decode()


async def test_every_case_has_its_status_and_its_code(clock: Clock) -> None:
    """Each case has its status and its code, on which clients rely."""
    app = guarded(Shop(), limit_account="1/hour", deny="192.0.2.0/24", body_bytes_max=1024)
    await burn(app, clock, tries=1)

    cases: list[Answer] = [
        await log_in(app),
        await log_in(app, client="192.0.2.3"),
        await ask(app, http(), b"username=a"),
        await ask(app, http(), b"x" * 2_000),
        await ask(app, http(headers=[(b"content-type", b"text/plain")]), b"{}"),
    ]

    assert [(case.status, case.code) for case in cases] == [
        (429, "too_many_attempts"),
        (403, "denied"),
        (400, "unreadable_attempt"),
        (413, "unreadable_attempt"),
        (415, "unreadable_attempt"),
    ]


async def test_a_page_of_ours_may_be_read_where_single_page_apps_live(clock: Clock) -> None:
    """A refusal carries CORS headers for a configured origin alone."""
    app = guarded(Shop(), deny="192.0.2.0/24", origins="https://app.example")

    ours = await log_in(app, client="192.0.2.1", headers=[(b"origin", b"https://app.example")])
    theirs = await log_in(app, client="192.0.2.1", headers=[(b"origin", b"https://evil.example")])

    assert ours.header(b"access-control-allow-origin") == b"https://app.example"
    assert theirs.header(b"access-control-allow-origin") is None


# Secrecy.


async def story(
    account: str, clock: Clock, mode: str = "enforce"
) -> list[tuple[int, list[tuple[bytes, bytes]], bytes]]:
    """All that a stranger sees of an account: guesses below the limit and beyond it, in every form."""
    random.seed(7)
    app = guarded(Shop({"hana": "right"}), limit_account=f"{L}/5minute", limit_ip="8/hour")
    seen = []
    for n in range(L + 3):
        for headers in ([], [(b"accept", b"text/html")]):
            answered = await log_in(app, account, f"guess {n}", headers=headers)
            seen.append((answered.status, answered.headers, answered.body))
            clock.advance(3)
    return seen


@given(st.text("abcdefghijklmnopqrstuvwxyz@.", min_size=1, max_size=12).filter(lambda name: name != "hana"))
async def test_known_and_unknown_accounts_get_the_same_bytes(unknown: str) -> None:
    """Row 86: known and unknown accounts get the same status, headers and body, below and beyond the limit."""
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr("sekisho.wiring.LoginGuard._clocks", clock.clocks())
        known = await story("hana", clock)
        clock.us = Clock().us

        assert await story(unknown, clock) == known
        assert {status for status, *_ in known} == {401, 429}


# Before the body is read.


async def test_a_shed_attempt_costs_no_body(clock: Clock) -> None:
    """An address over its limit is refused before any of its body is received."""
    shop = Shop()
    app = guarded(shop, limit_ip=f"{L}/hour")
    await flood(app, clock, tries=L + 1)
    line = Line(pieces(form("hana", "right")))

    await app(http(), line.receive, line.send)

    assert (line.answer.status, line.received) == (429, 0)
    assert len(shop.reached) == L


@pytest.mark.parametrize("forged", [b"x", b"A" * 64, b".".join([b"A" * 64] * 5), "\u00e9".encode("latin-1") * 320])
@pytest.mark.parametrize("name", [b"cookie", b"sekisho-device"])
async def test_a_forged_token_earns_no_look_at_the_body(name: bytes, forged: bytes, clock: Clock) -> None:
    """A forged token does not make the guard read a body or fold an account for a refused caller."""
    app = guarded(Shop(), limit_ip=f"{L}/hour")
    genuine = (await known_device(app, client="198.51.100.7")).encode()
    # A character in the middle: the last one of base64 has unused bits.
    altered = genuine[:40] + (b"A" if genuine[40:41] != b"A" else b"B") + genuine[41:]
    await flood(app, clock, tries=L + 1)

    for token, received in ((forged, 0), (altered, 0), (genuine, 1)):
        value = b"__Host-sekisho=" + token if name == b"cookie" else token
        line = Line(pieces(form("hana", "right")))
        await app(http(headers=[FORM, (name, value)]), line.receive, line.send)
        assert line.received == received


@pytest.mark.parametrize("limit", ["limit_ip", "limit_network", "limit_device"])
async def test_what_is_over_any_limit_of_addresses_is_shed(limit: str, clock: Clock) -> None:
    """Address, network and device are shed alike, and a neighbour if the network is full."""
    limits = {**OPEN, limit: f"{L}/hour"}
    app = guarded(Shop(), **limits)
    await flood(app, clock, tries=L + 1)
    line, next_door = Line([]), Line(pieces(form("kenji", "guess")))

    await app(http(), line.receive, line.send)
    await app(http(client=NEIGHBOUR, headers=[FORM, (b"user-agent", b"x")]), next_door.receive, next_door.send)

    assert (line.answer.status, line.received) == (429, 0)
    assert next_door.answer.status == (429 if limit == "limit_network" else 401)


async def test_the_shed_forgets_when_there_is_room_again(clock: Clock) -> None:
    """The shed refuses what the ledger refused, until the time that the ledger named."""
    app = guarded(Shop(), limit_ip="1/10second")
    assert await flood(app, clock, tries=2) == [401, 429]

    clock.advance(4)

    assert (await log_in(app)).status == 303


async def test_an_accounts_limit_sheds_nobody(clock: Clock) -> None:
    """An account's limit sheds no address: the next account from there is checked as usual."""
    app = guarded(Shop(), **OPEN, limit_account=f"{L}/hour")
    await burn(app, clock)
    assert (await log_in(app)).status == 429

    assert (await log_in(app, "kenji", "guess")).status == 401


async def test_a_token_for_another_account_is_no_way_round_the_shed(clock: Clock) -> None:
    """R10: a token for another account does not pass the shed, or one stolen cookie would serve a botnet."""
    shop = Shop()
    app = guarded(shop, limit_ip=f"{L}/hour")
    stolen = await known_device(app)
    await flood(app, clock, client="198.51.100.1", tries=L + 1)
    reached = len(shop.reached)

    answered = await log_in(app, "kenji", "guess", client="198.51.100.1", token=stolen)

    assert (answered.status, len(shop.reached)) == (429, reached)


async def test_a_token_over_its_budget_is_no_way_round_the_shed(clock: Clock) -> None:
    """R10: beyond its bucket's limit a token's holder is a stranger, and shed like one."""
    shop = Shop()
    app = guarded(shop, limit_ip=f"{L}/hour", limit_lane="2/hour", limit_account="2/hour")
    stolen = await known_device(app)
    await flood(app, clock, client="198.51.100.1", tries=L + 1)

    statuses = []
    for n in range(5):
        statuses.append((await log_in(app, "hana", f"x{n}", client="198.51.100.1", token=stolen)).status)
        clock.advance(3)

    assert statuses == [401, 401, 429, 429, 429]
    assert shop.reached[-1] == ("hana", "x1")


# Address lists.


async def test_an_allowed_address_has_no_limit_of_its_own_but_accounts_still_do(clock: Clock) -> None:
    """`ALLOW`, meant for an office, lifts the limits of ip, network and device, and never the account's."""
    app = guarded(Shop(), limit_ip="1/hour", limit_account=f"{L}/hour", allow="203.0.113.9/32")

    assert await flood(app, clock, tries=9) == [401] * 9
    await burn(app, clock)
    assert (await log_in(app)).status == 429


async def test_an_allowed_address_is_not_shed_for_its_neighbours(clock: Clock) -> None:
    """An allowed address is not shed when its network is full."""
    app = guarded(Shop(), limit_network=f"{L}/hour", limit_device=f"{L}/hour", allow="203.0.113.9/32")
    assert (await flood(app, clock, client=NEIGHBOUR, tries=L + 2))[-1] == 429

    assert (await log_in(app)).status == 303


async def test_an_allowed_peer_that_forwards_for_others_is_not_exempt(clock: Clock) -> None:
    """R13: a balancer in `ALLOW` that is no trusted proxy is not exempt: limits would be off for all its clients."""
    app = guarded(Shop(), limit_ip=f"{L}/hour", allow="203.0.113.0/24")

    assert await flood(app, clock, tries=L + 2, headers=[FORWARDED]) == [401] * L + [429] * 2


async def test_a_denied_address_is_refused_before_its_body_is_read() -> None:
    """A denied address is refused before its body is read, with any token; other routes stay open."""
    shop = Shop()
    app = guarded(shop, deny="203.0.113.0/24")
    token = await known_device(app, client="198.51.100.1")
    line = Line(pieces(form("hana", "right")))

    await app(http(headers=[FORM, (b"cookie", b"__Host-sekisho=" + token.encode())]), line.receive, line.send)

    assert (line.answer.status, line.answer.code, line.received) == (403, "denied", 0)
    assert (await ask(app, http("/", method="GET", headers=[]))).body == b"welcome"


async def test_a_forwarding_header_from_a_stranger_is_said_out_loud(caplog: pytest.LogCaptureFixture) -> None:
    """Row 5: a forwarding header from an unnamed peer is logged once: all clients would share the balancer's
    address.
    """
    app = guarded(Shop(), **OPEN)
    for n in range(12):
        await log_in(app, f"owner {n}", "x", headers=[FORWARDED])

    said = [record.getMessage() for record in caplog.records if "SEKISHO_TRUSTED_PROXIES" in record.getMessage()]
    assert [text.partition("(")[2] for text in said] == ["", "seen 10 times)"]


@pytest.mark.parametrize(
    ("door", "headers", "body", "reads"),
    [
        ("form:username,password", [JSON], b'{"username": "hana", "password": "x"}', "form:username,password"),
        ("json:user.email,pin", [FORM], b"username=hana&password=x", "json:user.email,pin"),
        ("form:login|mail,pin", [FORM], b"username=hana&password=x", "form:login|mail,pin"),
        ("form:username,pin", [FORM], b"username=hana&password=x", "form:username,pin"),
    ],
)
async def test_a_door_that_does_not_find_its_fields_says_what_it_reads(
    door: str, headers: list[tuple[bytes, bytes]], body: bytes, reads: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A door written for another form refuses every owner: the log says once what it reads, and no word of a client."""
    app = guarded(Shop(), login=f"POST /login {door}", **OPEN)
    for _ in range(3):
        await ask(app, http(headers=headers), body)

    (said,) = [record.getMessage() for record in caplog.records if "[SEK084]" in record.getMessage()]
    assert said.startswith("POST /login: a request was refused: ")
    assert f" ({reads}). " in said
    assert "hana" not in said


async def test_a_guard_inside_a_session_middleware_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """A guard inside a session middleware says that it must be outermost: a flood would load sessions for free."""
    await log_in(guarded(Shop()), session={})

    assert "outermost" in caplog.text


# Where doors are.


@pytest.mark.parametrize(
    ("path", "root_path"),
    [
        ("/login", ""),
        ("/shop/login", "/shop"),
        ("/login", "/shop"),
        ("/Login/", ""),
        ("//login", ""),
        ("/shop//login/", "/shop"),
    ],
)
async def test_a_door_is_found_wherever_the_application_is_mounted(path: str, root_path: str, clock: Clock) -> None:
    """Rows 44 and 46: a door is found with the mount point in its path or without, in every spelling that routers
    accept.
    """
    app = guarded(Shop(), **OPEN, limit_account=f"{L}/hour")
    await burn(app, clock)

    assert (await log_in(app, path=path, root_path=root_path)).status == 429


async def websocket(app: App, extensions: dict[str, Any] | None = None) -> list[Message]:
    """The answer to a WebSocket at the door."""
    line = Line([{"type": "websocket.connect"}])
    scope = {**http(), "type": "websocket", "extensions": extensions or {}}
    del scope["method"]
    await app(scope, line.receive, line.send)
    return line.sent


async def accepting(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.accept"})


async def test_a_websocket_at_a_door_is_refused() -> None:
    """Row 52: a WebSocket at a door is refused: its many guesses would not be counted."""
    (closed,) = await websocket(guarded(accepting))
    start, body = await websocket(guarded(accepting), {"websocket.http.response": {}})

    assert closed["type"] == "websocket.close"
    assert (start["status"], json.loads(body["body"])["code"]) == (403, "denied")
    assert await websocket(guarded(accepting, mode="monitor")) == [{"type": "websocket.accept"}]


async def test_in_monitor_mode_an_application_gets_a_websocket_as_it_was_sent() -> None:
    """Row D3: the guard reads header names in lower case, and the application gets its own."""
    seen: list[Scope] = []

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    sent = {**http(headers=[(b"X-Kept", b"1")]), "type": "websocket"}
    await guarded(noting, mode="monitor")(sent, Line([]).receive, Line([]).send)
    assert [scope["headers"] for scope in seen] == [[(b"X-Kept", b"1")]]


# Doors of other kinds.


def basic(account: str, password: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", b"Basic " + b64encode(f"{account}:{password}".encode()))]


async def files(scope: Scope, receive: Receive, send: Send) -> None:
    headers = dict(scope["headers"])
    right = headers.get(b"authorization") == basic("hana", "right")[0][1]
    await answer(send, 200 if right else 401, [SESSION], b"a file")


async def test_basic_is_counted_on_any_route_that_the_operator_names(clock: Clock) -> None:
    """Row 48: Basic attempts count like forms on any named route; requests without a header pass; no cookie is set."""
    app = guarded(files, login="* /files/* basic success=2xx", **OPEN, limit_account=f"{L}/hour")

    async def get(headers: list[tuple[bytes, bytes]], path: str = "/files/a/b") -> Answer:
        clock.advance(3)
        return await ask(app, http(path, method="GET", headers=headers))

    assert [(await get(basic("hana", "right"))).status for _ in range(9)] == [200] * 9
    assert not (await get(basic("hana", "right"))).device
    assert [(await get(basic("HANA", f"{n}"))).status for n in range(L + 1)] == [401] * L + [429]
    assert (await get([])).status == 401
    assert (await get(basic("hana", "right"), "/elsewhere")).status == 200
    assert (await get([(b"authorization", b"Basic !!")])).status == 400


async def test_latin_1_counts_with_the_same_account_in_a_form(clock: Clock) -> None:
    """Row 4.13: a Latin-1 header counts with the same account's forms, at one counter."""
    login = "POST /login; * /files/* basic:latin-1 success=2xx"
    app = guarded(files, login=login, **OPEN, limit_account=f"{L}/hour")

    async def get(raw: bytes) -> Answer:
        clock.advance(3)
        headers = [(b"authorization", b"Basic " + b64encode(raw))]
        return await ask(app, http("/files/a", method="GET", headers=headers))

    guesses = [(await get(b"m\xfcller:%d" % number)).status for number in range(L)]
    form = http("/login", headers=[(b"content-type", b"application/x-www-form-urlencoded")])
    same_in_a_form = await ask(app, form, b"username=m%C3%BCller&password=x")

    assert (guesses, same_in_a_form.status) == ([401] * L, 429)
    assert (await get("müller:x".encode())).status == 400
    assert (await get(b"m\x01:x")).status == 400


async def test_a_client_that_sends_latin_1_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Row 4.13: a Latin-1 client is logged once, with the line to write; a form that is no UTF-8 is not."""
    app = guarded(files, login="POST /login; * /files/* basic success=2xx", **OPEN)
    latin = (b"authorization", b"Basic " + b64encode(b"m\xfcller:geheim"))
    statuses = [(await ask(app, http("/files/a", method="GET", headers=[latin]))).status for _ in range(3)]
    form = http("/login", headers=[(b"content-type", b"application/x-www-form-urlencoded"), latin])
    statuses.append((await ask(app, form, b"username=m%FCller&password=x")).status)
    (said,) = [one.getMessage() for one in caplog.records if "no UTF-8" in one.getMessage()]

    assert statuses == [400] * 4
    assert said == (
        "* /files/*: a client's Basic credentials are no UTF-8, and it is refused; if the application reads Latin-1 "
        "there, write basic:latin-1 for basic in SEKISHO_LOGIN, or basic:utf-8|latin-1 if it does so where UTF-8 "
        "fails"
    )


async def test_a_grant_without_a_password_passes_and_one_with_it_is_counted(clock: Clock) -> None:
    """Row 47: a refresh grant is no guess; a password grant is, at the form's counter."""
    app = guarded(Shop(), login="POST /login; POST /oauth/login oauth2", **OPEN, limit_account=f"{L}/hour")
    await burn(app, clock)
    refresh = b"grant_type=refresh_token&refresh_token=r"
    grant = b"grant_type=password&" + form("hana", "right")

    assert (await ask(app, http("/oauth/login"), refresh)).status == 401
    assert (await ask(app, http("/oauth/login"), grant)).status == 429


async def test_a_door_without_an_account_counts_the_address(clock: Clock) -> None:
    """Row 50: a door without an account counts its guesses by address."""
    app = guarded(Shop(), code="POST /code form:,code", limit_ip=f"{L}/hour")
    statuses = []
    for n in range(L + 1):
        statuses.append((await ask(app, http("/code"), b"code=%06d" % n)).status)
        clock.advance(3)

    assert statuses == [200] * L + [429]


def behind_uvicorn(trusted: str | list[str]) -> App:
    """A guard behind uvicorn's handling of forwarding headers from these peers."""
    app: Any = guarded(Shop(), **OPEN)
    rewriting: Any = ProxyHeadersMiddleware(app, trusted)
    return cast("App", rewriting)


@pytest.mark.parametrize("trusted", ["*", "127.0.0.1"])
async def test_a_server_that_rewrites_the_peer_is_told_so(trusted: str, caplog: pytest.LogCaptureFixture) -> None:
    """The log names each server's option if the server rewrites the peer: a client could choose its address."""
    app = behind_uvicorn(trusted)
    for n in range(3):
        await log_in(app, client="127.0.0.1", headers=[(b"x-forwarded-for", f"6.6.6.{n}".encode())])

    [said] = [record.message for record in caplog.records if "X-Forwarded-For" in record.message]
    assert "in the place of the peer's" in said
    for start in ("uvicorn --no-proxy-headers", "fastapi run --no-proxy-headers", "gunicorn --forwarded-allow-ips="):
        assert f"`{start}`" in said
    assert "share one address" not in caplog.text


async def test_a_client_on_the_proxys_machine_is_no_rewritten_peer(caplog: pytest.LogCaptureFixture) -> None:
    """A health check there shares the unnamed proxy's address: the log names the proxy, not an option of the server."""
    app = guarded(Shop(), **OPEN)
    await log_in(app, client="127.0.0.1", headers=[(b"x-forwarded-for", b"127.0.0.1")])

    assert "share one address" in caplog.text
    assert "in the place of the peer's" not in caplog.text


async def test_a_server_that_keeps_the_peer_is_not_blamed(caplog: pytest.LogCaptureFixture) -> None:
    """With an empty list, as in gunicorn's uvicorn worker, the unnamed proxy is reported instead."""
    app = behind_uvicorn([])
    await log_in(app, client="127.0.0.1", headers=[(b"x-forwarded-for", b"6.6.6.6")])

    assert "share one address" in caplog.text
    assert "in the place of the peer's" not in caplog.text
