"""A WSGI application (Flask, Bottle, Django without ASGI) stands behind an adapter, and the guard before that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from a2wsgi import WSGIMiddleware

from tests.asgi.driving import OPEN, guarded, log_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from a2wsgi.wsgi_typing import Environ, StartResponse


def shop(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    form = parse_qs(environ["wsgi.input"].read().decode())
    if form["password"] != ["right"]:
        start_response("401 Unauthorized", [])
        return [b"wrong"]
    start_response("302 Found", [("location", "/home"), ("set-cookie", "session=1; HttpOnly")])
    return []


async def test_a_wsgi_application_is_guarded_behind_an_adapter() -> None:
    """The recipe of docs/frameworks.md: guesses are limited, and a success makes the device known."""
    settings = {**OPEN, "limit_account": "3/hour", "challenges": "none"}
    app: Any = WSGIMiddleware(shop)
    guard = guarded(app, login="POST /login form:username,password success=302:/home", **settings)

    right = await log_in(guard, "hana", "right")
    codes = [(await log_in(guard, "kenji", f"guess {number}")).status for number in range(4)]

    assert (right.status, bool(right.device)) == (302, True)
    assert codes == [401, 401, 401, 429]
