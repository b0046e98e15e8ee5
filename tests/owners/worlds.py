"""The stores under one contract, each beside a service's own users table."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from sekisho.owners import Contact, Enrolment, MemoryOwners
from sekisho.owners.sql import SqlOwners

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from sekisho.owners import Owners
    from tests.mariadb import MariaServer
    from tests.owners.postgres import PostgresServer

QUERY = "select username as account_id, email, locale from users where username = :account"
PATIENT_US = 20_000_000  # most tests are not about deadlines: a slow machine must not matter

USERS = {
    "alice": ("alice@mail.example", "ja"),
    "Alice": ("another@mail.example", "en-GB"),
    "bob": (None, None),
    "o'brien; drop table users": ("quote@mail.example", "ga"),
    "花子": ("花子@例え.example", "ja_JP"),
}
T0 = 1_750_000_000
POSTGRES = "postgres"
# A test may leave a connection whose end the server has not seen.
OTHERS = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
EMPTIED = (
    f"select pg_terminate_backend(pid) {OTHERS}",
    "drop schema public cascade",
    "create schema public",
    "grant usage on schema public to public",  # as in a new database
)
_names = itertools.count()
W = TypeVar("W", bound="SqlWorld")


def enrolment(number: int = 0, *, kind: str = "totp", label: str = "My phone", sealed: bytes = b"sealed") -> Enrolment:
    return Enrolment(f"{number:032x}", kind, label, T0 + number, sealed)


class World(Protocol):
    """A store of owners. Each `owners()` is one worker's; all see the same data."""

    def owners(self) -> Owners: ...


class InMemory:
    def __init__(self) -> None:
        self._owners = MemoryOwners({name: Contact(name, *rest) for name, rest in USERS.items()})

    def owners(self) -> MemoryOwners:
        return self._owners


class SqlWorld:
    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: list[SqlOwners] = []

    def owners(
        self,
        query: str = QUERY,
        *,
        url: str | None = None,
        connections_max: int = 4,
        deadline_us: int = PATIENT_US,
    ) -> SqlOwners:
        owners = SqlOwners(
            url or self.url, query, connections_max=connections_max, deadline_us=deadline_us, clock_s=time.monotonic
        )
        self._opened.append(owners)
        return owners

    async def execute(self, *statements: str) -> Sequence[Sequence[object]]:
        """Run statements as the service or its operator, on a separate connection. Returns the last one's rows."""
        raise NotImplementedError

    async def aclose(self) -> None:
        for owners in self._opened:
            await owners.aclose()


class InSqlite(SqlWorld):
    def __init__(self, path: Path) -> None:
        super().__init__(f"sqlite+aiosqlite:///{path}")
        self._path = path

    async def execute(self, *statements: str) -> Sequence[Sequence[object]]:
        with contextlib.closing(sqlite3.connect(self._path)) as connection, connection:
            return [connection.execute(statement).fetchall() for statement in statements][-1]


class Server(Protocol):
    """Controls of a database server."""

    def start(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def kill(self) -> None: ...
    def role_url(self, role: str, database: str) -> str: ...


class Served(SqlWorld):
    """A database of a server.

    Attributes:
        active: a select of the number of statements running in this database.
    """

    server: Server
    active: str

    def __init__(self, url: str, name: str) -> None:
        super().__init__(url)
        self.name = name

    def asleep(self, seconds: float) -> str:
        """A condition that takes this long and is true."""
        raise NotImplementedError

    async def running(self, text: str) -> int:
        """How many statements with this text the server runs."""
        raise NotImplementedError


class InPostgres(Served):
    active = "select count(*) from pg_stat_activity where datname = current_database() and state = 'active'"

    def __init__(self, server: PostgresServer) -> None:
        self.server: PostgresServer = server
        super().__init__(server.url(POSTGRES), POSTGRES)

    async def execute(self, *statements: str) -> Sequence[Sequence[object]]:
        connection = await self.server.connect(self.name)
        try:
            rows = [await connection.fetch(statement) for statement in statements][-1]
            return [tuple(row.values()) for row in rows]
        finally:
            await connection.close()

    def asleep(self, seconds: float) -> str:
        return f"pg_sleep({seconds}) is not null"

    async def running(self, text: str) -> int:
        found = await self.execute(f"{self.active} and query like '%{text}%' and pid <> pg_backend_pid()")
        return int(str(found[0][0]))


class InMariadb(Served):
    active = "select count(*) from information_schema.processlist where db = database() and info is not null"

    def __init__(self, server: MariaServer) -> None:
        self.server: MariaServer = server
        name = f"test_{next(_names)}"
        super().__init__(server.url(name), name)

    async def execute(self, *statements: str) -> Sequence[Sequence[object]]:
        return await asyncio.to_thread(self.server.execute, *statements, database=self.name)

    def asleep(self, seconds: float) -> str:
        return f"sleep({seconds}) = 0"

    async def running(self, text: str) -> int:
        found = await self.execute(f"{self.active} and info like '%{text}%' and id <> connection_id()")
        return int(str(found[0][0]))


@asynccontextmanager
async def in_sqlite(path: Path) -> AsyncIterator[SqlWorld]:
    async with _furnished(InSqlite(path)) as world:
        yield world


@asynccontextmanager
async def in_postgres(server: PostgresServer) -> AsyncIterator[InPostgres]:
    """The server's only database, emptied: a new one would cost 7 MiB of writes for each test."""
    world = InPostgres(server)
    await world.execute(*EMPTIED)
    async with _furnished(world):
        yield world


@asynccontextmanager
async def in_mariadb(server: MariaServer, collation: str = "utf8mb4_nopad_bin") -> AsyncIterator[InMariadb]:
    world = InMariadb(server)
    server.execute(f"create database {world.name} character set utf8mb4 collate {collation}")
    async with _furnished(world):
        yield world


@asynccontextmanager
async def _furnished(world: W) -> AsyncIterator[W]:
    rows = ", ".join(f"({', '.join(map(_literal, (name, *rest)))})" for name, rest in USERS.items())
    await world.execute(
        "create table users (username varchar(190) primary key, email text, locale text)",
        f"insert into users values {rows}",
    )
    try:
        await world.owners().migrate()
        yield world
    finally:
        await world.aclose()


def _literal(value: str | None) -> str:
    return "null" if value is None else "'" + value.replace("'", "''") + "'"
