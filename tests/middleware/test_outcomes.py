"""What becomes of a charge: only a proven success gives it back, and everything that dies leaves it standing."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.observe.limiter.waiting import WaitingRoom
from sekisho.passwords import PasswordsBusy
from tests.middleware.driving import (
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

    from sekisho.middleware.asgi import App, Message, Receive, Scope, Send

    Headers = list[tuple[bytes, bytes]]

L = 3
TIGHT: dict[str, Any] = {**OPEN, "limit_account": f"{L}/hour"}
GUESSED = {"login": "POST /login"}
RIGHT = form("hana", "right")


def replying(status: int, headers: Headers | None = None, body: bytes = b"") -> App:
    """An application that answers everybody the same."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read(receive)
        await answer(send, status, headers or [], body)

    return app


def at_first(app: App) -> App:
    """The first attempt is answered by `app`, all others are wrong: two right passwords would be a suspicion."""
    waiting = [app]

    async def one_after_the_other(scope: Scope, receive: Receive, send: Send) -> None:
        await (waiting.pop() if waiting else replying(401))(scope, receive, send)

    return one_after_the_other


async def admitted(app: App, clock: Clock, *, tries: int = L + 2) -> int:
    """How many of some attempts on one account pass before the guard says 429: L of them, where none is given back.

    Each with a password of its own: an identical repeat is free on the account.
    """
    passed = 0
    for n in range(tries):
        passed += (await log_in(app, password=f"guess {n}")).status != 429
        clock.advance(3)  # beyond it, a refusal no longer waits for log-ins under way
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
    """R5, row 65: it reaches the client as it is, gives no token, and its charge stays."""
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
    """What the application said arrives unchanged. Were the guess wrong, every wrong password would earn a token."""
    app = guarded(at_first(replying(status, headers, body)), **GUESSED, **TIGHT)

    answered = await log_in(app)
    clock.advance(3)

    assert (answered.status, answered.headers, answered.body) == (status, headers, body)
    assert await admitted(app, clock) == L


async def test_guessed_successes_are_given_back_one_burst_an_hour(clock: Clock) -> None:
    """Then their charges stand, whoever made them, until the limits themselves have room again."""
    app = guarded(replying(*YES[0][1:]), **GUESSED, **TIGHT)

    assert await admitted(app, clock, tries=8) == 2 * L


async def test_json_in_pieces_is_held_until_it_decides(clock: Clock) -> None:
    """A success that only the last byte proves still leaves with its token, and piece by piece as it was made."""

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
    """What the operator wrote down is success, however doubtful it looks otherwise."""
    body = json.dumps({"error": None, "data": {"user": {"id": 7}}, "mfa": "off"}).encode()
    said = replying(200, [JSON, (b"set-cookie", b"sid=1")], body)
    app = guarded(at_first(said), login=f"POST /login success={rule}", **TIGHT)

    answered = await log_in(app)
    clock.advance(3)

    assert answered.device
    assert await admitted(app, clock) == L


def reporting(success: bool, status: int, headers: Headers, *, late: bool = False) -> App:
    """An application that says itself what became of the attempt, before or after its answer has begun."""

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
    """It alone knows: a 401 may be a success, and a redirect with a session may be none."""
    no = guarded(at_first(reporting(False, 303, [(b"location", b"/home"), SESSION], late=late)), **TIGHT)
    yes = guarded(at_first(reporting(True, 401, [], late=late)), **TIGHT)
    for app in (no, yes):
        await log_in(app)
        clock.advance(3)

    assert await admitted(no, clock) == L - 1
    assert await admitted(yes, clock) == L


async def test_a_report_of_success_hands_out_a_token_and_one_of_failure_does_not() -> None:
    """Trust follows what the application said."""
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
    """An operator sees which doors still guess."""
    guard = guarded(app, login="POST /login" + rule, **TIGHT)

    await log_in(guard)

    assert guard._parts is not None
    assert {key: n for key, n in guard._parts.events.counts.items() if key[1] == "success_by"} == {
        ("POST /login", "success_by", basis): 1
    }


async def test_the_application_finds_the_attempt_and_the_decision() -> None:
    """`scope["state"]["sekisho"]` says what was read and what was found out, beside what others keep there."""
    found: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(scope["state"])
        await answer(send, 401)

    await log_in(guarded(app), "Hana", "pw", state={"db": 1})

    (state,) = found
    report = state["sekisho"]
    assert state["db"] == 1
    assert (report.attempt.account, report.attempt.canonical, report.attempt.secret) == ("Hana", "hana", "pw")
    assert report.attempt.origin.address == HERE
    assert report.decision.passes


# What dies on the way.


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
    """Rows 63 and 64: its error is its server's to handle, and whatever its answer began with, it is no proof."""
    app = guarded(app, **TIGHT)

    for n in range(L):
        with pytest.raises(RuntimeError):
            await log_in(app, password=f"guess {n}")
        clock.advance(3)

    assert (await log_in(app)).status == 429


async def test_an_answer_without_an_end_is_no_success(clock: Clock) -> None:
    """An application that returns in the middle has proved nothing; what it said until there is sent."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [JSON]})
        await send({"type": "http.response.body", "body": b'{"access_token": "t"}', "more_body": True})

    app = guarded(app, **TIGHT)
    answered = await log_in(app)

    assert (answered.body, answered.device) == (b'{"access_token": "t"}', "")
    assert await admitted(app, clock) == L - 1


async def test_a_promising_start_without_a_body_is_no_success(clock: Clock) -> None:
    """Servers answer a handler that returned too early with an error of their own: nobody was let in."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"location", b"/home"), SESSION]
        await send({"type": "http.response.start", "status": 303, "headers": headers})

    assert await admitted(guarded(app, **TIGHT), clock) == L


