"""Only a proven success refunds a charge; an attempt that fails, raises or is cancelled stays charged."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.ledger.in_flight import InFlight
from sekisho.passwords import PasswordsBusy
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
    log_in,
    pieces,
    read,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.asgi.types import App, Message, Receive, Scope, Send

    Headers = list[tuple[bytes, bytes]]

L = 3
TIGHT: dict[str, Any] = {**OPEN, "limit_account": f"{L}/hour"}
GUESSED = {"login": "POST /login"}
RIGHT = form("hana", "right")


def replying(status: int, headers: Headers | None = None, body: bytes = b"") -> App:
    """An application that answers every request the same."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read(receive)
        await answer(send, status, headers or [], body)

    return app


def at_first(app: App) -> App:
    """`app` answers the first attempt; all others are wrong, as two right passwords would be suspicious."""
    waiting = [app]

    async def one_after_the_other(scope: Scope, receive: Receive, send: Send) -> None:
        await (waiting.pop() if waiting else replying(401))(scope, receive, send)

    return one_after_the_other


async def admitted(app: App, clock: Clock, *, tries: int = L + 2) -> int:
    """How many attempts at one account pass before a 429: the limit, if none is refunded.

    Each has its own password: an identical repeat is free on the account.
    """
    passed = 0
    for n in range(tries):
        passed += (await log_in(app, password=f"guess {n}")).status != 429
        clock.advance(3)  # beyond the limit, a refusal no longer waits for log-ins under way
    return passed


R5: list[tuple[str, int, Headers, bytes]] = [
    ("false", 200, [JSON], b'{"ok": false}'),
    ("false with a token", 200, [JSON], b'{"success": false, "token": "t"}'),
    ("a second factor asked for", 200, [JSON, SESSION], b'{"mfa_required": true}'),
    ("a token for the second factor", 200, [JSON], b'{"status": "mfa_required", "token": "t"}'),
    ("an error beside a token", 200, [JSON], b'{"error": "bad credentials", "token": "x"}'),
    ("the form again", 200, [(b"content-type", b"text/html"), SESSION], b"<form>"),
    ("back to the door", 302, [(b"location", b"/login?failed=1"), SESSION], b""),
    ("to an error page", 302, [(b"location", b"/error"), SESSION], b""),
    ("to the second factor", 303, [(b"location", b"/otp"), SESSION], b""),
    ("away without a session", 302, [(b"location", b"/home")], b""),
    ("a session on a 401", 401, [SESSION], b""),
    ("an error of its own", 500, [SESSION], b""),
    ("no JSON at all", 200, [JSON], b"{"),
]


@pytest.mark.parametrize(("status", "headers", "body"), [case[1:] for case in R5], ids=[case[0] for case in R5])
async def test_an_answer_that_may_mean_no_is_no_success(
    status: int, headers: Headers, body: bytes, clock: Clock
) -> None:
    """R5, row 65: an ambiguous answer reaches the client unchanged, issues no token, and its charge stays."""
    app = guarded(at_first(replying(status, headers, body)), **GUESSED, **TIGHT)

    answered = await log_in(app)
    clock.advance(3)

    assert (answered.status, answered.headers, answered.body) == (status, headers, body)
    assert await admitted(app, clock) == L - 1


YES: list[tuple[str, int, Headers, bytes]] = [
    ("away with a session", 303, [(b"location", b"/home"), SESSION], b""),
    ("a token", 200, [JSON], b'{"access_token": "t", "token_type": "bearer"}'),
    ("JSON and a session", 200, [JSON, SESSION], b'{"name": "Hana"}'),
]


@pytest.mark.parametrize(("status", "headers", "body"), [case[1:] for case in YES], ids=[case[0] for case in YES])
async def test_a_guessed_success_is_given_back_and_makes_no_device_known(
    status: int, headers: Headers, body: bytes, clock: Clock
) -> None:
    """A guessed success is refunded and makes no device known: if the guess were wrong, wrong passwords would earn
    tokens.
    """
    app = guarded(at_first(replying(status, headers, body)), **GUESSED, **TIGHT)

    answered = await log_in(app)
    clock.advance(3)

    assert (answered.status, answered.headers, answered.body) == (status, headers, body)
    assert await admitted(app, clock) == L


