"""Answers as applications send them (compressed, long, in files, of other types), and how clients influence them."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import zlib
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.asgi.driving import JSON, OPEN, SESSION, address, answer, guarded, http, log_in, read
from tests.asgi.driving import ask as ask_for
from tests.stepup.flow.driving import Site, challenge

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from sekisho.asgi.types import App, Receive, Scope, Send
    from tests.asgi.driving import Clock

    Headers = list[tuple[bytes, bytes]]

TOKEN_RULE = "POST /login success=json:access_token"
TIGHT: dict[str, Any] = {**OPEN, "limit_account": "3/hour"}
HOME = (b"location", b"/home")
LONG = {"access_token": "t", "about": "x" * 2_000}

RIGHT = {"access_token": "t", "about": "x" * 20_000}
WRONG = {"error": "wrong password", "about": "x" * 20_000}
PACKERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", lambda data: zlib.compress(data)[2:-4]),
    ("br", brotli.compress),
    ("zstd", zstandard.compress),
]


def replying(status: int, headers: Headers, body: bytes = b"", *, kind: str = "http.response.body") -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read(receive)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": kind, **({"path": "/srv/x"} if kind.endswith("pathsend") else {"body": body})})

    return app


def coded(coding: str, body: bytes) -> App:
    return replying(200, [JSON, (b"content-encoding", coding.encode())], body)


# Compressed answers.


async def test_an_answer_that_a_middleware_compressed_is_judged(caplog: pytest.LogCaptureFixture) -> None:
    """Row 2.8: an answer compressed by a `GZipMiddleware` inside the guard is judged, and arrives unchanged."""

    async def login(request: Request) -> Response:
        form = await request.form()
        return JSONResponse(LONG if form["password"] == "right" else {**WRONG, "token": "t"})

    app = Starlette(routes=[Route("/login", login, methods=["POST"])])
    app.add_middleware(GZipMiddleware)
    guard = guarded(app, login=TOKEN_RULE, **TIGHT)
    accepting = [(b"accept-encoding", b"gzip")]

    right = await log_in(guard, headers=accepting)
    wrong = await log_in(guard, password="guess", headers=accepting)

    assert right.header(b"content-encoding") == wrong.header(b"content-encoding") == b"gzip"
    assert json.loads(gzip.decompress(right.body)) == LONG
    assert (bool(right.device), bool(wrong.device)) == (True, False)
    assert "cannot be read" not in caplog.text


@pytest.mark.parametrize(("coding", "pack"), PACKERS)
async def test_every_coding_of_browsers_is_read(coding: str, pack: Callable[[bytes], bytes]) -> None:
    """Row 2.8: gzip and deflate (with and without header) are read; br and zstd with their packages."""
    right, wrong = pack(json.dumps(RIGHT).encode()), pack(json.dumps(WRONG).encode())
    assert (await log_in(guarded(coded(coding, right), login=TOKEN_RULE, **TIGHT))).device
    assert not (await log_in(guarded(coded(coding, wrong), login=TOKEN_RULE, **TIGHT))).device
    cut = await log_in(guarded(coded(coding, right[:-5]), login=TOKEN_RULE, **TIGHT))
    assert (cut.body, cut.device) == (right[:-5], "")


@pytest.mark.parametrize(("coding", "pack"), PACKERS)
async def test_a_bomb_is_not_unpacked(coding: str, pack: Callable[[bytes], bytes]) -> None:
    """Row 2.8: an answer that unpacks to more than 64 KiB is no success, however short it was compressed."""
    bomb = pack(b'{"access_token": "t", "about": "' + b"x" * 10_000_000 + b'"}')
    answered = await log_in(guarded(coded(coding, bomb), login=TOKEN_RULE, **TIGHT))
    assert (answered.body, answered.device) == (bomb, "")


# Answers that cannot be judged are logged once.

MEDIA = (b"content-type", b"application/x-ndjson")
UNJUDGED: list[tuple[str, str, App]] = [
    ("longer than 64 KiB", TOKEN_RULE, replying(200, [JSON], b'{"access_token": "t"}' + b" " * 65_536)),
    ("longer than 64 KiB", "POST /login", replying(200, [JSON], b'{"access_token": "t"}' + b" " * 65_536)),
    ("sent as a file", TOKEN_RULE, replying(200, [JSON], kind="http.response.pathsend")),
    ("cannot be read here", TOKEN_RULE, coded("compress", b"x")),
    ("cannot be read here", TOKEN_RULE, coded("gzip, br", b"x")),
    ("cannot be read here", TOKEN_RULE, coded("gzip", gzip.compress(b"{}" + b" " * 70_000))),
    ("calls itself JSON is none", TOKEN_RULE, replying(200, [JSON], b"access_token=t")),
    ("of a type that is not read", TOKEN_RULE, replying(200, [MEDIA], b'{"access_token": "t"}\n')),
    ("of a type that is not read", "POST /login", replying(200, [MEDIA], b'{"access_token": "t"}\n')),
    ("a redirect was not believed", "POST /login success=302:/home", replying(302, [(b"location", b"/home?x=1")])),
]


@pytest.mark.parametrize(("words", "door", "app"), UNJUDGED)
async def test_what_cannot_be_judged_is_said_once(
    words: str, door: str, app: App, caplog: pytest.LogCaptureFixture
) -> None:
    """Row 2.9: an answer that cannot be judged is logged once with its door and the line to add; the attempt stays
    charged.
    """
    guard = guarded(app, login=f"{door}; POST /other", **TIGHT)
    answers = [await log_in(guard, password=f"guess {n}") for n in range(3)]

    said = [record.getMessage() for record in caplog.records if words in record.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("POST /login: ")
    assert "success=" in said[0]
    assert said[0].endswith("[SEK073]" if words.startswith("cannot be read here") else "[SEK074]")
    assert not any(answered.device for answered in answers)
    assert sum(n for (_, what, _), n in guard.counts.items() if what == "unjudged") == 3


@pytest.mark.parametrize(
    ("door", "app"),
    [
        ("POST /login", replying(200, [(b"content-type", b"text/html")], b"<form>")),
        ("POST /login", replying(302, [(b"location", b"/login")])),
        ("POST /login success=302:/home", replying(302, [(b"location", b"/login")])),
        (TOKEN_RULE, replying(200, [(b"content-type", b"text/html")], b"<form>")),
        (TOKEN_RULE, replying(401, [MEDIA], b"x" * 70_000)),
        (TOKEN_RULE, replying(200, [JSON], b'{"error": "wrong"}')),
    ],
)
async def test_what_is_merely_no_success_is_not_spoken_of(
    door: str, app: App, caplog: pytest.LogCaptureFixture
) -> None:
    """Row 2.9: a wrong password is not logged."""
    guard = guarded(app, login=door, **TIGHT)
    await log_in(guard)
    assert not [message for message in caplog.messages if message.startswith("POST /login: ")]


# How a client can influence an answer.


def back_to(scope: Scope) -> bytes:
    """A careless application redirects failures to where they came from or want to go."""
    headers = dict(scope["headers"])
    wanted: bytes = headers.get(b"referer") or scope["query_string"].partition(b"next=")[2]
    return wanted or headers.get(b"x-back", b"/")


async def careless(scope: Scope, receive: Receive, send: Send) -> None:
    """Wrong passwords are redirected with a message in the session; the incident of this row did so."""
    await read(receive)
    await answer(send, 302, [(b"location", back_to(scope)), SESSION])


@pytest.mark.parametrize("door", ["POST /login", "POST /login success=302:/home"])
@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ([(b"referer", b"https://shop.test/home")], b""),
        ([(b"referer", b"/home")], b""),
        ([], b"next=/home"),
        ([(b"x-back", b"/home")], b""),
        ([], b""),
    ],
)
async def test_no_client_can_make_a_success_of_a_failure(door: str, headers: Headers, query: bytes) -> None:
    """Row 2.3: of ten guesses at one account as many reach the application as its limit allows; none gets a token."""
    guard = guarded(careless, login=door, **TIGHT)
    answers = [
        await log_in(guard, password=f"guess {n}", headers=headers, query_string=query, client=f"192.0.2.{n}")
        for n in range(10)
    ]
    assert [answered.status for answered in answers].count(302) == 3
    assert not any(answered.device for answered in answers)


async def test_a_session_of_the_clients_own_is_no_success() -> None:
    """Row 2.3: renewing a session that the client sent is no success."""
    guard = guarded(replying(200, [SESSION], b"<form>"), login="POST /login success=cookie:session", **TIGHT)
    answers = [
        await log_in(guard, password=f"guess {n}", headers=[(b"cookie", b"session=s")], client=f"192.0.2.{n}")
        for n in range(10)
    ]
    assert [answered.status for answered in answers].count(200) == 3
    assert not any(answered.device for answered in answers)


BASIC: dict[str, Any] = {"login": "* /files/* basic success=!401,403", **TIGHT}


def by_basic(pair: str, client: str, path: str = "/files/x") -> Scope:
    basic = (b"authorization", b"Basic " + b64encode(pair.encode()))
    return http(path, method="PROPFIND", client=client, headers=[basic])


@pytest.mark.parametrize(
    ("status", "passes"), [(304, 8), (207, 8), (307, 3), (404, 3), (401, 3), (403, 3), (503, 3), (405, 3)]
)
async def test_what_basic_opens_is_given_back(status: int, passes: int) -> None:
    """Row 2.7: only an answer that a router cannot give by itself shows that a Basic secret was right."""
    guard = guarded(replying(status, []), **BASIC)
    statuses = [(await ask_for(guard, by_basic(f"hana:{n}", f"192.0.2.{n}"))).status for n in range(8)]
    assert statuses.count(status) == passes


async def test_a_missing_file_costs_nothing_who_has_shown_the_right_secret() -> None:
    """Row A8: a WebDAV client asks for many files that do not exist, from one address."""
    guard = guarded(Files(), **{**BASIC, "limit_ip": "5/hour"})
    assert (await ask_for(guard, by_basic("hana:right", "192.0.2.1", "/files/"))).status == 207
    answers = [await ask_for(guard, by_basic("hana:right", "192.0.2.1", f"/files/{n}")) for n in range(20)]
    guesses = [await ask_for(guard, by_basic(f"hana:{n}", f"192.0.2.{n}", "/files/none")) for n in range(2, 10)]

    assert [answered.status for answered in answers] == [404] * 20
    assert [answered.status for answered in guesses] == [404] * 3 + [429] * 5


async def test_answers_of_the_router_make_no_address_known(clock: Clock) -> None:
    """Row A18: a wrong secret gets 404 where nothing is; that makes no victim one who logs in from the address."""
    files, owners = Files(), [f"owner {n}" for n in range(12)]
    guard = guarded(files, **{**BASIC, "limit_ip": "3/hour"})
    for _ in range(2):
        for n, owner in enumerate(owners):
            await ask_for(guard, by_basic(f"{owner}:right", f"198.51.100.{n}", "/files/"))
        clock.advance(2 * 86_400)
    for owner in owners:
        await ask_for(guard, by_basic(f"{owner}:junk", "192.0.2.1", "/files/none"))
    files.checked.clear()
    for owner in owners:
        await ask_for(guard, by_basic(f"{owner}:guess", "192.0.2.1", "/files/"))

    assert not files.checked


class Files:
    """Checks the secret at `/files/` alone; elsewhere is nothing."""

    def __init__(self) -> None:
        self.checked: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await read(receive)
        if scope["path"] != "/files/":
            return await answer(send, 404, [], b"")
        secret = dict(scope["headers"])[b"authorization"]
        self.checked.append(secret)
        return await answer(send, 207 if b64decode(secret[6:]).endswith(b":right") else 401, [], b"")


async def test_a_basic_door_wants_a_rule_at_start(caplog: pytest.LogCaptureFixture) -> None:
    """Row 2.7: a Basic door without a success rule is reported at the start, with the rule to add."""
    guard = guarded(replying(200, []), login="* /files/* basic")
    await log_in(guard)
    assert (
        "* /files/* opens by HTTP Basic and has no rule: no answer shows success; add success=!401,403" in caplog.text
    )


PAGE = [(b"content-type", b"text/html")]


def answering_first(first: list[tuple[bytes, bytes]], others: list[tuple[bytes, bytes]]) -> App:
    """An application that answers with pages, the first of which has its own headers."""
    left = [first]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 200, left.pop() if left else others, b"<p>")

    return app


@pytest.mark.parametrize(
    ("first", "level", "said"),
    [
        (
            PAGE,
            logging.INFO,
            "POST /login: none of 200 log-ins was recognised as a success, and all answers look alike",
        ),
        ([*PAGE, SESSION], logging.WARNING, "POST /login: no answer to 200 log-ins looks like a success"),
    ],
)
async def test_a_door_that_shows_no_success_is_named(
    first: list[tuple[bytes, bytes]], level: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Row 2.7: where each answer is a page with the same status, the log says once what is left to do; at INFO where
    all may be those to wrong passwords.
    """
    caplog.set_level(logging.INFO, "sekisho")
    app = answering_first(first, PAGE)
    guard = guarded(app, login="POST /login", **OPEN)
    for n in range(220):
        await log_in(guard, f"owner-{n}", client=address(n))

    assert [record.levelno for record in caplog.records if record.getMessage().startswith(said)] == [level]


