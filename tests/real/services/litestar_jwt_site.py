"""Litestar's `JWTAuth`, as its documentation writes it: the token comes in a header of the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litestar import Litestar, Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.security.jwt import JWTAuth, Token


@dataclass
class User:
    id: str
    name: str


@dataclass
class Login:
    username: str
    password: str


USERS = {"1": User("1", "hana")}


async def user_of(token: Token, connection: ASGIConnection[Any, Any, Any, Any]) -> User | None:
    return USERS.get(token.sub)


tokens = JWTAuth[User](
    retrieve_user_handler=user_of,
    token_secret="not a secret, and long enough to sign with",
    exclude=["/login", "/schema"],
)


@post("/login")
async def login(data: Login) -> Response[User]:
    if (data.username, data.password) != ("hana", "right"):
        raise NotAuthorizedException
    return tokens.login(identifier="1", response_body=USERS["1"])


@get("/me")
async def me(request: Request[User, Token, Any]) -> str:
    return request.user.name


app = Litestar([login, me], on_app_init=[tokens.on_app_init])