async def test_guessed_successes_are_given_back_one_burst_an_hour(clock: Clock) -> None:
    """Guessed successes are refunded one burst an hour; after that their charges stand until the limits have room."""
    app = guarded(replying(*YES[0][1:]), **GUESSED, **TIGHT)

    assert await admitted(app, clock, tries=8) == 2 * L


async def test_json_in_pieces_is_held_until_it_decides(clock: Clock) -> None:
    """A JSON success proved by its last byte still gets a token; its pieces are sent as they were made."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read(receive)
        await send({"type": "http.response.start", "status": 200, "headers": [JSON]})
        for piece in (b'{"access_', b'token": "t"', b"}"):
            await send({"type": "http.response.body", "body": piece, "more_body": piece != b"}"})

    answered = await log_in(guarded(app, login="POST /login success=json:access_token", **TIGHT))

    assert answered.device
    assert [m["body"] for m in answered.messages[1:]] == [b'{"access_', b'token": "t"', b"}"]


@pytest.mark.parametrize(
    "rule", ["200", "2xx", "json:data.user.id", "cookie:sid"], ids=["status", "class", "field", "cookie"]
)
async def test_a_rule_decides_alone(rule: str, clock: Clock) -> None:
    """An operator's success rule decides alone, even for doubtful answers."""
    body = json.dumps({"error": None, "data": {"user": {"id": 7}}, "mfa": "off"}).encode()
    said = replying(200, [JSON, (b"set-cookie", b"sid=1")], body)
    app = guarded(at_first(said), login=f"POST /login success={rule}", **TIGHT)

    answered = await log_in(app)
    clock.advance(3)

    assert answered.device
    assert await admitted(app, clock) == L


def reporting(success: bool, status: int, headers: Headers, *, late: bool = False) -> App:
    """An application that reports the result of the attempt, before or after its answer started."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read(receive)
        if not late:
            scope["state"]["sekisho"].report(success=success, account="id-7")
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if late:
            scope["state"]["sekisho"].report(success=success)
        await send({"type": "http.response.body", "body": b""})

    return app


@pytest.mark.parametrize("late", [False, True])
async def test_what_the_application_reports_overrules_what_its_answer_looks_like(clock: Clock, late: bool) -> None:
    """The application's report overrules its answer: a 401 may be a success, a redirect with a session a failure."""
    no = guarded(at_first(reporting(False, 303, [(b"location", b"/home"), SESSION], late=late)), **TIGHT)
    yes = guarded(at_first(reporting(True, 401, [], late=late)), **TIGHT)
    for app in (no, yes):
        await log_in(app)
        clock.advance(3)

    assert await admitted(no, clock) == L - 1
    assert await admitted(yes, clock) == L


async def test_a_report_of_success_hands_out_a_token_and_one_of_failure_does_not() -> None:
    """A reported success issues a token, a reported failure does not."""
    no = guarded(reporting(False, 303, [(b"location", b"/home"), SESSION]))
    yes = guarded(reporting(True, 200, []))

    assert not (await log_in(no)).device
    assert (await log_in(yes)).device


@pytest.mark.parametrize(
    ("basis", "app", "rule"),
    [
        ("guess", replying(303, [(b"location", b"/home"), SESSION]), ""),
        ("rule", replying(303, [(b"location", b"/home"), SESSION]), " success=303:/home"),
        ("report", reporting(True, 401, []), " success=303:/home"),
    ],
)
async def test_successes_are_counted_by_what_they_rest_on(basis: str, app: App, rule: str) -> None:
    """Successes are counted by their evidence, so an operator sees which doors still guess."""
    guard = guarded(app, login="POST /login" + rule, **TIGHT)

    await log_in(guard)

    assert {key: n for key, n in guard.counts.items() if key[1] == "success_by"} == {
        ("POST /login", "success_by", basis): 1
    }


