"""Owners in SQL: contacts from the service's own table, enrolments in tables beside it.

PostgreSQL, MySQL, MariaDB or SQLite; `dialects` has their differences, `database` makes the calls.

The database role needs these rights: select on the columns of the query; select, insert, update and delete on
`sekisho_enrolments`, `sekisho_resets`, `sekisho_outbox`, `sekisho_logins` and `sekisho_addresses`; select on
`sekisho_meta`. Only `migrate` creates tables.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

import sqlalchemy as sa

from sekisho.owners.database import CONNECTIONS_MAX, DEADLINE_US, OwnersDatabase
from sekisho.owners.dialects import OWNERS, dialect_of
from sekisho.owners.port import (
    ENROLMENTS_MAX,
    RESET_DELAY_S,
    Contact,
    Enrolment,
    EnrolmentsFull,
    Held,
    OwnersError,
    OwnersUnavailable,
    OwnersUnfit,
    Reset,
    holdable,
    is_enrolment_id,
    usable_id,
    usable_sealed,
)
from sekisho.owners.query import REFUSED, SPELLINGS, contact_row, lookup, spellings
from sekisho.owners.schema import (
    ADDRESSES,
    OUTBOX,
    addresses,
    check,
    enrolments,
    has_addition,
    logins,
    resets,
    upgrade,
)
from sekisho.read.names import ACCOUNT_CHARS_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy.engine import Connection, Row

T = TypeVar("T")

log = logging.getLogger("sekisho.owners")

MIGRATE_US = 60_000_000  # another worker may be migrating
BATCH = 200  # enrolments read at once by `all_sealed`: 1.6 MiB at most


class SqlOwners:
    """An `Owners` in a database. Belongs to the event loop it is first used in.

    Args:
        url: of the database; see `sekisho.settings.databases`.
        query: a select of `email`, `locale` and, if several spellings are one account, `account_id`, that finds the
            row of `:account`, or none. It runs in a read-only transaction.
        connections_max: open at once; opened on demand.
        deadline_us: the maximum wait of a caller.
        clock_s: a monotonic clock, in seconds.

    Raises `SettingsError` for a URL or a query that cannot work, without repeating it.
    """

    def __init__(
        self,
        url: str,
        query: str,
        *,
        connections_max: int = CONNECTIONS_MAX,
        deadline_us: int = DEADLINE_US,
        clock_s: Callable[[], float],
        on_change: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._query = lookup(query)
        self.database: Final = OwnersDatabase(
            url, connections_max=connections_max, deadline_us=deadline_us, clock_s=clock_s, on_change=on_change
        )
        self._asked_otherwise = False
        self._finds_spellings = False
        self._background: asyncio.Task[None] | None = None

    async def contact(self, account: str) -> Contact | None:
        if not holdable(account, chars_max=ACCOUNT_CHARS_MAX):
            return None
        found = await self.database.call(lambda connection: contact_row(connection, self._query, account))
        if found is not None and found.spelled and not self._asked_otherwise and account.swapcase() != account:
            self._asked_otherwise = True
            # In the background: otherwise the response time would reveal that the account exists.
            self._background = asyncio.create_task(self._warn_of_spellings(account, found), name="sekisho owners")
        return replace(found, ambiguous=True) if found is not None and self._finds_spellings else found

    async def look_up(self, account: str) -> Contact | None:
        """Return an account's contact as `contact` does, for callers that no log-in waits for."""
        if not holdable(account, chars_max=ACCOUNT_CHARS_MAX):
            return None
        return await self.transact(lambda connection: contact_row(connection, self._query, account))

    async def _warn_of_spellings(self, account: str, found: Contact) -> None:
        """Warn once if the query finds one account by several spellings."""
        with suppress(OwnersError):
            for other in spellings(account):
                same = await self.database.call(partial(contact_row, query=self._query, account=other))
                if same is None or same.email != found.email:
                    return
            self._finds_spellings = True
            log.warning("%s", SPELLINGS)

    async def enrolments(self, account_id: str) -> tuple[Enrolment, ...]:
        wanted = (
            sa.select(enrolments)
            .where(enrolments.c.account_id == usable_id(account_id))
            .order_by(enrolments.c.created_s, enrolments.c.id)
            .limit(ENROLMENTS_MAX)
        )
        return tuple(map(_enrolment, await self._rows(wanted)))

    async def enrol(self, account_id: str, enrolment: Enrolment) -> None:
        usable_id(account_id)
        if not await self.database.in_tables(lambda connection: _enrol(connection, account_id, enrolment), writes=True):
            raise ValueError("the enrolment's id is taken")

    async def remove(self, account_id: str, enrolment_id: str) -> bool:
        own = enrolments.c.account_id == usable_id(account_id)
        return (
            is_enrolment_id(enrolment_id)
            and await self._change(enrolments.delete().where(own, enrolments.c.id == enrolment_id)) > 0
        )

    async def replace(self, enrolment_id: str, old_sealed: bytes, new_sealed: bytes) -> bool:
        # One statement: the second of two waits for the first, and then finds other bytes.
        unchanged = sa.and_(enrolments.c.id == enrolment_id, enrolments.c.sealed == old_sealed)
        change = enrolments.update().where(unchanged).values(sealed=usable_sealed(new_sealed))
        return is_enrolment_id(enrolment_id) and await self._change(change) > 0

    async def forget(self, account_id: str) -> None:
        usable_id(account_id)
        await self.database.in_tables(lambda connection: _forget(connection, account_id), writes=True)
        # Apart: the role's rights may be those of an earlier version. Rows that stay expire.
        with suppress(OwnersUnavailable):
            await self.database.call(lambda connection: _forget_additions(connection, account_id), writes=True)

    async def ask_reset(self, account_id: str, *, now_s: int) -> Reset:
        fresh = Reset(usable_id(account_id), asked_s=now_s, due_s=now_s + RESET_DELAY_S)
        return await self.database.in_tables(lambda connection: _ask_reset(connection, fresh), writes=True)

    async def pending_reset(self, account_id: str) -> Reset | None:
        rows = await self._rows(sa.select(resets).where(resets.c.account_id == usable_id(account_id)))
        return _reset(rows[0]) if rows else None

    async def cancel_reset(self, account_id: str) -> bool:
        return await self._change(resets.delete().where(resets.c.account_id == usable_id(account_id))) > 0

    async def carry_out(self, reset: Reset, *, now_s: int) -> bool:
        return await self.database.in_tables(lambda connection: _carry_out(connection, reset, now_s), writes=True)

    async def all_sealed(self) -> AsyncIterator[Held]:
        last = ""
        while rows := await self._rows(
            sa.select(enrolments).where(enrolments.c.id > last).order_by(enrolments.c.id).limit(BATCH)
        ):
            for row in rows:
                yield Held(row.account_id, _enrolment(row))
            last = rows[-1].id

    async def migrate(self) -> int:
        """Create or upgrade the tables. Returns the version. Any number of workers may call it at once."""
        return await self.database.call(upgrade, writes=True, seconds=MIGRATE_US / 1e6)

    async def check(self) -> None:
        """Raise `OwnersUnfit` if the tables or the query are wrong. For the start and for `sekisho doctor`.

        Raises `OwnersUnavailable` if the database does not answer.
        """
        await self.database.call(check)
        try:
            await self.database.call(lambda connection: contact_row(connection, self._query, ""))
        except OwnersUnavailable as error:
            problem = str(error)
        else:
            return
        if problem.rpartition(" ")[2] in self.database.dialect.unfit:
            raise OwnersUnfit(REFUSED.format(problem))
        raise OwnersUnavailable(problem)

    async def check_writing(self) -> None:
        """Raise `OwnersUnfit` if the database role cannot write to sekisho's tables. For operators."""
        try:
            await self.database.in_tables(_write_and_remove, writes=True)
        except OwnersUnavailable as error:
            problem = str(error)
            if not problem.startswith("the database failed"):
                raise
        else:
            return
        raise OwnersUnfit(
            f"the role in {OWNERS} cannot write to sekisho's tables ({problem}): grant it select, insert, update and "
            "delete on sekisho_enrolments and sekisho_resets"
        )

    async def aclose(self) -> None:
        """End running calls and disconnect, within two deadlines and half a second."""
        if self._background is not None:
            self._background.cancel()
        await self.database.aclose()

    async def transact(self, work: Callable[[Connection], T], *, writes: bool = False) -> T:
        """Do the work in a transaction of its own, for tables that `upgrade` adds. Raises `OwnersUnavailable`.

        These are written at any time, so in SQLite by a thread, in one go: a service that waits for the lock of its
        file on the event loop would otherwise wait for a transaction that waits for the loop.
        """
        return await self.database.call(work, writes=writes, in_thread=True)

    async def _rows(self, statement: sa.Select[Any]) -> list[Row[Any]]:
        return await self.database.in_tables(lambda connection: list(connection.execute(statement)))

    async def _change(self, statement: sa.Update | sa.Delete) -> int:
        """Run a statement. Returns the number of changed rows."""
        return await self.database.in_tables(lambda connection: connection.execute(statement).rowcount, writes=True)


