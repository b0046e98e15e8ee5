"""A guarded JSON API that issues tokens: `add_middleware` names the door.

Run it in a checkout with

    pip install . uvicorn fastapi
    SEKISHO_SECRET=$(openssl rand -hex 32) uvicorn --no-proxy-headers --factory examples.fastapi_service.app:build
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials  # noqa: TC002 - FastAPI reads annotations as it runs
from pydantic import BaseModel, Field

from sekisho import LoginGuard
from sekisho.passwords import Passwords, PasswordsBusy

# The hash of "correct horse battery staple".
HANAS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$gylVoQiObwpvVM/df9mjdA$XLlAQIkytr8qwaSf1dqLW84+1mPSWyq/qFac/rjzrOM"


class Credentials(BaseModel):
    email: str = Field(max_length=254)
    password: str = Field(min_length=1, max_length=1024)


class Token(BaseModel):
    access_token: str
    token_type: str = "bearer"


class Accounts:
    """One account and its tokens, in memory; a real service has a database here."""

    def __init__(self) -> None:
        self._hashes = {"hana@example.com": HANAS_HASH}
        self._passwords = Passwords()
        self.emails: dict[str, str] = {}

    async def log_in(self, given: Credentials) -> str | None:
        stored = self._hashes.get(given.email)

        def renew(new: str) -> None:
            if self._hashes[given.email] == stored:  # unless it was changed meanwhile
                self._hashes[given.email] = new

        if not await self._passwords.verify(stored, given.password, renew=renew):
            return None
        token = secrets.token_urlsafe(32)
        self.emails[token] = given.email
        return token


def build() -> FastAPI:
    app, accounts = FastAPI(title="Orders"), Accounts()

    @app.post("/api/token")
    async def token(given: Credentials) -> Token:
        if (access_token := await accounts.log_in(given)) is None:
            raise HTTPException(401, "That email address and password do not belong together.")
        return Token(access_token=access_token)

    @app.exception_handler(PasswordsBusy)
    async def busy(_: Request, error: Any) -> JSONResponse:
        return JSONResponse({"detail": "Try again shortly."}, 503, {"Retry-After": str(error.retry_after_s)})

    @app.get("/api/me")
    async def me(bearer: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> dict[str, str]:
        if (email := accounts.emails.get(bearer.credentials)) is None:
            raise HTTPException(401, "Log in first.")
        return {"email": email}

    app.add_middleware(LoginGuard, login="POST /api/token json:email,password success=json:access_token")
    return app
