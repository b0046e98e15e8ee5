"""Our own tables: created once by any number of workers, and checked before use."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import registry

from sekisho.owners import OwnersUnavailable, OwnersUnfit
from sekisho.owners.schema import STEPS, metadata, upgrade
from tests.mariadb import PASSWORD as MARIADB_PASSWORD
from tests.owners.postgres import PASSWORD as POSTGRES_PASSWORD
from tests.owners.worlds import T0, enrolment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.engine import Connection

    from sekisho.owners.sql import SqlOwners
    from tests.owners.worlds import Served, SqlWorld

TABLES = ("sekisho_meta", "sekisho_enrolments", "sekisho_resets")
TABLES_MADE = tuple(metadata.tables.values())
DIALECTS = (registry.load("postgresql")(), registry.load("sqlite")())
ENROLMENTS = (
    "CREATE TABLE sekisho_enrolments ( id TEXT NOT NULL, account_id TEXT NOT NULL, kind TEXT NOT NULL, "
    "label TEXT NOT NULL, created_s BIGINT NOT NULL, sealed {} NOT NULL, PRIMARY KEY (id) )"
)
RESETS = (
    "CREATE TABLE sekisho_resets ( account_id TEXT NOT NULL, asked_s BIGINT NOT NULL, due_s BIGINT NOT NULL, "
    "PRIMARY KEY (account_id) )"
)
DROP = tuple(f"drop table {table}" for table in TABLES)
MISSING = "the tables of sekisho are missing: run `sekisho owners migrate`"
NEWER = "the tables of sekisho are of version 2, newer than the 1 of this sekisho: upgrade sekisho"

CALLS: dict[str, Callable[[SqlOwners], Awaitable[object]]] = {
    "enrolments": lambda owners: owners.enrolments("alice"),
    "enrol": lambda owners: owners.enrol("alice", enrolment(9)),
    "remove": lambda owners: owners.remove("alice", enrolment(9).id),
    "replace": lambda owners: owners.replace(enrolment(9).id, b"a", b"b"),
    "forget": lambda owners: owners.forget("alice"),
    "ask_reset": lambda owners: owners.ask_reset("alice", now_s=T0),
    "check": lambda owners: owners.check(),
}


async def test_migrating_again_changes_nothing(sql: SqlWorld) -> None:
    """Migrating again keeps all enrolments, and the tables are valid before and after."""
    owners = sql.owners()
    await owners.enrol("alice", enrolment(1))
    assert await owners.migrate() == await sql.owners().migrate() == len(STEPS)
    await owners.check()
    assert await owners.enrolments("alice") == (enrolment(1),)


async def test_workers_migrate_at_once(sql: SqlWorld) -> None:
    """Eight workers that migrate an empty database at once all succeed, and write one version."""
    await sql.execute(*DROP)
    assert await asyncio.gather(*(sql.owners(connections_max=1).migrate() for _ in range(8))) == [len(STEPS)] * 8
    rows = await sql.execute("select name, value from sekisho_meta order by name")
    assert rows == [("addresses", 1), ("outbox", 1), ("schema", len(STEPS))]
    await sql.owners().check()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_missing_tables_are_named(sql: SqlWorld, call: Callable[[SqlOwners], Awaitable[object]]) -> None:
    """Missing tables are named with the command that creates them; contacts, which need none, are still found."""
    await sql.execute(*DROP)
    owners = sql.owners()
    with pytest.raises(OwnersUnfit) as unfit:
        await call(owners)
    assert str(unfit.value) == MISSING
    assert await owners.contact("alice") is not None


@pytest.mark.parametrize("call", [*CALLS.values(), lambda owners: owners.migrate()], ids=[*CALLS, "migrate"])
async def test_newer_tables_are_left_alone(sql: SqlWorld, call: Callable[[SqlOwners], Awaitable[object]]) -> None:
    """Tables of a newer version are left alone: an old worker in a deployment must not write to them."""
    await sql.execute("update sekisho_meta set value = 2")
    with pytest.raises(OwnersUnfit) as unfit:
        await call(sql.owners())
    assert str(unfit.value) == NEWER


async def test_tables_that_go_away_are_missed(sql: SqlWorld) -> None:
    """When tables vanish the first call fails, the next one names them, and recreated ones work."""
    owners = sql.owners()
    await owners.enrol("alice", enrolment(1))
    await sql.execute(*DROP)
    with pytest.raises(OwnersUnavailable):
        await owners.enrolments("alice")
    with pytest.raises(OwnersUnfit, match="are missing"):
        await owners.enrolments("alice")
    await owners.migrate()
    assert await owners.enrolments("alice") == ()


def _add_column(connection: Connection) -> None:
    if all(column["name"] != "colour" for column in sa.inspect(connection).get_columns("sekisho_enrolments")):
        connection.execute(sa.text("alter table sekisho_enrolments add column colour text"))


def _fail(connection: Connection) -> None:
    _add_column(connection)
    raise OwnersUnavailable("pulled the plug")


async def test_an_upgrade_takes_the_steps_that_are_missing(sql: SqlWorld) -> None:
    """An upgrade runs each missing step once, by one worker, and keeps all enrolments."""
    owners = sql.owners()
    await owners.enrol("alice", enrolment(1))
    steps = (*STEPS, _add_column)
    tries = (sql.owners().database.call(lambda connection: upgrade(connection, steps), writes=True) for _ in range(4))
    assert await asyncio.gather(*tries) == [2] * 4
    rows = await sql.execute("select id, colour from sekisho_enrolments")
    assert rows == [(enrolment(1).id, None)]


async def test_an_upgrade_that_fails_leaves_no_half(sql: SqlWorld) -> None:
    """A failed upgrade is rolled back or harmless, and the next try starts from the same place."""
    with pytest.raises(OwnersUnavailable, match=r"^pulled the plug$"):
        await sql.owners().database.call(lambda connection: upgrade(connection, (*STEPS, _fail)), writes=True)
    await sql.owners().check()
    assert await sql.owners().database.call(lambda c: upgrade(c, (*STEPS, _add_column)), writes=True) == 2


def test_a_database_that_took_a_step_looks_like_one_that_takes_it_today() -> None:
    """Tables upgraded from commit 97295b2 equal new ones, in PostgreSQL and SQLite."""
    made = {str(sa.schema.CreateTable(table).compile(dialect=dialect)) for table in TABLES_MADE for dialect in DIALECTS}
    assert {" ".join(text.split()) for text in made} == {
        "CREATE TABLE sekisho_meta ( name TEXT NOT NULL, value BIGINT NOT NULL, PRIMARY KEY (name) )",
        ENROLMENTS.format("BYTEA"),
        ENROLMENTS.format("BLOB"),
        RESETS,
    }


@pytest.mark.parametrize("statements", range(6))
async def test_a_migration_that_is_cut_short_is_taken_up_again(sql: SqlWorld, statements: int) -> None:
    """A migration cut off after any statement is continued; until then workers report it as unfinished."""
    whole = await _shape(sql)
    await sql.execute(*DROP)
    done: list[str] = []

    def cut(_: Connection, __: object, statement: str, *rest: object) -> None:
        if statement.lstrip().startswith(("CREATE", "INSERT")):
            if len(done) == statements:
                raise OwnersUnavailable("pulled the plug")
            done.append(statement)

    owners = sql.owners()
    sa.event.listen(owners.database._engine.sync_engine, "before_cursor_execute", cut)
    with pytest.raises(OwnersUnavailable, match=r"^pulled the plug$"):
        await owners.migrate()

    with pytest.raises(OwnersUnfit, match=f"^{MISSING}$"):
        await sql.owners().check()
    assert await sql.owners().migrate() == 1
    assert await _shape(sql) == whole
    await sql.owners().check()


async def _shape(sql: SqlWorld) -> list[tuple[str, list[str], list[str | None]]]:
    """The names of our tables, their columns and their indexes."""

    def look(connection: Connection) -> list[tuple[str, list[str], list[str | None]]]:
        found = sa.inspect(connection)
        return [
            (name, [one["name"] for one in found.get_columns(name)], [one["name"] for one in found.get_indexes(name)])
            for name in TABLES
        ]

    return await sql.owners().database.call(look)


# How the role is created, its name in grants, and how it is removed.
WORKER = {
    "InPostgres": (
        f"create role worker login password '{POSTGRES_PASSWORD}'",
        "worker",
        "drop owned by worker",
        "drop role worker",
    ),
    "InMariadb": (
        f"create user worker@127.0.0.1 identified by '{MARIADB_PASSWORD}'",
        "worker@127.0.0.1",
        "drop user worker@127.0.0.1",
    ),
}


async def test_the_least_rights_suffice(served: Served) -> None:
    """A worker's role needs the documented rights alone: no table creation, no password hashes."""
    made, worker, *gone = WORKER[type(served).__name__]
    await served.execute(
        made,
        "alter table users add column password_hash text",
        f"grant select (username, email, locale) on users to {worker}",
        f"grant select, insert, update, delete on sekisho_enrolments to {worker}",
        f"grant select, insert, update, delete on sekisho_resets to {worker}",
        f"grant select on sekisho_meta to {worker}",
    )
    owners = served.owners(url=served.server.role_url("worker", served.name))
    await owners.check()
    await owners.enrol("alice", enrolment(1))
    assert await owners.replace(enrolment(1).id, b"sealed", b"anew")
    reset = await owners.ask_reset("alice", now_s=T0)
    assert await owners.carry_out(reset, now_s=reset.due_s)
    await owners.forget("alice")
    await owners.check_writing()
    with pytest.raises(OwnersUnavailable):
        await owners.database.call(
            lambda connection: connection.exec_driver_sql("select password_hash from users").all()
        )
    await owners.aclose()
    await served.execute(*gone)
