"""One small log-in service written for each framework, guarded as its users would.

All answer alike: an own 401 to a wrong password, a redirect with a session cookie to the right one, a greeting
elsewhere. None knows of the guard.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from fastapi import FastAPI, Form, HTTPException
from litestar import Litestar, get, post
from litestar.enums import RequestEncodingType
from litestar.exceptions import NotAuthorizedException
from litestar.middleware import DefineMiddleware
from litestar.params import Body
from litestar.response import Response as LitestarResponse
from quart import Quart
from quart import Response as QuartResponse
from quart import redirect as quart_redirect
from quart import request as quart_request
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from sekisho import LoginGuard
from sekisho.model import DEVICE_CLASS, Device
from sekisho.testing import SECRET
from tests.asgi.driving import Shop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from sekisho.asgi.types import Receive, Scope, Send

ACCOUNT, PASSWORD = "hana", "correct horse"
WELCOME, WRONG = "welcome", "wrong"  # as in `driving`
L = 3
# Work uses our own pages, without the framework; the limits are to be shown here.
RULE = "success=303:/home|302:/home"
COMMON: dict[str, Any] = {"secret": SECRET, "limit_account": f"{L}/hour", "challenges": "none"}
SETTINGS: dict[str, Any] = {**COMMON, "login": f"POST /login {RULE}"}


class Built(NamedTuple):
    """A service: its name, its prefix, and the events of its own lifespan."""

    app: Any  # each framework has its own types for ASGI's dictionaries and coroutines
    prefix: str = ""
    lived: list[str] | None = None


CLASSES: list[Device] = []
"""The device class that reaches each handler: synchronous ones run in threads."""


def is_right(account: str, password: str) -> bool:
    CLASSES.append(DEVICE_CLASS.get())
    return (account, password) == (ACCOUNT, PASSWORD)


# Starlette, and frameworks on it.


async def starlette_login(request: Request) -> Response:
    form = await request.form()
    if not is_right(str(form["username"]), str(form["password"])):
        return PlainTextResponse(WRONG, 401)
    response = RedirectResponse("/home", 303)
    response.set_cookie("session", "s", httponly=True)
    return response


async def starlette_home(_: Request) -> Response:
    return PlainTextResponse(WELCOME)


ROUTES = [Route("/login", starlette_login, methods=["POST"]), Route("/", starlette_home)]


def on_starlette() -> Built:
    lived: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        lived.append("up")
        yield
        lived.append("down")

    app = Starlette(routes=ROUTES, lifespan=lifespan)
    app.add_middleware(LoginGuard, **SETTINGS)
    return Built(app, lived=lived)


def on_a_mounted_starlette() -> Built:
    """A sub-application has no lifespan, and its paths have a `root_path`."""
    shop = Starlette(routes=ROUTES)
    shop.add_middleware(LoginGuard, **SETTINGS)
    return Built(Starlette(routes=[Mount("/shop", shop)]), "/shop")


def around_a_mounted_starlette() -> Built:
    """The guard outermost, with the whole path as its door."""
    app = Starlette(routes=[Mount("/shop", Starlette(routes=ROUTES))])
    app.add_middleware(LoginGuard, login=f"POST /shop/login {RULE}", **COMMON)
    return Built(app, "/shop")


def on_fastapi() -> Built:
    lived: list[str] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        lived.append("up")
        yield
        lived.append("down")

    app = FastAPI(lifespan=lifespan)
    app.add_middleware(LoginGuard, **SETTINGS)

    @app.post("/login")
    async def login(username: Annotated[str, Form()], password: Annotated[str, Form()]) -> Response:
        if not is_right(username, password):
            raise HTTPException(401, WRONG)
        response = RedirectResponse("/home", 303)
        response.set_cookie("session", "s", httponly=True)
        return response

    @app.get("/")
    def home() -> Response:
        return PlainTextResponse(WELCOME)

    return Built(app, lived=lived)


# Litestar.


@post("/login", status_code=303)
async def litestar_login(
    data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> LitestarResponse[None]:
    if not is_right(data["username"], data["password"]):
        raise NotAuthorizedException(WRONG)
    response = LitestarResponse(None, status_code=303, headers={"location": "/home"})
    response.set_cookie("session", "s", httponly=True)
    return response


@get("/", media_type="text/plain")
async def litestar_home() -> str:
    return WELCOME


def on_litestar() -> Built:
    """As Litestar makes middleware: once per route, with the next application passed by name."""
    guard: Any = LoginGuard
    middleware = [DefineMiddleware(guard, **SETTINGS)]
    return Built(Litestar([litestar_login, litestar_home], middleware=middleware))


def around_litestar() -> Built:
    lived: list[str] = []
    app: Any = Litestar(
        [litestar_login, litestar_home],
        on_startup=[lambda: lived.append("up")],
        on_shutdown=[lambda: lived.append("down")],
    )
    return Built(LoginGuard(app, **SETTINGS), lived=lived)


# Quart.


def on_quart() -> Built:
    lived: list[str] = []
    app = Quart(__name__)
    inner: Any = app.asgi_app
    app.asgi_app = LoginGuard(inner, **SETTINGS)  # type: ignore[method-assign, assignment] # as its manual says

    @app.post("/login")
    async def login() -> QuartResponse:
        form = await quart_request.form
        if not is_right(form["username"], form["password"]):
            return QuartResponse(WRONG, 401)
        response = quart_redirect("/home", 303)
        response.set_cookie("session", "s", httponly=True)
        return response  # type: ignore[return-value] # werkzeug's, which Quart takes

    @app.get("/")
    async def home() -> str:
        return WELCOME

    @app.before_serving
    async def up() -> None:
        lived.append("up")

    @app.after_serving
    async def down() -> None:
        lived.append("down")

    return Built(app, lived=lived)


class Plain(Shop):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/login":
            CLASSES.append(DEVICE_CLASS.get())
        await super().__call__(scope, receive, send)


def on_nothing() -> Built:
    """No framework, and no lifespan."""
    return Built(LoginGuard(Plain({ACCOUNT: PASSWORD}), **SETTINGS))


SERVICES: list[Callable[[], Built]] = [
    on_starlette,
    on_a_mounted_starlette,
    around_a_mounted_starlette,
    on_fastapi,
    on_litestar,
    around_litestar,
    on_quart,
    on_nothing,
]
