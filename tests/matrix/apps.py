"""The same routes on every framework; each handler reports that it ran and what it read.

`/login` and `/login/{tenant}` take a form by any method, `/recovery/{email}` an account in its path, `/both` other
fields for PUT than for POST, `/files/…` HTTP Basic; `/pay` and `/payout/…` need a fresh proof, which no client has
here. Each path takes WebSockets too, if the framework has them. A handler's report is sent in a header of the answer.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from base64 import b64decode
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl

import falcon.asgi
from blacksheep import Application
from blacksheep import Request as BlackSheepRequest
from blacksheep import Response as BlackSheepResponse
from blacksheep import WebSocket as BlackSheepSocket
from blacksheep.server.routing import Router
from django.conf import UserSettingsHolder, global_settings, settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpResponse  # type: ignore[import-untyped]
from django.urls import re_path  # type: ignore[import-untyped]
from fastapi import FastAPI
from litestar import Litestar, route, websocket
from litestar import Request as LitestarRequest
from litestar import WebSocket as LitestarSocket
from litestar.enums import HttpMethod
from quart import Quart
from quart import request as quart_request
from quart import websocket as quart_websocket
from sanic import Sanic
from sanic import response as sanic_response
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from sekisho.owners import MemoryOwners
from sekisho.testing import guarded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from sekisho.asgi.types import App, Message, Receive, Scope, Send

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# In angle brackets: the framework's parameter for one segment, or (`rest`) for all that follow.
PATHS = {
    "login": "/login",
    "tenant": "/login/<tenant>",
    "recovery": "/recovery/<email>",
    "both": "/both",
    "pay": "/pay",
    "payout": "/payout/<rest>",
    "files": "/files/<rest>",
    "open": "/open",
}
SAID = b"x-matrix"
LOOKS = {"GET", "HEAD", "OPTIONS", "TRACE"}
PREFIX = "/shop"
OPEN = {f"limit_{one}": "250000/minute" for one in ("account", "ip", "network", "device")}
BOTH = "POST {0}/both form:username,password; PUT {0}/both form:user,token"
DOORS = {
    "login": f"POST {{0}}/login; {BOTH}; * {{0}}/files/* basic",
    "change": "POST {0}/login/{{tenant}} form:username,password",
    "reset": "POST {0}/recovery/{{email}} path:email",
    **OPEN,
}
# With a factor log-ins need a proof too, so these are elsewhere.
PROTECT = {
    "login": "POST {0}/elsewhere",
    "protect": "POST {0}/pay max_age=60; GET {0}/payout/list max_age=3600; * {0}/payout/* max_age=60",
    "factors": "totp",
    **OPEN,
}

_said: ContextVar[dict[str, Any]] = ContextVar("said")
_authorization: ContextVar[bytes] = ContextVar("authorization")
_method: ContextVar[str] = ContextVar("method")


def ran(place: str, body: bytes, email: str = "", values: Mapping[str, str] | None = None) -> str:
    """A handler's report: its place, whether it was more than a view, and whose secret it read."""
    fields = {**dict(parse_qsl(body.decode("latin-1"))), **(values or {})}
    acts = bool(body) or _method.get() not in LOOKS
    account = (email if acts else None) if place == "recovery" else _account(place, fields)
    _said.get().update(place=place, acts=acts, account=account)
    return "ran"


def _account(place: str, fields: Mapping[str, str]) -> str | None:
    if place == "both" and _method.get() == "PUT":
        return fields.get("user") if "token" in fields else None
    if place in {"login", "tenant", "both"}:
        return fields.get("username") if "password" in fields else None
    if place == "files" and (authorization := _authorization.get()):
        # Leniently, as Sanic reads it; `str.split` of other applications finds no more.
        pair = authorization.decode("latin-1").partition("Basic")[2].strip()
        return b64decode(pair).decode().partition(":")[0]
    return None


def opened(place: str) -> str:
    """What a WebSocket's handler sends: Sanic accepts before it looks for one."""
    return json.dumps({"place": place, "socket": True})


def written(path: str, step: str, rest: str) -> str:
    """A path in a framework's notation; `{}` stands for a name."""
    return re.sub("<([a-z]+)>", lambda match: rest if match[1] == "rest" else step.replace("{}", match[1]), path)


# The frameworks.


def on_starlette(prefix: str = "") -> App:
    def at(place: str, path: str) -> list[BaseRoute]:
        async def endpoint(request: Request) -> Response:
            return PlainTextResponse(ran(place, await request.body(), request.path_params.get("email", "")))

        rule = written(path, "{{}}", "{rest:path}")
        return [Route(rule, endpoint, methods=METHODS), WebSocketRoute(rule, _starlette_socket(place))]

    routes = [route for place, path in PATHS.items() for route in at(place, path)]
    return Starlette(routes=[Mount(prefix, Starlette(routes=routes))] if prefix else routes)