async def test_an_error_in_the_trailer_is_no_success(clock: Clock) -> None:
    """Row 64: 200, and then words to the contrary."""

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
    """Hints and pushes leave at once, and the answer behind them still tells its outcome."""

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
    """Left under way for ever, each such attempt would keep two keys in memory, and all later ones waiting for it."""
    room = WaitingRoom()
    monkeypatch.setattr("sekisho.assemble.WaitingRoom", lambda: room)

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
    """Row 63: a server that gives up on a slow handler has not seen a success."""
    shop = Shop(gate=asyncio.Event())
    app = guarded(shop, **TIGHT)
    for n in range(L):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await log_in(app, password=f"guess {n}")
        clock.advance(3)

    assert (await log_in(app)).status == 429


async def test_a_client_that_hangs_up_before_the_answer_has_been_counted(clock: Clock) -> None:
    """Row 62: whoever does not wait for the verdict pays for it all the same."""
    app = guarded(Shop(), **TIGHT)

    async def gone(_: object) -> None:
        raise OSError("the client is gone")

    for n in range(L):
        with pytest.raises(OSError, match="gone"):
            await app(http(), Line(pieces(form("hana", f"guess {n}"))).receive, gone)
        clock.advance(3)

    assert (await log_in(app, client=address(1))).status == 429


# What a success gives back, and what it does not.


async def test_ones_own_log_in_does_not_clear_the_address(clock: Clock) -> None:
    """Row 67: guesses at others, one's own password, and again: only the own attempt is given back."""
    app = guarded(Shop(), limit_ip="4/hour", limit_account="100/hour")

    statuses = []
    for account, password in [("a", "x"), ("b", "x"), ("hana", "right"), ("c", "x"), ("hana", "right"), ("d", "x")]:
        statuses.append((await log_in(app, account, password)).status)
        clock.advance(3)

    assert statuses == [401, 401, 303, 401, 303, 401]
    assert (await log_in(app, "e", "x")).status == 429


async def test_the_owners_log_in_does_not_clear_the_attackers_count(clock: Clock) -> None:
    """Row 68: what was guessed stays guessed, whoever else gets in meanwhile."""
    app = guarded(Shop(), **TIGHT)

    async def guess(n: int) -> int:
        clock.advance(3)
        return (await log_in(app, "hana", f"guess {n}", client=address(n))).status

    before = [await guess(n) for n in range(L - 1)]
    owner = await log_in(app, client="198.51.100.1")
    after = [await guess(n) for n in range(L - 1, L + 2)]

    assert (before, owner.status, after) == ([401, 401], 303, [401, 429, 429])


async def test_a_burned_account_is_still_open_to_its_own_device(clock: Clock) -> None:
    """Row 73: strangers can use up what strangers have, from a thousand addresses, and the owner notices nothing."""
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
    """Row 74 from inside: whoever shares a carrier's address with an attacker keeps their lane."""
    app = guarded(Shop(), limit_ip="2/hour", limit_network="3/hour", limit_device="3/hour")
    token = (await log_in(app)).device
    for n in range(5):
        clock.advance(3)
        await log_in(app, f"someone{n}", "guess")

    assert (await log_in(app, "kenji", "guess")).status == 429
    assert (await log_in(app, token=token)).status == 303


async def test_a_flood_from_one_address_leaves_others_alone(clock: Clock) -> None:
    """Row 74: there is no bucket for everybody."""
    app = guarded(Shop(), limit_ip="2/hour")
    for n in range(10):
        await log_in(app, f"someone{n}", "guess")
        clock.advance(3)

    assert (await log_in(app, client=address(1))).status == 303


# Many at once.


async def in_parallel(count: int, attempt: Callable[[int], Awaitable[Answer]]) -> list[int]:
    return [each.status for each in await asyncio.gather(*(attempt(n) for n in range(count)))]


async def test_of_200_parallel_guesses_no_more_than_the_limit_reach_the_application() -> None:
    """Rows 58 and 77, R9: one account, 200 networks, all at once, while the checks take their time."""
    gate = asyncio.Event()
    shop = Shop(gate=gate)
    app = guarded(shop, limit_account="5/5minute")
    asyncio.get_running_loop().call_later(0.2, gate.set)

    statuses = await in_parallel(200, lambda n: log_in(app, "hana", f"guess {n}", client=address(n)))

    assert len(shop.reached) == 5
    assert sorted(statuses) == [401] * 5 + [429] * 195


async def test_ten_parallel_log_ins_with_the_right_password_all_pass() -> None:
    """Row 61: ten tabs restored at once are not an attack, though their limit is five."""
    gate = asyncio.Event()
    shop = Shop(gate=gate)
    app = guarded(shop, limit_account="5/5minute")
    asyncio.get_running_loop().call_later(0.05, gate.set)

    assert await in_parallel(10, lambda _: log_in(app)) == [303] * 10
    assert len(shop.reached) == 10


async def test_an_untaken_ask_costs_nothing_and_a_waiting_client_may_leave(clock: Clock) -> None:
    """Who hangs up while waiting takes no place along: the next one waits in it."""
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
    """Rows 41 and 49: form and JSON, log-in and change: guesses add up, whatever they come through."""
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
    """Its handlers need not know how that is said; an answer that has begun is theirs. The charge stands."""

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
