"""Routes of real frameworks that look like doors, and are none of the settings' doors."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter, FastAPI
from litestar import Litestar, get, post
from litestar import Router as LitestarRouter
from quart import Quart
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount, Route

from sekisho import LoginGuard
from sekisho.check.look_alikes import look_alikes, routes_in
from sekisho.model import DoorKind
from sekisho.settings.doors import parse_doors
from sekisho.testing import SECRET

if TYPE_CHECKING:
    from pathlib import Path

LOGIN = "POST /login form:username,password"


DJANGO = """
import django
from django.conf import settings
from django.contrib import admin
from django.core.asgi import get_asgi_application
from django.urls import include, path, re_path

settings.configure(
    ROOT_URLCONF=__name__, SECRET_KEY="x",
    INSTALLED_APPS=["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                    "django.contrib.messages", "django.contrib.sessions"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
)
django.setup()

def page(request): ...

accounts = [path("login/", page), re_path(r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$", page)]
urlpatterns = [path("admin/", admin.site.urls), path("accounts/", include(accounts)), path("home/", page)]

def found():
    from sekisho import LoginGuard
    from sekisho.check.look_alikes import look_alikes

    guard = LoginGuard(get_asgi_application(), secret=b"s3cret of a test that nobody uses!")
    return [each.route for each in look_alikes(guard, guard.doors)]
"""


def found(app: Any, login: str = LOGIN) -> list[tuple[str, str]]:
    return [
        (each.kind.value, each.route) for each in look_alikes(app, parse_doors(DoorKind.LOGIN, login, "SEKISHO_LOGIN"))
    ]


async def nothing(_request: Any) -> Any: ...


def starlette() -> Starlette:
    api = Starlette(routes=[Route("/sign-up", nothing, methods=["POST"]), Route("/items", nothing, methods=["POST"])])
    return Starlette(
        routes=[
            Route("/login", nothing, methods=["GET", "POST"]),
            Route("/password", nothing, methods=["PUT"]),
            Route("/forgot-password", nothing, methods=["GET"]),
            Mount("/api", api),
        ],
        middleware=[Middleware(GZipMiddleware)],
    )


def fastapi() -> FastAPI:
    auth, app = APIRouter(prefix="/auth"), FastAPI()
    for path in ("/jwt/login", "/jwt/logout", "/register", "/reset-password", "/request-verify-token", "/verify"):
        auth.add_api_route(path, nothing, methods=["POST"])
    app.include_router(auth, prefix="/v1")
    return app


def litestar() -> Litestar:
    @post("/{tenant:str}/login")
    async def login() -> None: ...

    @get("/login")
    async def page() -> None: ...

    return Litestar([LitestarRouter("/auth", route_handlers=[login, page])])


def quart() -> Quart:
    app = Quart("shop")
    app.add_url_rule("/session", view_func=nothing, methods=["POST"])
    app.add_url_rule("/reset/<token>", view_func=nothing, methods=["GET", "POST"])
    return app


async def test_starlette() -> None:
    """Its mounts too; a page that is only read is no door, and the door is none that is left out."""
    assert found(starlette()) == [("signup", "POST /api/sign-up"), ("change", "PUT /password")]


async def test_fastapi() -> None:
    """Included routers have both prefixes. A log-out is no log-in."""
    assert found(fastapi()) == [
        ("login", "POST /v1/auth/jwt/login"),
        ("login", "POST /v1/auth/request-verify-token"),
        ("signup", "POST /v1/auth/register"),
        ("reset", "POST /v1/auth/reset-password"),
        ("code", "POST /v1/auth/verify"),
    ]


async def test_litestar() -> None:
    assert found(litestar()) == [("login", "POST /auth/{tenant}/login")]


async def test_quart() -> None:
    assert found(quart()) == [("login", "POST /session"), ("reset", "POST /reset/{token}")]


async def test_a_door_with_placeholders_is_none_that_is_left_out() -> None:
    assert ("login", "POST /v1/auth/jwt/login") not in found(
        fastapi(), f"{LOGIN}; POST /v1/{{x}}/jwt/login form:username,password"
    )


async def test_a_door_that_reads_a_header_alone_leaves_out_what_is_posted() -> None:
    """HTTP Basic is counted everywhere below it, and a form is not."""
    assert ("login", "POST /v1/auth/jwt/login") in found(fastapi(), f"{LOGIN}; * /v1/* basic success=!401")


async def test_the_guard_and_other_middleware_are_looked_through() -> None:
    """The application that a server is given may be the guard, with other middleware inside of it."""
    guard = LoginGuard(GZipMiddleware(starlette()), secret=SECRET)

    assert found(guard) == [("signup", "POST /api/sign-up"), ("change", "PUT /password")]


def test_django(tmp_path: Path) -> None:
    """Its patterns tell no methods, and may be regular expressions; it is asked in a process of its own."""
    (tmp_path / "shop.py").write_text(DJANGO)
    code = "import shop; print(*shop.found(), sep='\\n')"
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert said.stdout.splitlines() == [
        "POST /accounts/login/", "POST /admin/login/", "POST /accounts/password/reset/key/{uidb36}-{key}/",
        "POST /admin/auth/user/{id}/password/", "POST /admin/password_change/",
    ]  # fmt: skip


async def test_an_application_without_routes_has_none() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    assert list(routes_in(app)) == []
    assert list(routes_in(LoginGuard(app, secret=SECRET))) == []


@pytest.mark.parametrize(
    "path",
    ["/logout", "/login/callback", "/csrf-token", "/api-tokens", "/token/refresh", "/qrcode", "/zip-code", "/items",
     "/tokens/{id}/revoke", "/", "/{path}", "/blogin", "/analytics/session-replay"],
)  # fmt: skip
async def test_what_is_no_door(path: str) -> None:
    assert found(Starlette(routes=[Route(path, nothing, methods=["POST"])])) == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/api/token", "login"), ("/accounts/log_in", "login"), ("/Users/SignIn", "login"), ("/user-login", "login"),
     ("/dj-rest-auth/registration", "signup"), ("/users/create-account", "signup"), ("/password/forgot", "reset"),
     ("/reset_password/{token}", "reset"), ("/me/password", "change"), ("/password/change", "change"),
     ("/login/otp", "code"), ("/2fa", "code"), ("/mfa/verify", "code"), ("/login/two-factor", "code")],
)  # fmt: skip
async def test_what_looks_like_a_door(path: str, kind: str) -> None:
    assert found(Starlette(routes=[Route(path, nothing, methods=["POST"])])) == [(kind, f"POST {path}")]