def on_fastapi() -> App:
    from starlette.requests import Request  # noqa: PLC0415 - FastAPI looks annotations up here

    app = FastAPI(openapi_url=None)
    for place, path in PATHS.items():

        async def endpoint(request: Request, place: str = place) -> Response:
            return PlainTextResponse(ran(place, await request.body(), request.path_params.get("email", "")))

        endpoint.__annotations__["request"] = Request
        rule = written(path, "{{}}", "{rest:path}")
        app.add_route(rule, endpoint, methods=METHODS)
        app.add_api_websocket_route(rule, _starlette_socket(place))
    return app


def _starlette_socket(place: str) -> Callable[[WebSocket], Awaitable[None]]:
    async def socket(line: WebSocket) -> None:
        await line.accept()
        await line.send_text(opened(place))

    socket.__annotations__["line"] = WebSocket
    return socket


def on_litestar() -> App:
    def at(place: str, path: str) -> list[Any]:
        async def endpoint(request: LitestarRequest[Any, Any, Any]) -> str:
            return ran(place, await request.body(), request.path_params.get("email", ""))

        async def socket(socket: LitestarSocket[Any, Any, Any]) -> None:
            await socket.accept()
            await socket.send_text(opened(place))

        endpoint.__annotations__ = {"request": LitestarRequest, "return": str}
        socket.__annotations__ = {"socket": LitestarSocket, "return": None}
        paths = [written(path, "{{}:str}", "{rest:path}")]
        methods = [HttpMethod(one) for one in METHODS]
        return [
            route(paths, http_method=methods, media_type="text/plain", status_code=200)(endpoint),
            websocket(paths)(socket),
        ]

    handlers = [handler for place, path in PATHS.items() for handler in at(place, path)]
    return Litestar(handlers, openapi_config=None)


def on_quart() -> App:
    app = Quart(__name__, static_folder=None)
    for place, path in PATHS.items():

        async def endpoint(place: str = place, email: str = "", **_: str) -> str:
            body: Any = await quart_request.get_data()
            values = await quart_request.values
            return ran(place, body, email, values.to_dict())

        async def socket(place: str = place, **_: str) -> None:
            await quart_websocket.send(opened(place))

        rule = written(path, "<{}>", "<path:rest>")
        app.add_url_rule(rule, place, partial(endpoint, place), methods=METHODS)
        app.add_websocket(rule, f"{place} socket", partial(socket, place))
    return app


def on_falcon() -> App:
    class Resource:
        def __init__(self, place: str) -> None:
            self._place = place

        async def on_get(self, request: Any, response: Any, email: str = "", **_: str) -> None:
            response.text = ran(self._place, await request.stream.read(), email)

        on_head = on_post = on_put = on_patch = on_delete = on_options = on_get

        async def on_websocket(self, _request: Any, line: Any, **_: str) -> None:
            await line.accept()
            await line.send_text(opened(self._place))

    app: Any = falcon.asgi.App()
    for place, path in PATHS.items():
        app.add_route(written(path, "{{}}", "{rest:path}"), Resource(place))
    return app  # type: ignore[no-any-return] # its types are not ASGI's


def on_blacksheep() -> App:
    app = Application(router=Router())  # which all would otherwise share
    for place, path in PATHS.items():
        # Its `/files/*` would take `/filesystem` as well.
        rule = written(path, "{{}}", "{path:rest}")
        for method in (one for one in METHODS if one != "HEAD"):  # which it makes of GET itself
            app.router.add(method, rule, _blacksheep_handler(place))
        app.router.add_ws(rule, _blacksheep_socket(place))
    return app


def _blacksheep_handler(place: str) -> Any:
    async def handler(request: BlackSheepRequest) -> BlackSheepResponse:
        ran(place, await request.read() or b"", (request.route_values or {}).get("email") or "")
        return BlackSheepResponse(200)

    # It reads parameters from annotations, and ours are texts.
    handler.__annotations__ = {"request": BlackSheepRequest, "return": BlackSheepResponse}
    return handler


def _blacksheep_socket(place: str) -> Any:
    async def handler(line: BlackSheepSocket) -> None:
        await line.accept()
        await line.send_text(opened(place))

    handler.__annotations__ = {"line": BlackSheepSocket}
    return handler


_numbers = count()


def on_sanic() -> App:
    Sanic.test_mode = True
    app: Any = Sanic(f"matrix{next(_numbers)}", configure_logging=False)
    app.config.TOUCHUP = False
    for place, path in PATHS.items():

        async def endpoint(request: Any, place: str = place, email: str = "", **_: str) -> Any:
            await request.receive_body()
            return sanic_response.text(ran(place, request.body, email))

        rule = written(path, "<{}>", "<rest:path>")
        has_socket = place in {"both", "open"}  # which is its handler of GET
        methods = [one for one in METHODS if one != "GET" or not has_socket]
        app.add_route(partial(endpoint, place=place), rule, methods=methods, name=place, unquote=True)
        if has_socket:
            app.add_websocket_route(_sanic_socket(place), rule, name=f"{place}_socket")
    return app  # type: ignore[no-any-return] # the same


