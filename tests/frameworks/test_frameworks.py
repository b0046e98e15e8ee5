"""One small acceptance test on every framework: no handler changes, and handlers' own answers arrive."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from django.conf import settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response

from sekisho import LoginGuard
from sekisho.model import Device
from tests.asgi.driving import Line, address
from tests.frameworks.on_django import configured, on_django
from tests.frameworks.services import (
    ACCOUNT,
    CLASSES,
    COMMON,
    PASSWORD,
    RULE,
    SERVICES,
    WELCOME,
    WRONG,
    Built,
    L,
    on_fastapi,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from sekisho.asgi.types import App, Receive, Scope, Send

BUILDERS: list[tuple[str, Callable[[], Built]]] = [
    *[(build.__name__, build) for build in SERVICES],
    ("on_django", lambda: on_django("")),
    ("on_django, synchronously", lambda: on_django("/sync")),
]


@pytest.fixture(params=[build for _, build in BUILDERS], ids=[name for name, _ in BUILDERS])
def built(request: pytest.FixtureRequest) -> Iterator[Built]:
    with configured():
        yield request.param()


class Client:
    """A client at its own address, with one password to try."""

    def __init__(self, built: Built, n: int = 0) -> None:
        transport = httpx.ASGITransport(built.app, client=(address(n), 50_000))
        self._http = httpx.AsyncClient(transport=transport, base_url="https://shop.test")
        self._prefix = built.prefix

    async def log_in(self, password: str, **headers: str) -> httpx.Response:
        data = {"username": ACCOUNT, "password": password}
        return await self._http.post(f"{self._prefix}/login", data=data, headers=headers)

    async def visit(self) -> httpx.Response:
        return await self._http.get(f"{self._prefix}/")


async def test_a_wrong_password_gets_the_applications_own_answer(built: Built) -> None:
    """A wrong password gets the application's own status and text, and nothing of ours."""
    answered = await Client(built).log_in("a guess")

    assert answered.status_code == 401
    assert WRONG in answered.text
    assert "set-cookie" not in answered.headers


async def test_the_right_password_gets_in_and_makes_the_device_known(built: Built) -> None:
    """The right password gets the application's session and our device cookie."""
    answered = await Client(built).log_in(PASSWORD)

    assert answered.status_code in {302, 303}
    assert answered.headers["location"] == "/home"
    session, device = answered.headers.get_list("set-cookie")
    assert session.startswith("session=s;")
    assert device.startswith("__Host-sekisho=")


async def test_over_the_limit_the_answer_is_ours_and_a_known_device_still_gets_in(built: Built) -> None:
    """Beyond the limit strangers are refused, with the right password too, and a known device gets in."""
    owner = Client(built)
    assert (await owner.log_in(PASSWORD)).status_code in {302, 303}

    guesses = [(await Client(built, n).log_in(f"guess {n}")).status_code for n in range(1, L + 1)]
    refused = await Client(built, 99).log_in(PASSWORD, accept="application/json")

    assert guesses == [401] * L
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
    assert int(refused.headers["retry-after"]) > 0
    assert (await owner.log_in(PASSWORD)).status_code in {302, 303}


async def test_the_handler_is_told_whose_device_it_is(built: Built) -> None:
    """The handler, in a thread or not, sees the device class, by which `sekisho.passwords` serves known devices
    first.
    """
    owner = Client(built)
    CLASSES.clear()

    for client in (owner, owner, Client(built, 1)):
        await client.log_in(PASSWORD)

    assert CLASSES == [Device.STRANGER, Device.SEEN, Device.STRANGER]


async def test_other_routes_are_untouched(built: Built) -> None:
    """A client refused at the door can still read other pages."""
    client = Client(built, 1)
    for n in range(L + 1):
        await client.log_in(f"guess {n}")

    visited = await client.visit()

    assert (visited.status_code, visited.text) == (200, WELCOME)
    assert "set-cookie" not in visited.headers


async def test_what_cannot_be_read_never_reaches_the_handler(built: Built) -> None:
    """A body with two user names is refused before a framework picks one."""
    client = Client(built)

    answered = await client._http.post(
        f"{built.prefix}/login",
        content=b"username=hana&username=kenji&password=x",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )

    assert (answered.status_code, answered.json()["code"]) == (400, "unreadable_attempt")


async def test_the_lifespan_is_the_applications(built: Built) -> None:
    """A framework's lifespan runs, and the guard starts and stops with it."""
    if built.lived is None:
        assert (await Client(built).visit()).status_code == 200  # no lifespan: the first request starts everything
        return
    async with alive(built.app):
        assert built.lived == ["up"]
        assert (await Client(built).visit()).status_code == 200

    assert built.lived == ["up", "down"]


@asynccontextmanager
async def alive(app: App) -> AsyncIterator[None]:
    """The application between startup and shutdown."""
    events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    line = Line([])
    up = asyncio.Event()

    async def send(message: Any) -> None:
        await line.send(message)
        up.set()

    life = asyncio.ensure_future(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, events.get, send))
    await events.put({"type": "lifespan.startup"})
    await up.wait()
    yield
    await events.put({"type": "lifespan.shutdown"})
    await life
    assert [message["type"] for message in line.sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_behind_a_real_server() -> None:
    """The same holds over a socket with uvicorn, keep-alive and its lifespan, and the service stops when told."""
    built = on_fastapi()
    server = uvicorn.Server(uvicorn.Config(built.app, port=0, log_level="warning", proxy_headers=False, lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{_port(server)}") as client:
            credentials = {"username": ACCOUNT, "password": PASSWORD}
            right = client.post("/login", data=credentials)
            guesses = [
                client.post(
                    "/login", data={"username": ACCOUNT, "password": f"{n}"}, headers={"cookie": ""}
                ).status_code
                for n in range(L + 1)
            ]
            device = right.headers.get_list("set-cookie")[1].partition(";")[0]
            again = client.post("/login", data=credentials, headers={"cookie": device})
    finally:
        server.should_exit = True
        thread.join(10)

    assert (right.status_code, guesses, again.status_code) == (303, [401] * L + [429], 303)
    assert built.lived == ["up", "down"]
    assert not thread.is_alive()


def _port(server: uvicorn.Server) -> int:
    """The port, once it listens."""
    waiting = threading.Event()
    while not server.started:
        waiting.wait(0.01)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


class Wrapper:
    """Middleware as most write it."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def a_fastapi() -> App:
    app = FastAPI()
    app.root_path = "/api"

    @app.post("/login")
    async def login() -> Response:
        return PlainTextResponse(WRONG, 401)

    return Wrapper(app)


@pytest.mark.parametrize("build", [a_fastapi, get_asgi_application], ids=["FastAPI", "Django"])
@pytest.mark.parametrize("door", ["/login", "/api/login"])
async def test_a_mount_point_that_the_application_takes_off_by_itself_is_no_way_round(
    build: Callable[[], Any], door: str
) -> None:
    """Row 46: with `FastAPI(root_path=)` and `FORCE_SCRIPT_NAME` the log-in answers at both paths."""
    with configured():
        settings.FORCE_SCRIPT_NAME = "/api"
        guard = LoginGuard(build(), login=f"POST {door} {RULE}", **COMMON)
        paths = ["", "/api", "", "/api", "", "/api"]
        guesses = [(await Client(Built(guard, at), n).log_in(f"guess {n}")).status_code for n, at in enumerate(paths)]

    assert guesses == [401] * L + [429] * 3
