"""The table of the outbox in every database: which worker may send a row, and what a sent one leaves behind."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from sekisho.owners import OwnersUnfit
from sekisho.owners.outbox import Queued, SqlOutbox

if TYPE_CHECKING:
    from tests.owners.worlds import SqlWorld

NOW = 1_750_000_000
SHOP, BANK = "a" * 32, "b" * 32


def queued(number: int = 1, *, summed: bool = False, sealed: bytes = b"sealed", due_s: int = NOW) -> Queued:
    return Queued(f"{number:032x}", summed, due_s, NOW + 1_000, sealed)


async def test_of_many_workers_one_gets_each_row(sql: SqlWorld) -> None:
    """Eight workers that claim at once share the rows: each row has one holder."""
    outboxes = [SqlOutbox(sql.owners(), SHOP) for _ in range(8)]
    await asyncio.gather(*(outboxes[0].add(queued(number)) for number in range(20)))
    claims = (one.claim(f"w{i}", now_s=NOW, lease_s=60, most=4) for i, one in enumerate(outboxes))
    found = [row.id for rows in await asyncio.gather(*claims) for row in rows]
    assert len(found) == len(set(found))
    rest = await outboxes[0].claim("last", now_s=NOW, lease_s=60, most=100)
    assert len(found) + len(rest) == 20


async def test_a_lease_ends_and_its_late_holder_changes_nothing(sql: SqlWorld) -> None:
    """After the lease another worker gets the row, and the first one can neither remove nor postpone it."""
    outbox = SqlOutbox(sql.owners(), SHOP)
    await outbox.add(queued())
    (first,) = await outbox.claim("first", now_s=NOW, lease_s=60, most=4)
    assert await outbox.claim("second", now_s=NOW + 59, lease_s=60, most=4) == []
    (second,) = await outbox.claim("second", now_s=NOW + 60, lease_s=60, most=4)
    assert (first.tries, second.tries) == (1, 2)
    await outbox.sent(first, "first", quiet_until_s=None)
    await outbox.postpone(first, "first", NOW)
    await outbox.drop(first, "first")
    assert await sql.execute("select holder from sekisho_outbox") == [("second",)]
    await outbox.sent(second, "second", quiet_until_s=None)
    assert await sql.execute("select id from sekisho_outbox") == []


async def test_events_of_a_summed_kind_share_the_next_notice(sql: SqlWorld) -> None:
    """The first event is sent at once; those of the quiet time after it are sent together at its end."""
    outbox = SqlOutbox(sql.owners(), SHOP)
    await outbox.add(queued(summed=True))
    (row,) = await outbox.claim("w", now_s=NOW, lease_s=60, most=4)
    assert row.times == 1
    await outbox.add(queued(summed=True, sealed=b"while it was sent"))
    await outbox.sent(row, "w", quiet_until_s=NOW + 500)
    await outbox.add(queued(summed=True, sealed=b"the last"))
    assert await outbox.claim("w", now_s=NOW + 499, lease_s=60, most=4) == []
    (row,) = await outbox.claim("w", now_s=NOW + 500, lease_s=60, most=4)
    assert (row.times, row.sealed, row.tries) == (2, b"the last", 1)
    await outbox.sent(row, "w", quiet_until_s=NOW + 900)
    assert await outbox.sweep(now_s=NOW + 899, most=9) == 0
    assert len(await sql.execute("select id from sekisho_outbox")) == 1
    assert await outbox.sweep(now_s=NOW + 900, most=9) == 0
    assert await sql.execute("select id from sekisho_outbox") == []


async def test_workers_that_add_one_sum_at_once_lose_no_event(sql: SqlWorld) -> None:
    """Eight workers add an event of one sum at once: one row stands for eight."""
    await asyncio.gather(*(SqlOutbox(sql.owners(), SHOP).add(queued(summed=True)) for _ in range(8)))
    (row,) = await SqlOutbox(sql.owners(), SHOP).claim("w", now_s=NOW, lease_s=60, most=4)
    assert row.times == 8


async def test_of_many_at_once_one_keeps_the_notices_of_a_cause(sql: SqlWorld) -> None:
    """Eight processes tell one owner because of the same causes: one of them does, and no worker claims its marks."""
    marks = [queued(number)._replace(expires_s=NOW + 9) for number in (2, 1)]
    each = [SqlOutbox(sql.owners(), SHOP).add_once(marks, [queued(10 + n)]) for n in range(8)]
    assert sorted(await asyncio.gather(*each)) == [False] * 7 + [True]
    outbox = SqlOutbox(sql.owners(), SHOP)
    assert not await outbox.add_once(marks[:1], [queued(20)])
    assert await outbox.add_once([*marks, queued(3)], [queued(21)])
    (row, more) = await outbox.claim("w", now_s=NOW + 8, lease_s=60, most=9)
    assert (row.times, more.times) == (1, 1)
    assert await outbox.sweep(now_s=NOW + 9, most=9) == 0
    ids = [int(str(each[0]), 16) for each in await sql.execute("select id from sekisho_outbox order by id")]
    assert (ids[0], ids[-1], len(ids)) == (3, 21, 3)


async def test_expired_rows_are_removed_unless_they_are_being_sent(sql: SqlWorld) -> None:
    """An expired row is dropped and counted as lost; one that is held may be arriving now."""
    outbox = SqlOutbox(sql.owners(), SHOP)
    await outbox.add(queued(1))
    await outbox.add(queued(2, due_s=NOW + 1))
    await outbox.claim("w", now_s=NOW, lease_s=2_000, most=4)
    assert await outbox.sweep(now_s=NOW + 999, most=9) == 0
    assert await outbox.sweep(now_s=NOW + 1_000, most=9) == 1
    assert await sql.execute("select id from sekisho_outbox") == [(f"{1:032x}",)]


async def test_notices_from_before_the_clock_was_set_back_are_due(sql: SqlWorld) -> None:
    """They waited until it had caught up. No row waits longer than two hours, so one that does is of another clock."""
    outbox = SqlOutbox(sql.owners(), SHOP)
    for number, due_s in enumerate((NOW + 7_200, NOW + 7_201, NOW + 86_400), start=1):
        await outbox.add(queued(number, due_s=due_s))
    found = await outbox.claim("w", now_s=NOW, lease_s=60, most=4)
    assert [int(row.id, 16) for row in found] == [2, 3]
    assert await outbox.claim("w", now_s=NOW, lease_s=60, most=4) == []


async def test_services_on_one_database_claim_their_own_rows(sql: SqlWorld) -> None:
    """Another service's worker never claims a row: it could not open the seal, and would give the notice up."""
    await SqlOutbox(sql.owners(), SHOP).add(queued())
    assert await SqlOutbox(sql.owners(), BANK).claim("w", now_s=NOW, lease_s=60, most=4) == []
    assert len(await SqlOutbox(sql.owners(), SHOP).claim("w", now_s=NOW, lease_s=60, most=4)) == 1


