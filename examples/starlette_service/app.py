"""An ordinary service with members: sign up, log in, change the password, log out.

It does not know the guard; `protected.py` beside it adds that. Run it in a checkout with

    pip install . uvicorn python-multipart
    SHOP_DATABASE=shop.sqlite3 uvicorn --no-proxy-headers --factory examples.starlette_service.app:build
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sekisho.passwords import OWASP, Passwords, PasswordsBusy, Profile, UnusablePassword

from .accounts import SESSION_SECONDS, Members, NotToBeHad, Sessions, connect
from .pages import account_page, login_page, notice_page, password_page, signup_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request


async def login_form(_: Request) -> Response:
    return HTMLResponse(login_page())


async def login(request: Request) -> Response:
    state = request.app.state
    username, password = await typed(request, "username", "password")
    stored = state.members.password_hash(username)
    renew = partial(state.members.replace_hash, username, stored)
    if not await state.passwords.verify(stored, password, renew=renew):
        return HTMLResponse(login_page(username=username, failed=True), status_code=401)
    return logged_in(request, username)


async def signup_form(_: Request) -> Response:
    return HTMLResponse(signup_page())


async def signup(request: Request) -> Response:
    username, password = await typed(request, "username", "password")
    password_hash = await request.app.state.passwords.hash(password)
    try:
        request.app.state.members.add([(username, password_hash)])
    except NotToBeHad:
        return HTMLResponse(signup_page(username=username, failed=True), status_code=409)
    return logged_in(request, username)


async def password_form(request: Request) -> Response:
    if (username := who(request)) is None:
        return RedirectResponse("/login", status_code=303)
    return HTMLResponse(password_page(username))


async def change_password(request: Request) -> Response:
    state, username = request.app.state, who(request)
    if username is None:
        return RedirectResponse("/login", status_code=303)
    named, old_password, new_password = await typed(request, "username", "old_password", "new_password")
    # The guard counts guesses by the name in the form. If that could differ from the session's, an attacker with a
    # stolen session could guess its password uncounted.
    stored = state.members.password_hash(username) if named == username else None
    if not await state.passwords.verify(stored, old_password):
        return HTMLResponse(password_page(username, failed=True), status_code=401)
    if not state.members.replace_hash(username, stored, await state.passwords.hash(new_password)):
        return HTMLResponse(password_page(username, failed=True), status_code=409)
    state.sessions.end_all(username)  # an attacker with the old password is logged out too
    return logged_in(request, username)


async def account(request: Request) -> Response:
    if (username := who(request)) is None:
        return RedirectResponse("/login", status_code=303)
    return HTMLResponse(account_page(username), headers={"Cache-Control": "no-store"})


async def logout(request: Request) -> Response:
    request.app.state.sessions.end(request.cookies.get("session", ""))
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie("session")
    return response


async def busy(_: Request, error: Any) -> Response:
    page = notice_page("One moment, please", "Many members are logging in right now. Please try again in a moment.")
    return HTMLResponse(page, status_code=503, headers={"Retry-After": str(error.retry_after_s)})


async def unusable(_: Request, __: Exception) -> Response:
    page = notice_page("That password cannot be used", "It is empty or far too long. Please go back and try another.")
    return HTMLResponse(page, status_code=422)


async def typed(request: Request, *names: str) -> list[str]:
    async with request.form(max_files=0, max_fields=8) as form:
        return [str(form.get(name, "")) for name in names]


def who(request: Request) -> str | None:
    username: str | None = request.app.state.sessions.username(request.cookies.get("session", ""))
    return username


def logged_in(request: Request, username: str) -> Response:
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


def profile() -> Profile:
    """The cost of a hash: OWASP's minimum, or `SHOP_ARGON2=passes,KiB,lanes`."""
    if not (chosen := os.environ.get("SHOP_ARGON2")):
        return OWASP
    passes, memory_kib, lanes = map(int, chosen.split(","))
    return Profile(passes, memory_kib, lanes)


def build() -> Starlette:
    """Create the service on the database that `SHOP_DATABASE` names."""
    connection = connect(os.environ.get("SHOP_DATABASE", "shop.sqlite3"))
    passwords = Passwords(profile())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await passwords.aclose()
        connection.close()

    app = Starlette(
        routes=[
            Route("/", login_form),
            Route("/login", login_form, methods=["GET"]),
            Route("/login", login, methods=["POST"]),
            Route("/signup", signup_form, methods=["GET"]),
            Route("/signup", signup, methods=["POST"]),
            Route("/password", password_form, methods=["GET"]),
            Route("/password", change_password, methods=["POST"]),
            Route("/account", account),
            Route("/logout", logout, methods=["POST"]),
        ],
        exception_handlers={PasswordsBusy: busy, UnusablePassword: unusable},
        lifespan=lifespan,
    )
    app.state.members, app.state.passwords, app.state.sessions = Members(connection), passwords, Sessions(connection)
    return app
