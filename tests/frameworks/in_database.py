"""`python -m tests.frameworks.in_database`: a log-in of two pages on Django, whose sessions are in a database.

Writes the statuses of the answers as JSON. A process of its own: Django's settings and databases are global.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import django  # type: ignore[import-untyped]
import httpx
from django.conf import settings  # type: ignore[import-untyped]

from sekisho.testing import guarded

DOCUMENT = Path(__file__).parents[2] / "docs" / "frameworks.md"

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for tests",
    INSTALLED_APPS=["django.contrib.sessions"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:sessions?mode=memory&cache=shared"}},
)
django.setup()

from django.core.asgi import get_asgi_application  # type: ignore[import-untyped] # noqa: E402
from django.core.management import call_command  # type: ignore[import-untyped] # noqa: E402
from django.http import HttpResponse, HttpResponseRedirect  # type: ignore[import-untyped] # noqa: E402
from django.urls import path  # type: ignore[import-untyped] # noqa: E402


def name_page(request: Any) -> Any:
    request.session["name"] = request.POST["name"]
    return HttpResponseRedirect("/login/password")


def password_page(request: Any) -> Any:
    right = (request.session.get("name"), request.POST["password"]) == ("hana", "right")
    return HttpResponseRedirect("/home") if right else HttpResponse("wrong", status=401)


def one_page(request: Any) -> Any:
    return password_page(request) if "password" in request.POST else name_page(request)


urlpatterns = [path("login/name", name_page), path("login/password", password_page), path("login", one_page)]


def as_documented() -> Any:
    """The function of the document, so that the document is what was tried."""
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    code = next(block for block in blocks if "async def name_in_session" in block)
    found: dict[str, Any] = {}
    exec(code.partition("application = ")[0], found)
    return found["name_in_session"]


async def tried(app: Any, address: str, password: str, name_at: str, password_at: str) -> int:
    transport = httpx.ASGITransport(app, client=(address, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="https://shop.test") as client:
        await client.post(name_at, data={"name": "hana"})
        return (await client.post(password_at, data={"password": password})).status_code


async def main() -> None:
    two = {"code": "POST /login/password form:,password success=302:/home"}
    one = {"login": "POST /login form:name,password success=302:/home first=name"}
    found = [await guessed(two, "/login/name", "/login/password"), await guessed(one, "/login", "/login")]
    sys.stdout.write(json.dumps(found))


async def guessed(doors: dict[str, Any], *at: str) -> list[int]:
    """The statuses of a right log-in, and at another guard of four guesses and a right one."""
    settings = {"challenges": "none", "limit_account": "3/hour", "session_account": as_documented(), **doors}
    before, app = (guarded(get_asgi_application(), **settings) for _ in range(2))
    first = await tried(before, "2001:db8:98::1", "right", *at)
    guesses = [await tried(app, f"2001:db8:{n}::1", "wrong", *at) for n in range(4)]
    return [first, *guesses, await tried(app, "2001:db8:99::1", "right", *at)]


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    asyncio.run(main())
