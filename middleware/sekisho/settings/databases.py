"""The databases that owners can be kept in: how a URL names one, and what has to be installed for it."""

from __future__ import annotations

from typing import NamedTuple


class Database(NamedTuple):
    """Attributes:
    driver: dialect and driver, as SQLAlchemy names them.
    package: what has to be installed beside SQLAlchemy.
    extra: of sekisho, that brings both.
    """

    driver: str
    package: str
    extra: str


_POSTGRESQL = Database("postgresql+asyncpg", "asyncpg", "owners")
_MYSQL = Database("mysql+asyncmy", "asyncmy", "mysql")
_SQLITE = Database("sqlite+aiosqlite", "aiosqlite", "owners")

# By the scheme of a URL. MariaDB is spoken to as MySQL is; the server says itself which it is.
DATABASES = {
    "postgresql+asyncpg": _POSTGRESQL,
    "mysql": _MYSQL,
    "mysql+asyncmy": _MYSQL,
    "mariadb": _MYSQL,
    "mariadb+asyncmy": _MYSQL,
    "sqlite+aiosqlite": _SQLITE,
}
POSSIBLE = (
    "possible are postgresql+asyncpg://user@host/database, mysql://user@host/database (or mariadb://) and "
    "sqlite+aiosqlite:////path/to/file"
)
