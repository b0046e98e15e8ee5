"""A service for real servers to run, and proxies that stand before it.

The settings come from the environment, as for an operator's service. `python -m uvicorn --factory
tests.doctor.site:shop` runs it.
"""

from __future__ import annotations

import http.client
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route

from sekisho import LoginGuard
from tests.acceptance.processes import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request
    from starlette.responses import Response

    from sekisho.asgi.types import App, Receive, Scope, Send

FRONT = "https://app.example"


async def front_page(_: Request) -> Response:
    return PlainTextResponse("a shop")


async def account(_: Request) -> Response:
    form = '<form method="post"><input name="email"><input type="password" name="pass"></form>'
    return HTMLResponse(f"<p>an account</p>{form}")


async def with_token(request: Request) -> Response:
    """A form with a token that stands in the session as well."""
    token = request.session.setdefault("csrf", "t1")
    field = f'<input type="hidden" name="csrf_token" value="{token}">'
    return HTMLResponse(f'<form method="post">{field}<input name="username"><input type="password" name="password">')


async def log_in(request: Request) -> Response:
    if request.method == "GET":
        page = HTMLResponse('<form method="post"><input name="username"><input type="password" name="password"></form>')
        page.set_cookie("basket", "1", secure=False)
        page.set_cookie("csrftoken", "1", secure=True)
        return page
    return RedirectResponse("/login", 303)


def shop(*outer: Middleware) -> Starlette:
    routes = [Route("/", front_page), Route("/account", account), Route("/login", log_in, methods=["GET", "POST"])]
    return Starlette(routes=routes, middleware=[*outer, Middleware(LoginGuard)])


def shop_with_token() -> Starlette:
    routes = [Route("/", front_page), Route("/login", with_token, methods=["GET", "POST"])]
    sessions = Middleware(SessionMiddleware, secret_key="k" * 32, https_only=True)
    return Starlette(routes=routes, middleware=[Middleware(LoginGuard), sessions])


class Sessions:
    """As a session middleware: the scope has a session from here on."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "session": {}}, receive, send)


def shop_behind_cors() -> Starlette:
    return shop(Middleware(CORSMiddleware, allow_origins=[FRONT], allow_credentials=True))


def shop_behind_sessions() -> Starlette:
    return shop(Middleware(Sessions))


@contextmanager
def served(*options: str, app: str = "shop", hsts: str = "max-age=31536000", **settings: str) -> Iterator[int]:
    """The service on a port of 127.0.0.1, run by uvicorn with these options, and this `Strict-Transport-Security`."""
    line = [sys.executable, "-m", "uvicorn", "--factory", f"tests.doctor.site:{app}", *options]
    line += ["--header", f"strict-transport-security:{hsts}"] if hsts else []
    with serving(lambda fd: [*line, "--fd", str(fd)], settings) as port:
        yield port


PROXY = "127.0.0.2"
"""The address from which the proxies ask the service."""

Forward = dict[str, str]


def appending(headers: Forward, client: str) -> Forward:
    """As nginx's `$proxy_add_x_forwarded_for`."""
    before = headers.get("x-forwarded-for")
    return {**headers, "x-forwarded-for": f"{before}, {client}" if before else client}


def passing_on(headers: Forward, _client: str) -> Forward:
    """As a proxy without any line about forwarding: the client's own header goes on."""
    return headers


@contextmanager
def proxied(port: int, rule: Callable[[Forward, str], Forward]) -> Iterator[int]:
    """A proxy before the service at a port. `rule` makes the forwarded headers of the client's, and its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(PROXY, 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            connection.request("GET", self.path, headers=rule(headers, "198.51.100.7"))
            answer = connection.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            connection.close()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