async def test_the_application_finds_the_attempt_and_the_decision() -> None:
    """`scope["state"]["sekisho"]` holds attempt and decision, beside what other middleware keeps there."""
    found: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(scope["state"])
        await answer(send, 401)

    await log_in(guarded(app), "Hana", "pw", state={"db": 1})

    (state,) = found
    report = state["sekisho"]
    assert state["db"] == 1
    assert (report.attempt.account, report.attempt.canonical) == ("Hana", "hana")
    assert report.attempt.origin.address == HERE
    assert report.attempt.door is report.door
    assert report.door.name == "POST /login"
    assert report.decision.passes


# Attempts that fail on the way.


async def raises(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("no database")


async def raises_after_a_proof(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 303, "headers": [(b"location", b"/home"), SESSION]})
    raise RuntimeError("no disk")


async def raises_in_its_json(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [JSON]})
    await send({"type": "http.response.body", "body": b'{"access_token": "t"}', "more_body": True})
    raise RuntimeError("no luck")


async def reports_and_raises(scope: Scope, receive: Receive, send: Send) -> None:
    scope["state"]["sekisho"].report(success=True)
    raise RuntimeError("no session store")


DYING = [raises, raises_after_a_proof, raises_in_its_json, reports_and_raises]


@pytest.mark.parametrize("app", DYING)
async def test_an_application_that_raises_leaves_the_charge_standing(app: App, clock: Clock) -> None:
    """Rows 63 and 64: an application that raises stays charged, however its answer began; the server handles its
    error.
    """
    app = guarded(app, **TIGHT)

    for n in range(L):
        with pytest.raises(RuntimeError):
            await log_in(app, password=f"guess {n}")
        clock.advance(3)

    assert (await log_in(app)).status == 429


async def test_an_answer_without_an_end_is_no_success(clock: Clock) -> None:
    """An answer without an end proves nothing; its parts are sent."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [JSON]})
        await send({"type": "http.response.body", "body": b'{"access_token": "t"}', "more_body": True})

    app = guarded(app, **TIGHT)
    answered = await log_in(app)

    assert (answered.body, answered.device) == (b'{"access_token": "t"}', "")
    assert await admitted(app, clock) == L - 1


async def test_a_promising_start_without_a_body_is_no_success(clock: Clock) -> None:
    """A start without a body is no success: servers replace it by an error of their own."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"location", b"/home"), SESSION]
        await send({"type": "http.response.start", "status": 303, "headers": headers})

    assert await admitted(guarded(app, **TIGHT), clock) == L


async def test_an_error_in_the_trailer_is_no_success(clock: Clock) -> None:
    """Row 64: a status 200 with an error in its trailers is no success."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [JSON], "trailers": True})
        await send({"type": "http.response.body", "body": b'{"token": "t", ', "more_body": True})
        await send({"type": "http.response.body", "body": b'"error": "session store is full"}'})
        await send({"type": "http.response.trailers", "headers": [], "more_trailers": False})

    app = guarded(app, **TIGHT)
    answered = await log_in(app)

    assert answered.messages[-1]["type"] == "http.response.trailers"
    assert not answered.device
    assert await admitted(app, clock) == L - 1


@pytest.mark.parametrize("kind", ["http.response.early_hint", "http.response.push", "http.response.debug"])
async def test_what_comes_before_an_answer_does_not_end_it(kind: str, clock: Clock) -> None:
    """Hints and pushes are sent at once, and the answer after them is still judged."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read(receive)
        await send({"type": kind})
        await answer(send, 303, [(b"location", b"/home"), SESSION])

    app = guarded(at_first(app), **TIGHT)

    assert (await log_in(app)).messages[0]["type"] == kind
    clock.advance(3)
    assert await admitted(app, clock) == L


