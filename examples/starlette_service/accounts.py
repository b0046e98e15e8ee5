"""Members and sessions in SQLite."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SESSION_SECONDS = 12 * 3600

_TABLES = """
pragma journal_mode = wal;
pragma synchronous = normal;
create table if not exists members (
  username text primary key check (length(username) between 1 and 254), password_hash text not null) without rowid;
create table if not exists sessions (digest blob primary key, username text not null, until integer) without rowid;
"""


def connect(database: str | Path) -> sqlite3.Connection:
    """Open `database` and create its tables if needed. SQLite serialises calls, so threads may share the connection."""
    connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
    connection.executescript(_TABLES)
    return connection


class NotToBeHad(Exception):  # noqa: N818 - it is about a user name
    """The user name is taken, empty, or too long."""


class Members:
    """User names and password hashes. A user name is stored exactly as typed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, members: Iterable[tuple[str, str]]) -> None:
        """Add `(user name, password hash)` pairs, all or none. Raises `NotToBeHad`."""
        try:
            with self._connection:
                self._connection.execute("begin")
                self._connection.executemany("insert into members values (?, ?)", members)
        except sqlite3.IntegrityError:
            raise NotToBeHad from None

    def password_hash(self, username: str) -> str | None:
        row = self._connection.execute("select password_hash from members where username = ?", (username,)).fetchone()
        return row[0] if row else None

    def replace_hash(self, username: str, old: str, new: str) -> bool:
        """Store `new` if `old` is still stored: of two concurrent changes only one succeeds."""
        changes = "update members set password_hash = ? where username = ? and password_hash = ?"
        return self._connection.execute(changes, (new, username, old)).rowcount == 1


class Sessions:
    """The sessions. Only digests of tokens are stored: an attacker who reads the database cannot use them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def begin(self, username: str) -> str:
        """Create a session. Returns its token, which only the browser stores."""
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

    def end_all(self, username: str) -> None:
        self._connection.execute("delete from sessions where username = ?", (username,))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