# The work of each call, in its transaction.


def _enrol(connection: Connection, account_id: str, enrolment: Enrolment) -> bool:
    dialect_of(connection).lock(connection, _number(account_id))
    if connection.execute(sa.select(enrolments.c.id).where(enrolments.c.id == enrolment.id)).first():
        return False
    count = sa.select(sa.func.count()).where(enrolments.c.account_id == account_id)
    if connection.execute(count).scalar_one() >= ENROLMENTS_MAX:
        raise EnrolmentsFull(f"an account has at most {ENROLMENTS_MAX} enrolments")
    row = {name: getattr(enrolment, name) for name in ("id", "kind", "label", "created_s", "sealed")}
    connection.execute(enrolments.insert().values(account_id=account_id, **row))
    return True


def _write_and_remove(connection: Connection) -> None:
    """Every kind of write to the tables, leaving them unchanged."""
    number, account = uuid4().hex, f"sekisho owners check {uuid4()}"
    row = {"id": number, "account_id": account, "kind": "check", "label": "", "created_s": 0, "sealed": b"-"}
    for table, written, changed in (
        (enrolments, row, {"sealed": b"+"}),
        (resets, {"account_id": account, "asked_s": 0, "due_s": 0}, {"due_s": 1}),
    ):
        same = table.c.account_id == account
        connection.execute(table.insert().values(**written))
        connection.execute(table.update().where(same).values(**changed))
        connection.execute(table.delete().where(same))


