"""A JSON API that hands out tokens, guarded: the door is named where the guard is added.

Run it with

    SEKISHO_SECRET=$(openssl rand -hex 32) uvicorn --factory examples.fastapi_service.app:build
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials  # noqa: TC002 - FastAPI reads annotations as it runs
from pydantic import BaseModel, Field

from sekisho import LoginGuard

HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's minimum
HASHES_AT_ONCE = 2


class Credentials(BaseModel):
    email: str = Field(max_length=254)
    password: str = Field(max_length=1024)


class Token(BaseModel):
    access_token: str
    token_type: str = "bearer"


class Accounts:
    """One account and the tokens it was given, in memory; a real service has a database here."""

    def __init__(self) -> None:
        self._hashes = {"hana@example.com": HASHER.hash("correct horse battery staple")}
        self._nobodys_hash = HASHER.hash(secrets.token_hex())
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)
        self.emails: dict[str, str] = {}

    async def log_in(self, given: Credentials) -> str | None:
        known = self._hashes.get(given.email)
        async with self._hashing:
            right = await asyncio.to_thread(_verify, known or self._nobodys_hash, given.password)
        if not right or known is None:
            return None
        token = secrets.token_urlsafe(32)
        self.emails[token] = given.email
        return token


def _verify(password_hash: str, password: str) -> bool:
    try:
        return HASHER.verify(password_hash, password)
    except VerificationError:
        return False


def build() -> FastAPI:
    app, accounts = FastAPI(title="Orders"), Accounts()

    @app.post("/api/token")
    async def token(given: Credentials) -> Token:
        if (access_token := await accounts.log_in(given)) is None:
            raise HTTPException(401, "That e-mail address and password do not belong together.")
        return Token(access_token=access_token)

    @app.get("/api/me")
    async def me(bearer: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> dict[str, str]:
        if (email := accounts.emails.get(bearer.credentials)) is None:
            raise HTTPException(401, "Log in first.")
        return {"email": email}

    app.add_middleware(LoginGuard, login="POST /api/token json:email,password success=json:access_token")
    return app
