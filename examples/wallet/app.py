"""A small wallet, like the one that was emptied in July 2019: open an account, link a bank account, top up, pay out.

It is careful where such services usually are (hashes, sessions, escaped pages, exact books), and careless where they
were: anybody may log in with a password alone, the reset mails its link to any address, and a number and a PIN are
enough to link a bank account. `LoginGuard` closes these doors by configuration alone: `guard.env` beside this file.
With `SEKISHO_MODE=off` the wallet is as it was.

    pip install '.[demo]'
    set -a; . examples/wallet/guard.env; set +a  # and what it says an operator adds
    uvicorn --factory examples.wallet.app:build --no-proxy-headers
"""

from __future__ import annotations

import asyncio
import os
import re
import smtplib
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sekisho import LoginGuard
from sekisho.passwords import OWASP, Passwords, PasswordsBusy, Profile, UnusablePassword

from . import pages
from .books import SESSION_SECONDS, Books, Member, NotPossible
from .pages import Look
from .words import NAME, language

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request

    Handler = Callable[[Request, Member], Awaitable[Response]]

_AMOUNT = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
_EMAIL = re.compile(r"[^@\s,;<>]{1,200}@[^@\s,;<>]{1,50}")


# Opening an account, logging in and out.


async def login_form(request: Request) -> Response:
    return HTMLResponse(pages.login_page(look(request)))


async def login(request: Request) -> Response:
    state = request.app.state
    email, password = await typed(request, "email", "password")
    member = await state.books.by_email(email)
    stored = member.password_hash if member else None
    if not await state.passwords.verify(stored, password) or member is None:
        return HTMLResponse(pages.login_page(look(request, "failed_login"), email), status_code=401)
    return await logged_in(request, member, await previous_log_in(request))


async def passkey_login(request: Request) -> Response:
    # The guard names the account whose passkey it has verified. Without a guard nobody has.
    guard = getattr(request.state, "sekisho", None)
    email = guard.passkey_account if guard is not None else None
    member = await request.app.state.books.by_email(email) if email is not None else None
    if member is None:
        return HTMLResponse(pages.login_page(look(request, "failed_passkey")), status_code=401)
    return await logged_in(request, member, await previous_log_in(request))


async def signup_form(request: Request) -> Response:
    return HTMLResponse(pages.signup_page(look(request)))


async def signup(request: Request) -> Response:
    state = request.app.state
    email, password = await typed(request, "email", "password")
    if not _EMAIL.fullmatch(email):
        return HTMLResponse(pages.signup_page(look(request, "failed_signup"), email), status_code=409)
    password_hash = await state.passwords.hash(password)
    try:
        # An e-mail address is enough, and nobody asks whether it is one's own: as at Docomo in 2020.
        member = await state.books.add(email, password_hash)
    except NotPossible:
        return HTMLResponse(pages.signup_page(look(request, "failed_signup"), email), status_code=409)
    return await logged_in(request, member)


async def logout(request: Request) -> Response:
    await request.app.state.books.end(request.cookies.get("session", ""))
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie("session")
    return response


# A lost password.


async def reset_form(request: Request) -> Response:
    return HTMLResponse(pages.reset_page(look(request)))


async def reset(request: Request) -> Response:
    state = request.app.state
    email, birthday, send_to = await typed(request, "email", "birthday", "send_to")
    member = await state.books.by_email(email)
    # The link goes where the form says, and not where the account says: as at 7pay in 2019.
    if member is not None and member.birthday == birthday and _EMAIL.fullmatch(send_to):
        await state.send(send_to, await state.books.issue("reset", member.id), look(request).language)
    return HTMLResponse(pages.notice_page(look(request), "sent"))


async def confirm_form(request: Request) -> Response:
    return HTMLResponse(pages.confirm_page(look(request), request.query_params.get("token", "")))


async def confirm(request: Request) -> Response:
    state = request.app.state
    token, password = await typed(request, "token", "password")
    member = await state.books.redeem_reset(token)
    if member is None:
        return HTMLResponse(pages.notice_page(look(request), "failed_reset"), status_code=401)
    await state.books.set_password(member.id, await state.passwords.hash(password))
    # The form names no account. The guard ends what a thief may hold of this one.
    if (guard := getattr(request.state, "sekisho", None)) is not None:
        guard.report(success=True, account=member.email)
    return RedirectResponse("/login", status_code=303)


# Pages of a member.