# Behind a step-up.


@pytest.mark.parametrize(
    ("size", "coding", "status"), [(40_000, "", 200), (60_000, "gzip", 200), (60_000, "br", 200), (70_000, "", 401)]
)
async def test_a_long_answer_is_kept_until_its_proof(
    size: int, coding: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Row 2.9: an answer of up to 64 KiB, compressed or not, is kept until its proof; a longer one is logged and lets
    nobody in.
    """
    body = json.dumps({"access_token": "t", "about": "x" * size}).encode()
    packed = {"gzip": gzip.compress, "br": brotli.compress}.get(coding, bytes)(body)
    site = Site(shop=coded(coding, packed), settings={"login": TOKEN_RULE})  # type: ignore[arg-type]
    await site.enrol()
    client = site.client()
    released = await client.show(challenge(await client.log_in()), site.code())

    assert released.status == status
    assert (released.body == packed) is (status == 200)
    assert ("longer than 64 KiB" in caplog.text) is (status != 200)


async def test_a_rule_is_suggested_from_what_happened_behind_step_ups(caplog: pytest.LogCaptureFixture) -> None:
    """Row 2.7: with factors the guard sees most answers and suggests a rule while it recognises no success."""

    async def shop(scope: Scope, receive: Receive, send: Send) -> None:
        right = b"right" in await read(receive)
        await answer(send, 200, [JSON], b'{"status": "ok"}' if right else b'{"status": "ng"}')

    site = Site(shop=shop, settings=OPEN | {"limit_account": "999/hour"})  # type: ignore[arg-type]
    await site.enrol()

    async def tries(n: int) -> None:
        client = site.client(f"192.0.2.{n}")
        asked = await client.log_in(password="right" if n % 2 else "guess")
        await client.show(challenge(asked), "000000")

    for first in range(0, 50, 10):  # a wrong proof is answered a second after the password
        await asyncio.gather(*map(tries, range(first, first + 10)))

    assert "POST /login: success is guessed from its answers; add success=json:status=ok to be certain" in caplog.text