async def test_an_answer_sent_as_a_file_ends_it(clock: Clock) -> None:
    """`http.response.pathsend` stands for the whole body: what the headers proved counts."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read(receive)
        headers = [(b"location", b"/home"), SESSION]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.pathsend", "path": "/srv/welcome.html"})

    guard = guarded(at_first(app), **TIGHT)

    assert (await log_in(guard)).device
    clock.advance(3)
    assert await admitted(guard, clock) == L


@pytest.mark.parametrize(
    "said",
    [
        [],
        [{"type": "http.response.start", "status": 401, "headers": []}],
        [{"type": "http.response.start", "status": 200, "headers": [JSON]}],
        [
            {"type": "http.response.start", "status": 303, "headers": [(b"location", b"/home"), SESSION]},
            {"type": "http.response.body", "body": b"half of", "more_body": True},
        ],
    ],
    ids=["nothing", "a start", "a start that is held", "a success without an end"],
)
async def test_an_answer_without_an_end_is_no_success_and_nothing_is_under_way(
    said: list[Message], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer without an end is settled: left under way, each would keep two keys and delay later attempts."""
    room = InFlight()
    monkeypatch.setattr("sekisho.wiring.event_loop.InFlight", lambda: room)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read(receive)
        for message in said:
            await send(dict(message))

    app = guarded(app, **TIGHT)
    for n in range(L):
        await app(http(), Line(pieces(form("hana", f"guess {n}"))).receive, Line([]).send)
        clock.advance(3)

    assert room._under_way == {}
    assert (await log_in(app)).status == 429


async def test_a_cancelled_attempt_leaves_the_charge_standing(clock: Clock) -> None:
    """Row 63: a cancelled attempt stays charged."""
    shop = Shop(gate=asyncio.Event())
    app = guarded(shop, **TIGHT)
    for n in range(L):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await log_in(app, password=f"guess {n}")
        clock.advance(3)

    assert (await log_in(app)).status == 429


async def test_a_client_that_hangs_up_before_the_answer_has_been_counted(clock: Clock) -> None:
    """Row 62: a client that disconnects before the verdict stays charged."""
    app = guarded(Shop(), **TIGHT)

    async def gone(_: object) -> None:
        raise OSError("the client is gone")

    for n in range(L):
        with pytest.raises(OSError, match="gone"):
            await app(http(), Line(pieces(form("hana", f"guess {n}"))).receive, gone)
        clock.advance(3)

    assert (await log_in(app, client=address(1))).status == 429


# Which charges a success refunds.


async def test_ones_own_log_in_does_not_clear_the_address(clock: Clock) -> None:
    """Row 67: an attacker's own log-in between guesses refunds its own attempt alone."""
    app = guarded(Shop(), limit_ip="4/hour", limit_account="100/hour")

    statuses = []
    for account, password in [("a", "x"), ("b", "x"), ("hana", "right"), ("c", "x"), ("hana", "right"), ("d", "x")]:
        statuses.append((await log_in(app, account, password)).status)
        clock.advance(3)

    assert statuses == [401, 401, 303, 401, 303, 401]
    assert (await log_in(app, "e", "x")).status == 429


async def test_a_log_in_gives_back_to_the_address_what_was_mistyped_before_it(clock: Clock) -> None:
    """A house has five attempts an hour. Of three wrong passwords the two from the owner's browser are given back."""
    app = guarded(Shop(), limit_ip="5/hour", limit_account="100/hour")
    browser, other = [(b"user-agent", b"Mozilla/5.0 Firefox/128.0")], [(b"user-agent", b"curl/8.5.0")]
    for password, headers in (("typo 1", browser), ("typo 2", browser), ("typo 3", other)):
        assert (await log_in(app, "hana", password, headers=headers)).status == 401
    assert (await log_in(app, "hana", "right", headers=browser)).status == 303

    statuses = [(await log_in(app, f"neighbour {n}", "typo")).status for n in range(5)]
    assert statuses == [401, 401, 401, 401, 429]


async def test_the_owners_log_in_does_not_clear_the_attackers_count(clock: Clock) -> None:
    """Row 68: the owner's log-in does not clear the attacker's count."""
    app = guarded(Shop(), **TIGHT)

    async def guess(n: int) -> int:
        clock.advance(3)
        return (await log_in(app, "hana", f"guess {n}", client=address(n))).status

    before = [await guess(n) for n in range(L - 1)]
    owner = await log_in(app, client="198.51.100.1")
    after = [await guess(n) for n in range(L - 1, L + 2)]

    assert (before, owner.status, after) == ([401, 401], 303, [401, 429, 429])


