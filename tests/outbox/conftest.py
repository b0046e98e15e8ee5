"""The databases of `tests/owners`."""

from __future__ import annotations

from tests.owners.conftest import mariadb, postgres, sql, sqlite

__all__ = ["mariadb", "postgres", "sql", "sqlite"]
