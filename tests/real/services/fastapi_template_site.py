"""A log-in with FastAPI's `OAuth2PasswordRequestForm` that answers as the one of the full-stack FastAPI template."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import BaseModel

OWNERS = {"hana@example.org": True, "ina@example.org": False}

app = FastAPI()


class Token(BaseModel):
    access_token: str
    token_type: str = "bearer"


@app.post("/api/v1/login/access-token")
def login_access_token(form_data: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Token:
    is_active = OWNERS.get(form_data.username)
    if is_active is None or form_data.password != "right":
        raise HTTPException(status_code=400, detail="Incorrect email or password")
    if not is_active:
        raise HTTPException(status_code=400, detail="Inactive user")
    return Token(access_token=secrets.token_urlsafe(32))
