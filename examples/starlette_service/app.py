"""An ordinary log-in service, as thousands run it: a form, a session cookie, an account page.

It knows nothing of sekisho; `protected.py` beside it adds the one line. Run it with

    SHOP_DATABASE=shop.sqlite3 uvicorn --factory examples.starlette_service.app:build
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from .accounts import SESSION_SECONDS, Members, Passwords, Sessions, connect
from .pages import account_page, login_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request


async def login_form(_: Request) -> Response:
    return HTMLResponse(login_page())


async def login(request: Request) -> Response:
    async with request.form(max_files=0, max_fields=8) as form:
        username, password = str(form.get("username", "")), str(form.get("password", ""))
    if not await request.app.state.passwords.right(username, password):
        return HTMLResponse(login_page(username=username, failed=True), status_code=401)
    response = RedirectResponse("/account", status_code=303)
    response.set_cookie(
        "session",
        request.app.state.sessions.begin(username),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


async def account(request: Request) -> Response:
    username = request.app.state.sessions.username(request.cookies.get("session", ""))
    if username is None:
        return RedirectResponse("/login", status_code=303)
    return HTMLResponse(account_page(username), headers={"Cache-Control": "no-store"})


async def logout(request: Request) -> Response:
    request.app.state.sessions.end(request.cookies.get("session", ""))
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie("session")
    return response


def hasher() -> PasswordHasher:
    """argon2 by OWASP's minimum (two passes over 19 MiB), or by `SHOP_ARGON2=passes,KiB,lanes`."""
    passes, kibibytes, lanes = map(int, os.environ.get("SHOP_ARGON2", "2,19456,1").split(","))
    return PasswordHasher(time_cost=passes, memory_cost=kibibytes, parallelism=lanes)


def build() -> Starlette:
    """The service on the database that `SHOP_DATABASE` names."""
    connection = connect(os.environ.get("SHOP_DATABASE", "shop.sqlite3"))
    members = Members(connection)
    passwords = Passwords(members, hasher())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        passwords.close()
        connection.close()

    app = Starlette(
        routes=[
            Route("/", login_form),
            Route("/login", login_form, methods=["GET"]),
            Route("/login", login, methods=["POST"]),
            Route("/account", account),
            Route("/logout", logout, methods=["POST"]),
        ],
        lifespan=lifespan,
    )
    app.state.members, app.state.passwords, app.state.sessions = members, passwords, Sessions(connection)
    return app
