"""A log-in with sessions on each framework, as its manual shows: those with a store keep the session that a client
sends.

All have three routes: `/visit` begins a session, `/login` puts an account into it, `/who` tells its account.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from django.conf import UserSettingsHolder, global_settings, settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpResponse, HttpResponseRedirect  # type: ignore[import-untyped]
from django.middleware.csrf import get_token  # type: ignore[import-untyped]
from django.urls import clear_url_caches, path  # type: ignore[import-untyped]
from fastapi import Cookie, FastAPI, Form
from fastapi import Response as FastAPIResponse
from litestar import Litestar, get, post
from litestar import Request as LitestarRequest
from litestar.enums import RequestEncodingType
from litestar.exceptions import NotAuthorizedException
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.params import Body
from litestar.response import Response as LitestarResponse
from quart import Quart
from quart import Response as QuartResponse
from quart import redirect as quart_redirect
from quart import request as quart_request
from quart import session as quart_session
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.stepup.flow.driving import OWNERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

NOBODY, VISITED = "nobody", "welcome"


def is_right(account: str, password: str) -> bool:
    return OWNERS.get(account) == password


# Litestar, with its sessions in a store: the id stays.


@get("/visit", media_type="text/plain")
async def litestar_visit(request: LitestarRequest[Any, Any, Any]) -> str:
    request.session["seen"] = 1
    return VISITED


@post("/login", status_code=303)
async def litestar_login(
    request: LitestarRequest[Any, Any, Any],
    data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> LitestarResponse[None]:
    if not is_right(data["username"], data["password"]):
        raise NotAuthorizedException("wrong")
    request.session["account"] = data["username"]
    return LitestarResponse(None, status_code=303, headers={"location": "/who"})


@get("/who", media_type="text/plain")
async def litestar_who(request: LitestarRequest[Any, Any, Any]) -> str:
    return str(request.session.get("account", NOBODY))


def on_litestar() -> Any:
    config = ServerSideSessionConfig(httponly=True, secure=True)
    return Litestar([litestar_visit, litestar_login, litestar_who], middleware=[config.middleware])


# Starlette and Quart, whose sessions are the cookie itself.


async def starlette_visit(request: Request) -> Response:
    request.session["seen"] = 1
    return PlainTextResponse(VISITED)


async def starlette_login(request: Request) -> Response:
    form = await request.form()
    if not is_right(str(form["username"]), str(form["password"])):
        return PlainTextResponse("wrong", 401)
    request.session["account"] = form["username"]
    return RedirectResponse("/who", 303)


async def starlette_who(request: Request) -> Response:
    return PlainTextResponse(request.session.get("account", NOBODY))


def on_starlette() -> Any:
    routes = [
        Route("/visit", starlette_visit),
        Route("/login", starlette_login, methods=["POST"]),
        Route("/who", starlette_who),
    ]
    return Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, secret_key="s" * 32, https_only=True)])


def on_quart() -> Any:
    app = Quart(__name__)
    app.secret_key = "s" * 32

    @app.get("/visit")
    async def visit() -> str:
        quart_session["seen"] = 1
        return VISITED

    @app.post("/login")
    async def login() -> QuartResponse:
        form = await quart_request.form
        if not is_right(form["username"], form["password"]):
            return QuartResponse("wrong", 401)
        quart_session["account"] = form["username"]
        return quart_redirect("/who", 303)  # type: ignore[return-value] # werkzeug's, which Quart takes

    @app.get("/who")
    async def who() -> str:
        return str(quart_session.get("account", NOBODY))

    return app


# FastAPI, with the service's own table of sessions.


def on_fastapi() -> Any:
    app = FastAPI()
    sessions: dict[str, str] = {}

    def keep(response: FastAPIResponse, session: str | None, account: str) -> None:
        key = session or secrets.token_urlsafe()
        sessions[key] = account
        response.set_cookie("session", key, httponly=True, secure=True)

    @app.get("/visit")
    def visit(session: Annotated[str | None, Cookie()] = None) -> FastAPIResponse:
        response = PlainTextResponse(VISITED)
        keep(response, session, NOBODY)
        return response

    @app.post("/login")
    async def login(
        username: Annotated[str, Form()],
        password: Annotated[str, Form()],
        session: Annotated[str | None, Cookie()] = None,
    ) -> FastAPIResponse:
        if not is_right(username, password):
            return PlainTextResponse("wrong", 401)
        response = RedirectResponse("/who", 303)
        keep(response, session, username)
        return response

    @app.get("/who")
    def who(session: Annotated[str | None, Cookie()] = None) -> FastAPIResponse:
        return PlainTextResponse(sessions.get(session or "", NOBODY))

    return app


# Django, with its own sessions and CSRF protection.


def django_visit(request: Any) -> Any:
    """Like a page with a form: the token in it belongs to a cookie."""
    request.session["seen"] = 1
    return HttpResponse(get_token(request))


async def django_login(request: Any) -> Any:
    if not is_right(request.POST["username"], request.POST["password"]):
        return HttpResponse("wrong", status=401)
    await request.session.aset("account", request.POST["username"])
    return HttpResponseRedirect("/who")


def django_who(request: Any) -> Any:
    return HttpResponse(request.session.get("account", NOBODY))


urlpatterns = [path("visit", django_visit), path("login", django_login), path("who", django_who)]


@contextmanager
def on_django() -> Iterator[Any]:
    """Django's settings are global, so they are set for this block only."""
    ours = UserSettingsHolder(global_settings)
    ours.ALLOWED_HOSTS = ["*"]
    ours.ROOT_URLCONF = __name__
    ours.SECRET_KEY = "only for tests"
    ours.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    ours.SESSION_COOKIE_NAME = "session"
    ours.SESSION_COOKIE_SECURE = True
    ours.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ]
    ours.LOGGING_CONFIG = None  # it would add handlers to loggers that outlive us
    before, settings._wrapped = settings._wrapped, ours
    try:
        yield get_asgi_application()
    finally:
        settings._wrapped = before
        clear_url_caches()