async def test_a_database_of_the_last_release_has_no_outbox(sql: SqlWorld) -> None:
    """Without the table every call names the command that creates it; enrolments go on, and migrating suffices."""
    await sql.execute(
        "drop table sekisho_outbox", "drop table sekisho_logins", "delete from sekisho_meta where name = 'outbox'"
    )
    owners = sql.owners()
    outbox = SqlOutbox(owners, SHOP)
    with pytest.raises(OwnersUnfit, match="run `sekisho owners migrate`"):
        await outbox.add(queued())
    assert await owners.enrolments("alice") == ()
    assert await owners.migrate() == 1
    await outbox.add(queued())
    assert await sql.execute("select value from sekisho_meta where name = 'schema'") == [(1,)]


async def test_a_service_that_writes_to_its_file_on_the_event_loop_is_not_held_up(sqlite: SqlWorld) -> None:
    """While rows are added, the service's own blocking writes to the same file succeed: no lock waits for the loop."""
    outbox = SqlOutbox(sqlite.owners(), SHOP)
    path = sqlite.url.removeprefix("sqlite+aiosqlite:///")
    adding = [asyncio.create_task(outbox.add(queued(number))) for number in range(20)]
    with closing(sqlite3.connect(path, timeout=20)) as service:
        for number in range(20):
            with service:
                service.execute("insert into users values (?, null, null)", (f"new{number}",))
            await asyncio.sleep(0)
    await asyncio.gather(*adding)
    assert len(await sqlite.execute("select id from sekisho_outbox")) == 20


async def test_an_operator_reads_and_removes_rows_of_one_service(sql: SqlWorld) -> None:
    """Rows are read in batches, in the order of their ids; another service's are neither read nor removed."""
    shop, bank = SqlOutbox(sql.owners(), SHOP), SqlOutbox(sql.owners(), BANK)
    for number in (1, 2, 3):
        await shop.add(queued(number))
    await bank.add(queued(4))
    first = await shop.rows_after("", 2)
    assert [row.id[-1] for row in first] == ["1", "2"]
    assert [row.id[-1] for row in await shop.rows_after(first[-1].id, 2)] == ["3"]
    assert (first[0].times, first[0].sealed) == (1, b"sealed")
    assert await shop.remove([first[0].id, queued(4).id]) == 1
    assert len(await sql.execute("select id from sekisho_outbox")) == 3
