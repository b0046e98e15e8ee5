"""A misspelt door guards nothing: the start reports it, and so does the first answer there."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from fastapi import FastAPI, Form
from litestar import Litestar, post
from quart import Quart
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from sekisho import LoginGuard
from sekisho.check import basic_beside, missing_routes, open_below
from sekisho.model import DoorKind
from sekisho.owners import MemoryOwners
from sekisho.read import Doors
from sekisho.settings import parse_doors
from sekisho.testing import SECRET
from tests.asgi.driving import OPEN, Shop, guarded, log_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from sekisho.asgi.types import App, Message

DOORS = "POST /login form:username,password; POST /logn; POST /api/nothing json:a,b; * /files/* basic; POST /x basic"


async def starlette_login(_: Request) -> Response:
    return PlainTextResponse("wrong", 401)


def on_starlette() -> App:
    page = Route("/login", lambda _: PlainTextResponse("form"), methods=["GET"])
    return Starlette(routes=[page, Route("/login", starlette_login, methods=["POST"]), Mount("/static", Shop())])


def on_fastapi() -> App:
    app = FastAPI()

    @app.post("/login")
    async def login(username: Annotated[str, Form()], password: Annotated[str, Form()]) -> str:
        return username + password

    return app


def on_litestar() -> App:
    @post("/login")
    async def login() -> str:
        return "wrong"

    return Litestar([login])


def on_quart() -> App:
    app = Quart(__name__)

    @app.post("/login")
    async def login() -> tuple[str, int]:
        return "wrong", 401

    return app


async def by_method(scope: Any, receive: Any, send: Any) -> None:
    """A router that finds a path by its method alone."""
    there = (scope["method"], scope["path"]) == ("POST", "/login")
    await send({"type": "http.response.start", "status": 401 if there else 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def raising(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError(scope["path"])


@pytest.mark.parametrize("build", [on_starlette, on_fastapi, on_litestar, on_quart, lambda: by_method])
async def test_doors_without_a_route_are_found(build: Callable[[], App]) -> None:
    """Doors without a route are found in every framework; prefixes and Basic doors are not checked."""
    found = await missing_routes(build(), parse_doors(DoorKind.LOGIN, DOORS, "X"), {}, lambda count: b"x" * count)

    assert [door.name for door in found] == ["POST /logn", "POST /api/nothing"]


async def endless(scope: Any, receive: Any, send: Any) -> None:
    """Django's `re_path(r"^login/", …)`, without its `$`."""
    await send({"type": "http.response.start", "status": 405 if scope["path"][:7] == "/login/" else 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def alike(scope: Any, receive: Any, send: Any) -> None:
    """What answers OPTIONS alike everywhere shows nothing."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def mounted() -> App:
    """A log-in that is mounted without a router: it answers at every path below its own."""
    return Starlette(routes=[Mount("/login", alike)])


@pytest.mark.parametrize(
    ("app", "path", "expected"),
    [
        (mounted(), "/login", ["POST /login"]),
        (endless, "/login/", ["POST /login/"]),
        (on_starlette(), "/login", []),
        (on_fastapi(), "/login", []),
        (on_litestar(), "/login", []),
        (on_quart(), "/login", []),
        (alike, "/login", []),
        (by_method, "/login", []),
        (raising, "/login", []),
        (mounted(), "/logn", []),
    ],
)
async def test_a_door_that_is_open_below_its_path_is_found(app: App, path: str, expected: list[str]) -> None:
    """Guesses at `/login/x` would reach the log-in and no door."""
    doors = parse_doors(DoorKind.LOGIN, f"POST {path}; POST /login/graphql graphql:login(a,b)", "X")

    assert [door.name for door in await open_below(app, doors, {}, lambda n: b"x" * n)] == expected


def asking_basic(*, always: bool = False) -> App:
    """Looks at HTTP Basic at all paths, as Django REST framework does by default; or wants it of everybody."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        shown = dict(scope["headers"]).get(b"authorization", b"").startswith(b"Basic ")
        await send({"type": "http.response.start", "status": 403 if shown or always else 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        (asking_basic(), ["POST /login"]),
        (asking_basic(always=True), []),  # a staging site behind one password
        (alike, []),
        (on_starlette(), []),
        (on_fastapi(), []),
    ],
)
async def test_a_door_beside_which_basic_opens_is_found(app: App, expected: list[str]) -> None:
    """Guesses in the header `Authorization` would be counted nowhere."""
    written = "POST /login; POST /token json basic; POST /api/login; * /api/* basic"
    doors = Doors(parse_doors(DoorKind.LOGIN, written, "X"))

    assert [door.name for door in await basic_beside(app, doors.all, {}, lambda n: b"x" * n)] == expected


async def slashed(scope: Any, receive: Any, send: Any) -> None:
    """A router that knows `/login/` alone, as Django's without a redirect to it."""
    await send({"type": "http.response.start", "status": 200 if scope["path"] == "/login/" else 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("path", ["/login", "/login/"])
async def test_a_last_slash_makes_no_other_door(path: str) -> None:
    """A door is found with and without a last slash, so a router that knows one of the two has it."""
    doors = parse_doors(DoorKind.LOGIN, f"POST {path}", "X")

    assert await missing_routes(slashed, doors, {}, lambda n: b"x" * n) == []


async def test_an_application_that_raises_is_not_accused() -> None:
    """An application that raises is not reported: it may have the path."""
    assert await missing_routes(raising, parse_doors(DoorKind.LOGIN, DOORS, "X"), {}, lambda n: b"x" * n) == []


async def live(app: App) -> None:
    """One lifespan, long enough for checks at the start."""
    up, down = asyncio.Event(), asyncio.Event()
    incoming: asyncio.Queue[Message] = asyncio.Queue()
    incoming.put_nowait({"type": "lifespan.startup"})

    async def send(message: Message) -> None:
        (up if message["type"] == "lifespan.startup.complete" else down).set()

    task = asyncio.ensure_future(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, incoming.get, send))
    await asyncio.wait([task, asyncio.ensure_future(up.wait())], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        return await task
    for _ in range(100):
        await asyncio.sleep(0)
    incoming.put_nowait({"type": "lifespan.shutdown"})
    return await task


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "the application answers" in record.getMessage()]


NOT_THERE = (
    "POST /logn: the application answers 404 there. If its log-in has another path or method, guesses at it are not "
    "counted: correct SEKISHO_LOGIN [SEK070]"
)


@pytest.mark.parametrize(("canary", "expected"), [("on", [NOT_THERE]), ("off", [])])
async def test_the_start_says_it(caplog: pytest.LogCaptureFixture, canary: str, expected: list[str]) -> None:
    """The start reports it; earlier, 120 of 120 guesses passed a misspelt door unnoticed."""
    with caplog.at_level(logging.WARNING):
        await live(LoginGuard(on_starlette(), secret=SECRET, login="POST /logn; POST /login", canary=canary))

    assert said(caplog) == expected


async def test_a_misspelt_protected_route_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """A misspelt route protects nothing; the real one is open, and prefixes name no single path."""
    protect = "POST /login max_age=60; POST /pay-mnt max_age=60; POST /admin/* max_age=60"
    guard = LoginGuard(
        on_starlette(),
        secret=SECRET,
        login="POST /l basic",
        protect=protect,
        factors="totp",
        owners=MemoryOwners({}),
    )
    with caplog.at_level(logging.WARNING):
        await live(guard)

    (only,) = said(caplog)
    assert only.startswith("POST /pay-mnt: the application answers 404 there.")
    assert only.endswith("it is open without a proof: correct SEKISHO_PROTECT [SEK085]")


async def test_the_start_says_it_where_an_application_has_no_use_for_a_lifespan(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is reported without a working lifespan too: Django's raises, and servers go on."""

    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise ValueError("no lifespan here")
        await by_method(scope, receive, send)

    guard = LoginGuard(refusing, secret=SECRET, login="POST /logn; POST /login", challenges="none")
    with caplog.at_level(logging.WARNING), pytest.raises(ValueError, match="no lifespan here"):
        await live(guard)
    for _ in range(100):
        await asyncio.sleep(0)

    assert said(caplog) == [NOT_THERE]


async def test_the_first_answer_says_it(caplog: pytest.LogCaptureFixture) -> None:
    """Without a lifespan the first answer reports it, once."""
    guard = guarded(on_starlette(), login="POST /logn; POST /login", **OPEN)

    for _ in range(3):
        await log_in(guard, path="/logn")
        await log_in(guard, path="/login")

    assert said(caplog) == [NOT_THERE]


async def test_a_door_that_has_answered_otherwise_is_there(caplog: pytest.LogCaptureFixture) -> None:
    """A door that has answered otherwise exists: 404 may mean an unknown account."""
    statuses = [401, 404, 404]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": statuses.pop(0), "headers": []})
        await send({"type": "http.response.body", "body": b""})

    guard = guarded(app, **OPEN)
    for _ in range(3):
        await log_in(guard)

    assert said(caplog) == []


async def test_a_wrong_method_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """A wrong method (405) is reported like 404."""
    guard = guarded(on_starlette(), login="PUT /login form:username,password", **OPEN)

    await log_in(guard, method="PUT")

    assert said(caplog) == [NOT_THERE.replace("POST /logn", "PUT /login").replace("404", "405")]
