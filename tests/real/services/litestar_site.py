"""Litestar with sessions on the server's side, as its documentation writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litestar import Litestar, get, post
from litestar.connection import ASGIConnection, Request
from litestar.exceptions import NotAuthorizedException
from litestar.middleware.session.server_side import ServerSideSessionBackend, ServerSideSessionConfig
from litestar.security.session_auth import SessionAuth


@dataclass
class User:
    id: int
    name: str


@dataclass
class Login:
    username: str
    password: str


USERS = {"1": User(1, "hana")}


async def user_of(session: dict[str, Any], connection: ASGIConnection[Any, Any, Any, Any]) -> User | None:
    return USERS.get(session.get("user_id", ""))


@post("/login")
async def login(data: Login, request: Request[Any, Any, Any]) -> User:
    if (data.username, data.password) != ("hana", "right"):
        raise NotAuthorizedException
    request.set_session({"user_id": "1"})
    return USERS["1"]


@get("/me")
async def me(request: Request[User, Any, Any]) -> str:
    return request.user.name


sessions = SessionAuth[User, ServerSideSessionBackend](
    retrieve_user_handler=user_of, session_backend_config=ServerSideSessionConfig(), exclude=["/login", "/schema"]
)
app = Litestar([login, me], on_app_init=[sessions.on_app_init])
