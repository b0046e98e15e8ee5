"""Who the members are, whether a password is theirs, and who is logged in: SQLite and argon2, nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from argon2.exceptions import InvalidHashError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from argon2 import PasswordHasher

PASSWORD_CHARACTERS_MAX = 1024
SESSION_SECONDS = 12 * 3600

_TABLES = """
pragma journal_mode = wal;
pragma synchronous = normal;
create table if not exists members (username text primary key, password_hash text not null) without rowid;
create table if not exists sessions (digest blob primary key, username text not null, until integer) without rowid;
"""


def connect(database: str | Path) -> sqlite3.Connection:
    """Open `database` and make sure of its tables. SQLite serialises calls, so threads may share the connection."""
    connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
    connection.executescript(_TABLES)
    return connection


class Members:
    """User names and password hashes. A user name is what was typed, to the letter."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, members: Iterable[tuple[str, str]]) -> None:
        """Add `(user name, password hash)` pairs, all or none."""
        with self._connection:
            self._connection.execute("begin")
            self._connection.executemany("insert into members values (?, ?)", members)

    def password_hash(self, username: str) -> str | None:
        row = self._connection.execute("select password_hash from members where username = ?", (username,)).fetchone()
        return row[0] if row else None


class Passwords:
    """Checks passwords in a few threads: argon2 leaves the interpreter free, and no crowd can start more of them.

    Attributes:
        checks: how many hashes have been computed to check a password since the start; a metric.
    """

    def __init__(self, members: Members, hasher: PasswordHasher, *, threads: int = 2) -> None:
        self.checks = 0
        self._members = members
        self._hasher = hasher
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="password")
        # Checked for user names that nobody has: their answer must take as long as anybody's.
        self._nobodys_hash = hasher.hash(secrets.token_hex())

    async def right(self, username: str, password: str) -> bool:
        """Whether `password` is that of `username`; costs one hash either way."""
        if len(password) > PASSWORD_CHARACTERS_MAX:
            return False
        self.checks += 1
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._check, username, password)

    def _check(self, username: str, password: str) -> bool:
        known = self._members.password_hash(username)
        try:
            self._hasher.verify(known or self._nobodys_hash, password)
        except (VerificationError, InvalidHashError):
            return False
        return known is not None

    def close(self) -> None:
        self._threads.shutdown()


class Sessions:
    """Who is logged in. Only a digest is stored: whoever reads the database can't walk in with it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def begin(self, username: str) -> str:
        """A new session's token, to be kept by the browser alone."""
        token, now = secrets.token_urlsafe(32), int(time.time())
        self._connection.execute("delete from sessions where until < ?", (now,))
        self._connection.execute(
            "insert into sessions values (?, ?, ?)", (_digest(token), username, now + SESSION_SECONDS)
        )
        return token

    def username(self, token: str) -> str | None:
        row = self._connection.execute(
            "select username from sessions where digest = ? and until >= ?", (_digest(token), int(time.time()))
        ).fetchone()
        return row[0] if row else None

    def end(self, token: str) -> None:
        self._connection.execute("delete from sessions where digest = ?", (_digest(token),))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