def _forget(connection: Connection, account_id: str) -> None:
    dialect_of(connection).lock(connection, _number(account_id))
    for table in (resets, enrolments):
        connection.execute(table.delete().where(table.c.account_id == account_id))


def _forget_additions(connection: Connection, account_id: str) -> None:
    for addition, table in ((ADDRESSES, addresses), (OUTBOX, logins)):
        if has_addition(connection, addition):
            connection.execute(table.delete().where(table.c.account_id == account_id))


def _ask_reset(connection: Connection, fresh: Reset) -> Reset:
    dialect_of(connection).lock(connection, _number(fresh.account_id))
    if row := connection.execute(sa.select(resets).where(resets.c.account_id == fresh.account_id)).first():
        return _reset(row)
    connection.execute(resets.insert().values(account_id=fresh.account_id, asked_s=fresh.asked_s, due_s=fresh.due_s))
    return fresh


def _carry_out(connection: Connection, reset: Reset, now_s: int) -> bool:
    dialect_of(connection).lock(connection, _number(reset.account_id))
    same = sa.and_(resets.c.account_id == reset.account_id, resets.c.asked_s == reset.asked_s)
    if not connection.execute(resets.delete().where(same, resets.c.due_s <= now_s)).rowcount:
        return False
    connection.execute(enrolments.delete().where(enrolments.c.account_id == reset.account_id))
    return True


def _number(account_id: str) -> int:
    """The number of the account's lock. Two accounts with the same number only wait for each other."""
    return int.from_bytes(blake2b(account_id.encode(), digest_size=8).digest(), signed=True)


def _enrolment(row: Row[Any]) -> Enrolment:
    return Enrolment(row.id, row.kind, row.label, row.created_s, bytes(row.sealed))


def _reset(row: Row[Any]) -> Reset:
    return Reset(row.account_id, row.asked_s, row.due_s)