async def test_a_burned_account_is_still_open_to_its_own_device(clock: Clock) -> None:
    """Row 73: strangers from a thousand addresses use up the strangers' attempts; the owner's device is unaffected."""
    app = guarded(Shop(), **TIGHT)
    token = (await log_in(app)).device
    for n in range(30):
        clock.advance(3)
        await log_in(app, "hana", f"guess {n}", client=address(n))

    stranger = await log_in(app, client="198.51.100.1")
    clock.advance(3)
    owner = await log_in(app, client=address(7), token=token)

    assert (stranger.status, owner.status) == (429, 303)
    assert (await log_in(app, client=HERE, token=owner.device)).status == 303


async def test_a_flooded_address_is_still_open_to_a_known_device(clock: Clock) -> None:
    """Row 74: a known device behind a carrier's address that an attacker floods keeps its bucket."""
    app = guarded(Shop(), limit_ip="2/hour", limit_network="3/hour", limit_device="3/hour")
    token = (await log_in(app)).device
    for n in range(5):
        clock.advance(3)
        await log_in(app, f"someone{n}", "guess")

    assert (await log_in(app, "kenji", "guess")).status == 429
    assert (await log_in(app, token=token)).status == 303


async def test_a_flood_from_one_address_leaves_others_alone(clock: Clock) -> None:
    """Row 74: a flood from one address leaves others alone: no bucket is shared by all."""
    app = guarded(Shop(), limit_ip="2/hour")
    for n in range(10):
        await log_in(app, f"someone{n}", "guess")
        clock.advance(3)

    assert (await log_in(app, client=address(1))).status == 303


# Parallel attempts.


async def in_parallel(count: int, attempt: Callable[[int], Awaitable[Answer]]) -> list[int]:
    return [each.status for each in await asyncio.gather(*(attempt(n) for n in range(count)))]


async def test_of_200_parallel_guesses_no_more_than_the_limit_reach_the_application() -> None:
    """Rows 58 and 77, R9: of 200 parallel guesses from as many networks, slowly checked, the limit's number passes."""
    gate = asyncio.Event()
    shop = Shop(gate=gate)
    app = guarded(shop, limit_account="5/5minute")
    asyncio.get_running_loop().call_later(0.2, gate.set)

    statuses = await in_parallel(200, lambda n: log_in(app, "hana", f"guess {n}", client=address(n)))

    assert len(shop.reached) == 5
    assert sorted(statuses) == [401] * 5 + [429] * 195


async def test_ten_parallel_log_ins_with_the_right_password_all_pass() -> None:
    """Row 61: ten parallel log-ins with the right password pass a limit of five: restored tabs are no attack."""
    gate = asyncio.Event()
    shop = Shop(gate=gate)
    app = guarded(shop, limit_account="5/5minute")
    asyncio.get_running_loop().call_later(0.05, gate.set)

    assert await in_parallel(10, lambda _: log_in(app)) == [303] * 10
    assert len(shop.reached) == 10


async def test_an_untaken_ask_costs_nothing_and_a_waiting_client_may_leave(clock: Clock) -> None:
    """A waiting client that disconnects takes no place: the next one waits in it."""
    gate = asyncio.Event()
    app = guarded(Shop(gate=gate), limit_account="1/hour", **OPEN)
    first = asyncio.ensure_future(log_in(app))
    await asyncio.sleep(0)
    leaving = asyncio.ensure_future(log_in(app, client=address(1)))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    staying = asyncio.ensure_future(log_in(app, client=address(2)))
    await asyncio.sleep(0)

    gate.set()

    assert [(await each).status for each in (first, staying)] == [303, 303]


async def test_the_same_account_at_two_doors_has_one_count(clock: Clock) -> None:
    """Rows 41 and 49: form and JSON, log-in and change add up in one count per account."""
    login = "POST /login; POST /api/token json:user.email,password"
    app = guarded(replying(401), login=login, change="POST /change json:email,password", **TIGHT)
    as_json = json.dumps({"user": {"email": "HANA"}, "password": "x"}).encode()
    again = json.dumps({"email": "hana", "password": "z"}).encode()

    statuses = []
    for path, kind, body in [
        ("/login", FORM, RIGHT),
        ("/api/token", JSON, as_json),
        ("/change", JSON, again),
        ("/login", JSON, b'{"email": "hana ", "password": "y"}'),
    ]:
        statuses.append((await ask(app, http(path, headers=[kind]), body)).status)
        clock.advance(3)

    assert statuses == [401, 401, 401, 429]


