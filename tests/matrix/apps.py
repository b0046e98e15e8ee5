"""The same routes on every framework, as its users write them; each handler says that it ran and what it read.

`/login` takes a form by any method, `/files/…` HTTP Basic; `/pay` and `/payout/…` want a fresh proof, which nobody has
here. What a handler says leaves in a header, so that the answer to a request tells what became of it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64decode
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import falcon.asgi
from blacksheep import Application
from blacksheep import Request as BlackSheepRequest
from blacksheep import Response as BlackSheepResponse
from blacksheep.server.routing import Router
from django.conf import UserSettingsHolder, global_settings, settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpResponse  # type: ignore[import-untyped]
from django.urls import re_path  # type: ignore[import-untyped]
from fastapi import FastAPI
from litestar import Litestar, route
from litestar import Request as LitestarRequest
from litestar.enums import HttpMethod
from quart import Quart
from quart import request as quart_request
from sanic import Sanic
from sanic import response as sanic_response
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from sekisho.owners import MemoryOwners
from sekisho.testing import guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from sekisho.middleware.asgi import App, Message, Receive, Scope, Send

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
PATHS = {"login": "/login", "pay": "/pay", "payout": "/payout/", "files": "/files/"}
SAID = b"x-matrix"
PREFIX = "/shop"
OPEN = {f"limit_{one}": "250000/minute" for one in ("account", "ip", "network", "device")}
DOORS = {"login": "POST {0}/login; * {0}/files/* basic", **OPEN}
# A proof is asked for at log-ins too where there is a factor, so these stand elsewhere.
PROTECT = {
    "login": "POST {0}/elsewhere",
    "protect": "POST {0}/pay max_age=60; GET {0}/payout/list max_age=3600; * {0}/payout/* max_age=60",
    "factors": "totp",
    **OPEN,
}

_said: ContextVar[dict[str, Any]] = ContextVar("said")
_authorization: ContextVar[bytes] = ContextVar("authorization")


def ran(place: str, body: bytes, values: Mapping[str, str] | None = None) -> str:
    """What a handler leaves: its place, whether there was a body, and whose secret it read."""
    fields = {**dict(parse_qsl(body.decode("latin-1"))), **(values or {})}
    account = None
    if place == "login" and "password" in fields:
        account = fields.get("username")
    elif place == "files" and (authorization := _authorization.get()):
        account = b64decode(authorization.split()[1]).decode().partition(":")[0]
    _said.get().update(place=place, body=bool(body), account=account)
    return "ran"


# The frameworks.


def on_starlette(prefix: str = "") -> App:
    async def handle(request: Request, place: str) -> Response:
        return PlainTextResponse(ran(place, await request.body()))

    def at(place: str, path: str) -> Route:
        async def endpoint(request: Request) -> Response:
            return await handle(request, place)

        return Route(f"{path}{{rest:path}}" if path.endswith("/") else path, endpoint, methods=METHODS)

    routes = [at(place, path) for place, path in PATHS.items()]
    return Starlette(routes=[Mount(prefix, Starlette(routes=routes))] if prefix else routes)


def on_fastapi() -> App:
    from starlette.requests import Request  # noqa: PLC0415 - FastAPI looks annotations up here

    app = FastAPI(openapi_url=None)
    for place, path in PATHS.items():

        async def endpoint(request: Request, place: str = place) -> Response:
            return PlainTextResponse(ran(place, await request.body()))

        endpoint.__annotations__["request"] = Request
        app.add_route(f"{path}{{rest:path}}" if path.endswith("/") else path, endpoint, methods=METHODS)
    return app


def on_litestar() -> App:
    def at(place: str, path: str) -> Any:
        async def endpoint(request: LitestarRequest[Any, Any, Any]) -> str:
            return ran(place, await request.body())

        endpoint.__annotations__ = {"request": LitestarRequest, "return": str}
        return route(
            [f"{path}{{rest:path}}"] if path.endswith("/") else [path],
            http_method=[HttpMethod(one) for one in METHODS],
            media_type="text/plain",
            status_code=200,
        )(endpoint)

    return Litestar([at(place, path) for place, path in PATHS.items()], openapi_config=None)


def on_quart() -> App:
    app = Quart(__name__, static_folder=None)
    for place, path in PATHS.items():

        async def endpoint(place: str = place, rest: str = "") -> str:
            body: Any = await quart_request.get_data()
            values = await quart_request.values
            return ran(place, body, values.to_dict())

        rule = f"{path}<path:rest>" if path.endswith("/") else path
        app.add_url_rule(rule, place, partial(endpoint, place), methods=METHODS)
    return app


def on_falcon() -> App:
    class Resource:
        def __init__(self, place: str) -> None:
            self._place = place

        async def on_get(self, request: Any, response: Any, **_: str) -> None:
            response.text = ran(self._place, await request.stream.read())

        on_head = on_post = on_put = on_patch = on_delete = on_options = on_get

    app: Any = falcon.asgi.App()
    for place, path in PATHS.items():
        app.add_route(f"{path}{{rest:path}}" if path.endswith("/") else path, Resource(place))
    return app  # type: ignore[no-any-return] # its types are not ASGI's


def on_blacksheep() -> App:
    app = Application(router=Router())  # which all would share otherwise
    for place, path in PATHS.items():
        for method in (one for one in METHODS if one != "HEAD"):  # which it makes of GET itself
            # Its `/files/*` would take `/filesystem` as well.
            app.router.add(method, f"{path}{{path:rest}}" if path.endswith("/") else path, _blacksheep_handler(place))
    return app


def _blacksheep_handler(place: str) -> Any:
    async def handler(request: BlackSheepRequest) -> BlackSheepResponse:
        ran(place, await request.read() or b"")
        return BlackSheepResponse(200)

    # Its parameters are told by what annotations are, and ours are texts.
    handler.__annotations__ = {"request": BlackSheepRequest, "return": BlackSheepResponse}
    return handler


_numbers = count()


def on_sanic() -> App:
    Sanic.test_mode = True
    app: Any = Sanic(f"matrix{next(_numbers)}", configure_logging=False)
    app.config.TOUCHUP = False
    for place, path in PATHS.items():

        async def endpoint(request: Any, place: str = place, rest: str = "") -> Any:
            await request.receive_body()
            return sanic_response.text(ran(place, request.body))

        rule = f"{path}<rest:path>" if path.endswith("/") else path
        app.add_route(partial(endpoint, place=place), rule, methods=METHODS, name=place)
    return app  # type: ignore[no-any-return] # the same


async def django_view(request: Any, place: str, rest: str = "") -> Any:
    values = {**request.GET.dict(), **request.POST.dict()} if request.method == "POST" else {}
    return HttpResponse(ran(place, request.body, values))


urlpatterns = [
    re_path(f"^{path[1:]}(?P<rest>.*)$" if path.endswith("/") else f"^{path[1:]}$", django_view, {"place": place})
    for place, path in PATHS.items()
]


def on_django() -> App:
    ours = UserSettingsHolder(global_settings)
    ours.ALLOWED_HOSTS = ["*"]
    ours.ROOT_URLCONF = __name__
    ours.SECRET_KEY = "only for tests"
    ours.MIDDLEWARE = []
    ours.LOGGING_CONFIG = None
    settings._wrapped = ours
    app: App = get_asgi_application()
    return app


FRAMEWORKS: dict[str, Callable[[], App]] = {
    "starlette": on_starlette,
    "fastapi": on_fastapi,
    "litestar": on_litestar,
    "quart": on_quart,
    "django": on_django,
    "falcon": on_falcon,
    "blacksheep": on_blacksheep,
    "sanic": on_sanic,
}


# The guard before them.


class Marked:
    """Between guard and framework: puts into the answer what the handler said, and what the guard knew of it."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        said: dict[str, Any] = {}
        _said.set(said)
        # Frameworks look for names in lower case, which some servers do not hand on.
        _authorization.set({name.lower(): value for name, value in scope["headers"]}.get(b"authorization", b""))
        report = scope.get("state", {}).get("sekisho")

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and said:
                said["charged"] = report.attempt.account if report is not None else None
                line = (SAID, json.dumps(said).encode())
                message = {**message, "headers": [*message.get("headers", ()), line]}
            await send(message)

        return await self._app(scope, receive, sending)


