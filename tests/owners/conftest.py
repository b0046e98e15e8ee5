"""Memory, SQLite, PostgreSQL, MariaDB: a claim about one holds for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.mariadb import MariaServer
from tests.owners.postgres import PostgresServer
from tests.owners.worlds import InMemory, in_mariadb, in_postgres, in_sqlite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.owners.worlds import InMariadb, InPostgres, Served, SqlWorld, World


@pytest.fixture
async def postgres(postgres_server: PostgresServer) -> AsyncIterator[InPostgres]:
    async with in_postgres(postgres_server) as world:
        yield world


@pytest.fixture
async def mariadb(mariadb_server: MariaServer) -> AsyncIterator[InMariadb]:
    async with in_mariadb(mariadb_server) as world:
        yield world


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqlWorld]:
    async with in_sqlite(tmp_path / "owners.db") as world:
        yield world


@pytest.fixture(params=["memory", "sqlite", "postgres", "mariadb"])
def world(request: pytest.FixtureRequest) -> World:
    """A world with its tables and the users of `worlds.USERS`."""
    return InMemory() if request.param == "memory" else request.getfixturevalue(request.param)


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def sql(request: pytest.FixtureRequest) -> SqlWorld:
    """Like `world`, without memory, which has no tables."""
    found: SqlWorld = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["sqlite", "postgres"])
def exact(request: pytest.FixtureRequest) -> SqlWorld:
    """The worlds that distinguish spellings by themselves."""
    found: SqlWorld = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["postgres", "mariadb"])
def served(request: pytest.FixtureRequest) -> Served:
    """The worlds that are servers."""
    found: Served = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["postgres", "mariadb"])
async def own_served(request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    """A world with a server for one test alone, to be paused and killed."""
    if request.param == "postgres":
        with PostgresServer() as postgres:
            async with in_postgres(postgres) as world:
                yield world
    else:
        with MariaServer() as mariadb:
            async with in_mariadb(mariadb) as world:
                yield world
