"""The table of recent log-ins in every database: bounded for each account and class, and for a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.owners.log_in import LogInRow
from sekisho.owners.logins import SqlLogins

if TYPE_CHECKING:
    from tests.owners.worlds import SqlWorld

NOW = 1_750_000_000
DAY = 86_400


def row(number: int, letter: str = "k", at_s: int = NOW) -> LogInRow:
    return LogInRow(f"{letter}{number:031x}", at_s + number, b"sealed")


async def add(logins: SqlLogins, account_id: str, row: LogInRow) -> None:
    await logins.add(account_id, row.id, row.at_s, lambda _: row.sealed)


async def test_a_flood_of_one_class_leaves_the_others(sql: SqlWorld) -> None:
    """Of each class the newest ten rows of an account stay; other classes and accounts keep theirs."""
    logins = SqlLogins(sql.owners())
    await add(logins, "alice", row(0, "p"))
    await add(logins, "bob", row(99))
    for number in range(25):
        await add(logins, "alice", row(number, "n"))
    found = await logins.recent("alice", now_s=NOW)
    assert [one.id for one in found] == [*(row(number, "n").id for number in range(24, 14, -1)), row(0, "p").id]
    assert len(await logins.recent("bob", now_s=NOW)) == 1


async def test_a_row_replaces_the_earlier_one_of_its_id(sql: SqlWorld) -> None:
    """A log-in from the same place moves its row to the newest time."""
    logins = SqlLogins(sql.owners())
    await add(logins, "alice", row(1))
    await add(logins, "alice", LogInRow(row(1).id, NOW + 500, b"anew"))
    assert await logins.recent("alice", now_s=NOW) == (LogInRow(row(1).id, NOW + 500, b"anew"),)


async def test_rows_of_ninety_days_ago_are_neither_shown_nor_kept(sql: SqlWorld) -> None:
    """Old rows are not shown; each addition removes some, of any account."""
    logins = SqlLogins(sql.owners())
    await add(logins, "alice", row(1))
    assert await logins.recent("alice", now_s=NOW + 1 + 90 * DAY) == ()
    await add(logins, "bob", row(2, at_s=NOW + 90 * DAY))
    assert await sql.execute("select id from sekisho_logins") == [(row(2).id,)]


async def test_a_deleted_account_leaves_none(sql: SqlWorld) -> None:
    """`forget` removes an account's log-ins: a new account of that name must not inherit them."""
    owners = sql.owners()
    logins = SqlLogins(owners)
    await add(logins, "alice", row(1))
    await owners.forget("alice")
    assert await logins.recent("alice", now_s=NOW) == ()


async def test_without_the_table_nothing_is_kept(sql: SqlWorld) -> None:
    """In a database that was not migrated, adding does nothing and there is nothing to see."""
    await sql.execute(
        "drop table sekisho_outbox", "drop table sekisho_logins", "delete from sekisho_meta where name = 'outbox'"
    )
    logins = SqlLogins(sql.owners())
    await add(logins, "alice", row(1))
    assert await logins.recent("alice", now_s=NOW) == ()


async def test_a_row_knows_the_one_before(sql: SqlWorld) -> None:
    """The content is made with the account's newest row of the classes that count, also of the row that it replaces."""
    logins, before = SqlLogins(sql.owners()), []

    async def note(account_id: str, number: int, letter: str, at_s: int) -> None:
        def sealed(newest: tuple[str, int]) -> bytes:
            before.append(newest)
            return b"sealed"

        await logins.add(account_id, row(number, letter).id, at_s, sealed, completed=("k", "p"))

    await note("alice", 1, "k", NOW)
    await note("bob", 2, "k", NOW + 5)
    await note("alice", 3, "n", NOW + 10)
    await note("alice", 4, "p", NOW + 20)
    await note("alice", 4, "p", NOW + 30)
    assert before == [("", 0), ("", 0), (row(1).id, NOW), (row(1).id, NOW), (row(4, "p").id, NOW + 20)]