def _guarded(app: App, settings: dict[str, str], prefix: str = "") -> App:
    written: dict[str, Any] = {name: text.format(prefix) for name, text in settings.items()}
    owners = MemoryOwners({}) if "factors" in settings else None
    return guarded(Marked(app), owners=owners, challenges="none", **written)


def applications() -> dict[str, App]:
    """Every framework behind the guard, and Starlette mounted in itself, with the guard inside and outside.

    Each by its name, a slash, and whether its doors or its protected routes are guarded.
    """
    apps: dict[str, App] = {}
    for kind, written in (("doors", DOORS), ("protect", PROTECT)):
        for name, build in FRAMEWORKS.items():
            apps[f"{name}/{kind}"] = _guarded(build(), written)
        inside = Mount(PREFIX, _guarded(on_starlette(), written))
        apps[f"mounted, guarded inside/{kind}"] = Starlette(routes=[inside])
        apps[f"mounted, guarded outside/{kind}"] = _guarded(on_starlette(PREFIX), written, PREFIX)
    return apps


class Dispatcher:
    """One server for all of them: a header says whose turn it is."""

    def __init__(self) -> None:
        self._apps = applications()
        self._lives: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._live(receive, send)
        named = {name.lower(): value for name, value in scope["headers"]}
        return await self._apps[named[b"x-app"].decode()](scope, receive, send)

    async def start(self) -> None:
        """Start them all, as Sanic answers nothing before; they end with the process."""
        for app in self._apps.values():
            started = asyncio.Event()
            self._lives.append(asyncio.ensure_future(_life(app, started)))
            await asyncio.wait_for(started.wait(), 30)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        if not self._lives:
            await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


async def _life(app: App, started: asyncio.Event) -> None:
    messages = iter([{"type": "lifespan.startup"}])

    async def receive() -> Message:
        for message in messages:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(_: Message) -> None:
        started.set()

    # Django knows no lifespan, and says so by an error.
    with suppress(ValueError):
        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    started.set()


def app() -> Dispatcher:
    """As servers call a factory."""
    logging.disable(logging.CRITICAL)  # frameworks that fail on what they are sent
    return Dispatcher()
