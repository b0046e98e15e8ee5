"""Memory, SQLite, PostgreSQL: what is claimed of one is claimed of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.owners.postgres import PostgresServer
from tests.owners.worlds import InMemory, in_postgres, in_sqlite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.owners.worlds import SqlWorld, World


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One for the whole run; each test has a database of its own in it."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def own_postgres_server() -> Iterator[PostgresServer]:
    """For one test alone, to be paused and killed."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
async def postgres(postgres_server: PostgresServer) -> AsyncIterator[SqlWorld]:
    async with in_postgres(postgres_server) as world:
        yield world


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqlWorld]:
    async with in_sqlite(tmp_path / "owners.db") as world:
        yield world


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def world(request: pytest.FixtureRequest) -> World:
    """With tables made, and the users of `worlds.USERS`."""
    return InMemory() if request.param == "memory" else request.getfixturevalue(request.param)


@pytest.fixture(params=["sqlite", "postgres"])
def sql(request: pytest.FixtureRequest) -> SqlWorld:
    """As `world`, without the one that has no tables."""
    found: SqlWorld = request.getfixturevalue(request.param)
    return found
