"""starlette-admin with an `AuthProvider`, as its documentation writes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette_admin import BaseAdmin
from starlette_admin.auth import AdminUser, AuthProvider
from starlette_admin.exceptions import FormValidationError, LoginFailed

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


class Provider(AuthProvider):
    async def login(self, username: str, password: str, remember_me: bool, request: Request) -> Response | None:
        if len(username) < 3:
            raise FormValidationError({"username": "Ensure username has at least 3 characters"})
        if (username, password) != ("hana", "right"):
            raise LoginFailed("Invalid username or password")
        request.session["username"] = username
        return None

    async def is_authenticated(self, request: Request) -> bool:
        return request.session.get("username") == "hana"

    def get_admin_user(self, request: Request) -> AdminUser:
        return AdminUser(username="hana")

    async def logout(self, request: Request) -> Response | None:
        request.session.clear()
        return None


def _app() -> Any:
    starlette = Starlette()
    BaseAdmin(
        title="Shop",
        secret_key="not a secret",
        auth_provider=Provider(),
        middlewares=[Middleware(SessionMiddleware, secret_key="not a secret")],
    ).mount_to(starlette)
    return starlette


app = _app()