def _sanic_socket(place: str) -> Any:
    async def socket(_request: Any, line: Any, **_: str) -> None:
        await line.send(opened(place))

    return socket


async def django_view(request: Any, place: str, rest: str = "", email: str = "", tenant: str = "") -> Any:
    values = {**request.GET.dict(), **request.POST.dict()} if request.method == "POST" else {}
    return HttpResponse(ran(place, request.body, email, values))


urlpatterns = [
    re_path(f"^{written(path[1:], '(?P<{}>[^/]+)', '(?P<rest>.*)')}$", django_view, {"place": place})
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


OVERRIDE_HEADERS = (b"x-http-method", b"x-method-override", b"x-http-method-override")
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
# Behind the middleware, which is the same for all.
OVERRIDDEN = ("starlette", "quart", "django")


class Overriding:
    """A method override by header, query or field, as services add for browsers' forms.

    The last of several counts, as written and in any case.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        messages: list[Message] = []
        while not messages or messages[-1].get("more_body"):
            messages.append(await receive())
        body = b"".join(message.get("body", b"") for message in messages)
        if method := _override(scope, body):
            scope = {**scope, "method": method}
            _method.set(method)
        left = iter(messages)

        async def replay() -> Message:
            return next(left, None) or await receive()

        return await self._app(scope, replay, send)


def _override(scope: Scope, body: bytes) -> str:
    named = {name.lower().replace(b"_", b"-"): value for name, value in scope["headers"]}
    fields = {**parse_qs(scope["query_string"].decode("latin-1")), **parse_qs(body.decode("latin-1"))}
    headers = [named[name].decode("latin-1") for name in OVERRIDE_HEADERS if name in named]
    methods: list[str] = [scope["method"], *headers, *fields.get("_method", ())]
    return methods[-1].upper()


# The guard before them.


class Marked:
    """Between guard and framework: adds the handler's report and the guard's knowledge to the answer."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] == "websocket":
            return await _closed(self._app, scope, receive, send)
        said: dict[str, Any] = {}
        _said.set(said)
        _method.set(scope.get("method", "").upper())
        # Frameworks look for lower-case names, which some servers do not pass on.
        _authorization.set({name.lower(): value for name, value in scope["headers"]}.get(b"authorization", b""))
        report = scope.get("state", {}).get("sekisho")

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and said:
                said["charged"] = report.attempt.account if report is not None else None
                line = (SAID, json.dumps(said).encode())
                message = {**message, "headers": [*message.get("headers", ()), line]}
            await send(message)

        return await self._app(scope, receive, sending)


async def _closed(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """A WebSocket that ends with its handler: at this path Sanic has none, and a client would wait."""
    with suppress(Exception):
        await app(scope, receive, send)
    with suppress(Exception):  # it may have been closed
        await send({"type": "websocket.close", "code": 1000})


def _guarded(app: App, settings: dict[str, str], prefix: str = "") -> App:
    written: dict[str, Any] = {name: text.format(prefix) for name, text in settings.items()}
    owners = MemoryOwners({}) if "factors" in settings else None
    return guarded(Marked(app), owners=owners, challenges="none", **written)


def applications() -> dict[str, App]:
    """Every framework behind the guard, some with method overrides, and Starlette mounted with the guard inside and
    outside.

    Each by its name, a slash, and whether doors or protected routes are guarded.
    """
    apps: dict[str, App] = {}
    for kind, written in (("doors", DOORS), ("protect", PROTECT)):
        for name, build in FRAMEWORKS.items():
            apps[f"{name}/{kind}"] = _guarded(build(), written)
        for name in OVERRIDDEN:
            apps[f"{name}, overriding/{kind}"] = _guarded(Overriding(FRAMEWORKS[name]()), written)
        inside = Mount(PREFIX, _guarded(on_starlette(), written))
        apps[f"mounted, guarded inside/{kind}"] = Starlette(routes=[inside])
        apps[f"mounted, guarded outside/{kind}"] = _guarded(on_starlette(PREFIX), written, PREFIX)
    return apps


class Dispatcher:
    """One server for all: a header selects the application."""

    def __init__(self) -> None:
        self._apps = applications()
        self._lives: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._live(receive, send)
        named = {name.lower(): value for name, value in scope["headers"]}
        return await self._apps[named[b"x-app"].decode()](scope, receive, send)

    async def start(self) -> None:
        """Start all, as Sanic answers nothing before; they end with the process."""
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

    # Django has no lifespan, and raises.
    with suppress(ValueError):
        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    started.set()


def app() -> Dispatcher:
    """The factory that servers call."""
    logging.disable(logging.CRITICAL)  # frameworks that fail on such requests
    return Dispatcher()
