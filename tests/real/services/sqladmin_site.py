"""sqladmin with an `AuthenticationBackend`, as its documentation writes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqladmin import Admin
from sqladmin.authentication import AuthenticationBackend
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette

if TYPE_CHECKING:
    from starlette.requests import Request


class Backend(AuthenticationBackend):
    async def login(self, request: Request) -> bool:
        form = await request.form()
        if (form["username"], form["password"]) != ("hana", "right"):
            return False
        request.session.update({"token": "hana"})
        return True

    async def logout(self, request: Request) -> bool:
        request.session.clear()
        return True

    async def authenticate(self, request: Request) -> bool:
        return "token" in request.session


def _app() -> Any:
    starlette = Starlette()
    Admin(starlette, create_async_engine("sqlite+aiosqlite://"), authentication_backend=Backend("not a secret"))
    return starlette


app = _app()