def members_only(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Calls the handler with the session's member; sends everybody else to the log-in."""

    async def answer(request: Request) -> Response:
        member = await request.app.state.books.by_session(request.cookies.get("session", ""))
        if member is None:
            return RedirectResponse("/login", status_code=303)
        response = await handler(request, member)
        response.headers["Cache-Control"] = "no-store"
        return response

    return answer


@members_only
async def home(request: Request, member: Member) -> Response:
    books = request.app.state.books
    linked, moves = await books.linked(member.id), await books.moves(member.id)
    previous = await books.note(request.cookies.get("session", ""))
    return HTMLResponse(pages.home_page(look(request), member.email, member.balance, linked, moves, previous))


@members_only
async def link_form(request: Request, _: Member) -> Response:
    return HTMLResponse(pages.link_page(look(request)))


@members_only
async def link(request: Request, member: Member) -> Response:
    number, pin = await typed(request, "number", "pin")
    try:
        await request.app.state.books.link(member.id, number, pin)
    except NotPossible:
        return HTMLResponse(pages.link_page(look(request, "failed_link")), status_code=401)
    return RedirectResponse("/home", status_code=303)


@members_only
async def money_form(request: Request, member: Member) -> Response:
    linked = await request.app.state.books.linked(member.id)
    return HTMLResponse(pages.money_page(look(request), request.url.path, linked))


@members_only
async def money(request: Request, member: Member) -> Response:
    books, action = request.app.state.books, request.url.path
    number, amount = await typed(request, "number", "amount")
    move = books.top_up if action == "/top-up" else books.pay_out
    try:
        # No move is of nothing, and nothing is what an odd amount is worth.
        await move(member.id, number, int(amount) if _AMOUNT.fullmatch(amount) else 0)
    except NotPossible:
        shown = pages.money_page(look(request, "failed_money"), action, await books.linked(member.id))
        return HTMLResponse(shown, status_code=409)
    return RedirectResponse("/home", status_code=303)


@members_only
async def password_form(request: Request, member: Member) -> Response:
    return HTMLResponse(pages.password_page(look(request), member.email))


@members_only
async def change_password(request: Request, member: Member) -> Response:
    state = request.app.state
    named, old_password, new_password = await typed(request, "email", "old_password", "new_password")
    # The guard counts guesses by the name in the form, which must therefore be the session's.
    stored = member.password_hash if named == member.email else None
    if not await state.passwords.verify(stored, old_password):
        return HTMLResponse(pages.password_page(look(request, "failed_change"), member.email), status_code=401)
    await state.books.set_password(member.id, await state.passwords.hash(new_password))
    return await logged_in(request, member)


# Parts of all of them.


async def busy(request: Request, error: Any) -> Response:
    page = pages.notice_page(look(request), "busy")
    return HTMLResponse(page, status_code=503, headers={"Retry-After": str(error.retry_after_s)})


async def unusable(request: Request, _: Exception) -> Response:
    return HTMLResponse(pages.notice_page(look(request), "unusable"), status_code=422)


def look(request: Request, alert: str = "") -> Look:
    return Look(language(request.headers.get("accept-language", "")), alert)


async def typed(request: Request, *names: str) -> list[str]:
    async with request.form(max_files=0, max_fields=8) as form:
        return [str(form.get(name, "")) for name in names]


async def previous_log_in(request: Request) -> str:
    """When, with what and from where the member logged in before; empty where no guard knows it."""
    guard = getattr(request.state, "sekisho", None)
    found = await guard.previous_log_in() if guard is not None else None
    if found is None:
        return ""
    when = datetime.fromtimestamp(found.at_s, UTC)
    return " · ".join(filter(None, (f"{when:%Y-%m-%d %H:%M} UTC", found.browser, found.place or found.network)))


async def logged_in(request: Request, member: Member, previous: str = "") -> Response:
    response = RedirectResponse("/home", status_code=303)
    response.set_cookie(
        "session",
        await request.app.state.books.issue("session", member.id, previous),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


async def send_reset(to: str, token: str, spoken: str) -> None:
    """Mail the link by the relay that `WALLET_SMTP=host:port` names; without one, nothing is sent."""
    host, _, port = os.environ.get("WALLET_SMTP", "").partition(":")
    if host:
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = "wallet@wallet.test", to, NAME[spoken]
        letter.set_content(f"{os.environ.get('WALLET_URL', 'https://wallet.test')}/reset/confirm?token={token}\n")
        await asyncio.to_thread(_hand_over, host, int(port or 25), letter)


def _hand_over(host: str, port: int, letter: EmailMessage) -> None:
    with smtplib.SMTP(host, port, timeout=10) as relay:
        relay.send_message(letter)


def profile() -> Profile:
    """The cost of a hash: OWASP's minimum, or `SHOP_ARGON2=passes,KiB,lanes`."""
    if not (chosen := os.environ.get("SHOP_ARGON2")):
        return OWASP
    passes, memory_kib, lanes = map(int, chosen.split(","))
    return Profile(passes, memory_kib, lanes)


def routes() -> list[Route]:
    both = {
        "/login": (login_form, login), "/signup": (signup_form, signup), "/reset": (reset_form, reset),
        "/reset/confirm": (confirm_form, confirm), "/link": (link_form, link), "/top-up": (money_form, money),
        "/payout": (money_form, money), "/password": (password_form, change_password),
    }  # fmt: skip
    shown = [Route(path, form, methods=["GET"]) for path, (form, _) in both.items()]
    taken = [Route(path, act, methods=["POST"]) for path, (_, act) in both.items()]
    acts = [Route("/logout", logout, methods=["POST"]), Route("/login/passkey", passkey_login, methods=["POST"])]
    return [Route("/", home), Route("/home", home), *shown, *taken, *acts]


def build() -> Starlette:
    """Create the wallet on the database that `WALLET_DATABASE` names."""
    books = Books(os.environ.get("WALLET_DATABASE", "sqlite+aiosqlite:///wallet.sqlite3"))
    passwords = Passwords(profile())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await books.create()
        yield
        await passwords.aclose()
        await books.aclose()

    app = Starlette(
        routes=routes(),
        exception_handlers={PasswordsBusy: busy, UnusablePassword: unusable},
        lifespan=lifespan,
    )
    app.state.books, app.state.passwords, app.state.send = books, passwords, send_reset
    app.add_middleware(LoginGuard)
    return app
