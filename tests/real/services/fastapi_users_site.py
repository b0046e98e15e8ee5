"""fastapi-users with its cookie and its bearer transport, combined as in its documentation; users in memory."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, CookieTransport, JWTStrategy
from fastapi_users.db import BaseUserDatabase
from fastapi_users.password import PasswordHelper
from pwdlib import PasswordHash
from pwdlib.hashers.bcrypt import BcryptHasher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECRET = "not a secret, and long enough to sign with"
PASSWORDS = PasswordHelper(PasswordHash((BcryptHasher(rounds=4),)))


@dataclass
class User:
    email: str
    is_active: bool = True
    is_verified: bool = True
    is_superuser: bool = False
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    hashed_password: str = field(default_factory=lambda: PASSWORDS.hash("right"))


USERS = [User("hana@example.org"), User("ina@example.org", is_active=False), User("uma@example.org", is_verified=False)]


class Users(BaseUserDatabase[User, uuid.UUID]):
    async def get(self, id: uuid.UUID) -> User | None:
        return next((user for user in USERS if user.id == id), None)

    async def get_by_email(self, email: str) -> User | None:
        return next((user for user in USERS if user.email == email.lower()), None)

    async def update(self, user: User, update_dict: dict[str, Any]) -> User:
        for name, value in update_dict.items():
            setattr(user, name, value)
        return user


class Manager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET


async def manager() -> AsyncIterator[Manager]:
    yield Manager(Users(), PASSWORDS)


def strategy() -> JWTStrategy[User, uuid.UUID]:
    return JWTStrategy(secret=SECRET, lifetime_seconds=3600)


cookie = AuthenticationBackend(name="cookie", transport=CookieTransport(), get_strategy=strategy)
bearer = AuthenticationBackend(name="jwt", transport=BearerTransport("auth/jwt/login"), get_strategy=strategy)
people = FastAPIUsers[User, uuid.UUID](manager, [cookie, bearer])

app = FastAPI()
app.include_router(people.get_auth_router(cookie, requires_verification=True), prefix="/auth/cookie")
app.include_router(people.get_auth_router(bearer), prefix="/auth/jwt")


@app.get("/me")
async def me(user: User = Depends(people.current_user())) -> str:
    return user.email