@pytest.mark.parametrize("begun", [False, True])
async def test_a_service_that_checks_too_many_passwords_is_unavailable(clock: Clock, begun: bool) -> None:
    """Too many password checks at once are answered for the handlers, unless the answer has begun; the charge
    stands.
    """

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise PasswordsBusy(7)

    app = guarded(busy, **{**OPEN, "limit_account": "1/hour"})
    if begun:
        with pytest.raises(PasswordsBusy):
            await log_in(app)
    else:
        answered = await log_in(app)
        assert (answered.status, answered.code) == (503, "unavailable")
        assert 7 <= int(answered.header(b"retry-after") or 0) <= 9
    clock.advance(3)
    assert (await log_in(app)).status == 429


class HeadersOnce(Shop):
    """Sends headers that can be read once, as Sanic does; ASGI allows any iterable."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_once(message: Message) -> None:
            once = {"headers": iter(message["headers"])} if "headers" in message else {}
            await send({**message, **once})

        await super().__call__(scope, receive, send_once)


@pytest.mark.parametrize("door", ["POST /login", "POST /login success=303:/home", "POST /login success=cookie:session"])
async def test_headers_that_can_be_read_once_reach_the_client(door: str) -> None:
    """Row A14: a log-in is recognised, and its session reaches the browser, however its headers are made."""
    guard = guarded(HeadersOnce(), login=door)
    plain = await log_in(guarded(Shop(), login=door))
    found = await log_in(guard)
    assert (found.status, found.header(b"location")) == (303, plain.header(b"location"))
    assert found.all(b"set-cookie")[0] == plain.all(b"set-cookie")[0]
    assert bool(found.device) is bool(plain.device) is ("success" in door)
    assert (await log_in(guard, password="wrong")).headers == (await log_in(guarded(Shop()), password="wrong")).headers


async def test_headers_that_can_be_read_once_pass_at_other_routes() -> None:
    """Row A14: so do those of a route that is looked at for a session that nobody named."""
    guard = guarded(HeadersOnce({"hana": ""}), login="POST /signin")
    found = await ask(guard, http(), b"username=hana")
    assert found.all(b"set-cookie") == [SESSION[1]]


@pytest.mark.parametrize(("status", "place"), [(303, b"/home"), (401, b"/login")])
async def test_headers_may_be_lists(status: int, place: bytes) -> None:
    """Requests and answers may have their headers in lists (Mangum, ASGI applications without a framework).

    Compiled, a typed pair is a tuple and nothing else: without care each right password would end in an error.
    """
    sent: Any = [[b"Host", b"shop.test"], list(FORM)]
    answered: Any = [[b"location", place], [b"content-length", b"0"]]

    found = await ask(guarded(replying(status, answered)), http(headers=sent), RIGHT)

    assert (found.status, found.header(b"location")) == (status, place)
    assert bool(found.device) is (status == 303)


@pytest.mark.parametrize("method", ["OPTIONS", "DELETE", "GET"])
async def test_another_method_of_the_path_lets_no_device_in(
    method: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Row A15: it answers 204 to any password; it is charged, and neither a success nor a route that is missing."""
    sent = [FORM, (b"content-length", b"31")]
    app = guarded(replying(204, [SESSION]), login="POST /login success=2xx", **TIGHT)
    for n in range(L):
        answered = await ask(app, http(method=method, headers=sent), form("hana", f"guess {n}"))
        assert (answered.status, answered.headers) == (204, [SESSION])
        clock.advance(3)
    assert (await ask(app, http(method=method, headers=sent), form("hana", "guess"))).status == 429

    missing = guarded(replying(405), login="POST /login success=2xx", **TIGHT)
    await ask(missing, http(method=method, headers=sent), form("hana", "guess"))
    assert "SEK070" not in caplog.text
    await log_in(missing, password="guess")
    assert "SEK070" in caplog.text
