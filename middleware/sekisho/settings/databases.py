"""The supported databases for owners: their URL schemes, drivers and packages."""

from __future__ import annotations

from typing import NamedTuple


class Database(NamedTuple):
    """Attributes:
    driver: dialect and driver, as SQLAlchemy names them.
    package: the package to install beside SQLAlchemy.
    extra: the extra of sekisho that installs both.
    """

    driver: str
    package: str
    extra: str


_POSTGRESQL = Database("postgresql+asyncpg", "asyncpg", "owners")
_MYSQL = Database("mysql+asyncmy", "asyncmy", "mysql")
_SQLITE = Database("sqlite+aiosqlite", "aiosqlite", "owners")

# By the scheme of a URL. MariaDB uses MySQL's driver; the server reports which of the two it is.
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
