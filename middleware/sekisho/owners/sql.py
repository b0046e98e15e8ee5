"""Owners in SQL: contacts from the service's own table, enrolments in tables beside it.

PostgreSQL, MySQL, MariaDB or SQLite; `dialects` has their differences.

Two rules shape this module. A log-in never waits for a database longer than the deadline: so each call is a task of its
own, and the caller does not wait for a late one to end. Messages of drivers are never repeated: they quote parameters,
addresses and URLs in their errors and logs.

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
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import create_async_engine

from sekisho.model import SettingsError
from sekisho.owners.dialects import DIALECTS, OWNERS, SECONDS, WRITES, dialect_of
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
from sekisho.settings.databases import DATABASES, POSSIBLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from sqlalchemy.engine import Connection, Engine, Row
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")

log = logging.getLogger("sekisho.owners")

DEADLINE_US = 1_000_000  # a log-in waits for this; ten times the slowest answer of a healthy database
CLOSING_S = 0.5  # the time for running calls to end by themselves when the service stops
MIGRATE_US = 60_000_000  # another worker may be migrating
CONNECTIONS_MAX = 4  # per worker; a call takes about a millisecond
CALLS_MAX = 256  # waiting or running, abandoned ones included; further calls raise `OwnersUnavailable` at once
BATCH = 200  # enrolments read at once by `all_sealed`: 1.6 MiB at most
STEADY_S = 10.0  # without a failure, until an outage is logged as over
RECYCLE_S = 1_800  # shorter than firewalls' timeouts for idle connections


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
    ) -> None:
        self._query = lookup(query)
        self._deadline = deadline_us / 1e6
        self._engine = _engine(url, connections_max, self._deadline)
        self._dialect = dialect_of(self._engine.sync_engine)
        self._in_threads = _engine_of_threads(self._engine, self._deadline) if self._dialect.is_file else None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._checked = False
        self._clock_s = clock_s
        self._problems: set[str] = set()  # logged in the current outage
        self._trouble_s = 0.0
        self._asked_otherwise = False
        self._finds_spellings = False
        self._background: asyncio.Task[None] | None = None

    async def contact(self, account: str) -> Contact | None:
        if not holdable(account, chars_max=ACCOUNT_CHARS_MAX):
            return None
        found = await self._call(lambda connection: contact_row(connection, self._query, account))
        if found is not None and found.spelled and not self._asked_otherwise and account.swapcase() != account:
            self._asked_otherwise = True
            # In the background: otherwise the response time would reveal that the account exists.
            self._background = asyncio.create_task(self._warn_of_spellings(account, found), name="sekisho owners")
        return replace(found, ambiguous=True) if found is not None and self._finds_spellings else found

    async def look_up(self, account: str) -> Contact | None:
        """As `contact`, for callers that no log-in waits for; see `transact`."""
        if not holdable(account, chars_max=ACCOUNT_CHARS_MAX):
            return None
        return await self.transact(lambda connection: contact_row(connection, self._query, account))

    async def _warn_of_spellings(self, account: str, found: Contact) -> None:
        """Warn once if the query finds one account by several spellings."""
        with suppress(OwnersError):
            for other in spellings(account):
                same = await self._call(partial(contact_row, query=self._query, account=other))
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
        if not await self._in_tables(lambda connection: _enrol(connection, account_id, enrolment), writes=True):
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
        await self._in_tables(lambda connection: _forget(connection, account_id), writes=True)
        # Apart: the role's rights may be those of an earlier version. Rows that stay expire.
        with suppress(OwnersUnavailable):
            await self._call(lambda connection: _forget_additions(connection, account_id), writes=True)

    async def ask_reset(self, account_id: str, *, now_s: int) -> Reset:
        fresh = Reset(usable_id(account_id), asked_s=now_s, due_s=now_s + RESET_DELAY_S)
        return await self._in_tables(lambda connection: _ask_reset(connection, fresh), writes=True)

    async def pending_reset(self, account_id: str) -> Reset | None:
        rows = await self._rows(sa.select(resets).where(resets.c.account_id == usable_id(account_id)))
        return _reset(rows[0]) if rows else None

    async def cancel_reset(self, account_id: str) -> bool:
        return await self._change(resets.delete().where(resets.c.account_id == usable_id(account_id))) > 0

    async def carry_out(self, reset: Reset, *, now_s: int) -> bool:
        return await self._in_tables(lambda connection: _carry_out(connection, reset, now_s), writes=True)

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
        return await self._call(upgrade, writes=True, seconds=MIGRATE_US / 1e6)

    async def check(self) -> None:
        """For the start and for `doctor`: raise `OwnersUnfit` if the tables or the query are wrong."""
        await self._call(check)
        try:
            await self._call(lambda connection: contact_row(connection, self._query, ""))
        except OwnersUnavailable as error:
            problem = str(error)
        else:
            return
        if problem.rpartition(" ")[2] in self._dialect.unfit:
            raise OwnersUnfit(REFUSED.format(problem))
        raise OwnersUnavailable(problem)

    async def check_writing(self) -> None:
        """For operators: raise `OwnersUnfit` if the role may read sekisho's tables but not write to them."""
        try:
            await self._in_tables(_write_and_remove, writes=True)
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
        # A cancelled call abandons its connection, and aiosqlite may then never report it as closed.
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=min(CLOSING_S, self._deadline))
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._deadline)
        if self._in_threads is not None:
            self._in_threads.dispose()
        closing = asyncio.ensure_future(self._engine.dispose())
        closing.add_done_callback(_hear)
        await asyncio.wait({closing}, timeout=self._deadline)

    async def transact(self, work: Callable[[Connection], T], *, writes: bool = False) -> T:
        """Do the work in a transaction of its own, for tables that are additions. Raises `OwnersUnavailable`.

        These are written at any time, so in SQLite by a thread, in one go: a service that waits for the lock of its
        file on the event loop would otherwise wait for a transaction that waits for the loop.
        """
        return await self._call(work, writes=writes, in_thread=self._in_threads is not None)

    # How a call is made.

    async def _rows(self, statement: sa.Select[Any]) -> list[Row[Any]]:
        return await self._in_tables(lambda connection: list(connection.execute(statement)))

    async def _change(self, statement: sa.Update | sa.Delete) -> int:
        """Run a statement. Returns the number of changed rows."""
        return await self._in_tables(lambda connection: connection.execute(statement).rowcount, writes=True)

    async def _in_tables(self, work: Callable[[Connection], T], *, writes: bool = False) -> T:
        """As `_call`, after checking the version of the tables."""

        def checked(connection: Connection) -> T:
            if not self._checked:
                check(connection)
                self._checked = True
            return work(connection)

        return await self._call(checked, writes=writes)

    async def _call(
        self,
        work: Callable[[Connection], T],
        *,
        writes: bool = False,
        seconds: float | None = None,
        in_thread: bool = False,
    ) -> T:
        """Do the work in a transaction of its own. Raises `OwnersUnavailable` at the deadline."""
        if len(self._tasks) >= CALLS_MAX:
            raise OwnersUnavailable("the database has more to do than it gets done")
        limit = self._deadline if seconds is None else seconds
        transact = self._transact_in_thread if in_thread else self._transact
        doing = transact(work, {WRITES: writes, SECONDS: limit})
        task = asyncio.create_task(self._attempt(doing), name="sekisho owners")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        try:
            await asyncio.wait({task}, timeout=limit)
        finally:
            # On a dead connection, rollback and disconnect hang too. The task does them; the caller does not wait.
            late = task.cancel()
        if late or task.cancelled():
            self._outage("did not answer in time")
            raise OwnersUnavailable("the database did not answer in time")
        found = task.result()
        self._answered()
        return found

    def _outage(self, problem: str) -> None:
        """Log a problem once per outage: otherwise a lock in the database would cause a line for each request."""
        self._trouble_s = self._clock_s()
        if problem not in self._problems:
            self._problems.add(problem)
            log.warning("the owners' database %s", problem)

    def _answered(self) -> None:
        # A lock blocks only some calls: the outage is over after a while without any failure.
        if self._problems and self._clock_s() - self._trouble_s >= STEADY_S:
            self._problems.clear()
            log.warning("the owners' database answers again")

    async def _attempt(self, doing: Coroutine[Any, Any, T]) -> T:
        try:
            return await doing
        except OwnersError:
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise their own, the system's, and Python's
            problem = self._named(error)
        # Outside the `except`: otherwise the driver's error, with its parameters, would be the context of the new one.
        self._checked = False  # the tables may have gone
        self._outage(f"failed: {problem}")
        raise OwnersUnavailable(f"the database failed: {problem}")

    async def _transact(self, work: Callable[[Connection], T], options: dict[str, Any]) -> T:
        async with self._engine.connect() as connection:
            await connection.execution_options(**options, postgresql_readonly=not options[WRITES])
            async with connection.begin():
                return await connection.run_sync(work)

    async def _transact_in_thread(self, work: Callable[[Connection], T], options: dict[str, Any]) -> T:
        assert self._in_threads is not None  # noqa: S101 - the caller checked it
        return await asyncio.to_thread(_transacted, self._in_threads, work, options)

    def _named(self, error: Exception) -> str:
        """The error's class and code; they contain no personal data."""
        code = self._dialect.code(getattr(error, "orig", None) or error)
        return " ".join(filter(None, (type(error).__name__, code)))

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        _hear(task)


def _transacted(engine: Engine, work: Callable[[Connection], T], options: dict[str, Any]) -> T:
    with engine.connect() as connection, connection.execution_options(**options).begin():
        return work(connection)


def _hear(task: asyncio.Future[Any]) -> None:
    # asyncio prints an exception that is never retrieved, with all data in it.
    if not task.cancelled():
        task.exception()


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


# The engine.


def _engine(text: str, connections_max: int, deadline: float) -> AsyncEngine:
    engine = _made(text, connections_max, deadline)
    if engine is None:
        raise SettingsError(OWNERS, f"is no URL of a database that sekisho knows; {POSSIBLE}")
    # `hide_parameters` hides only parameters: below this level SQLAlchemy logs rows too, with their addresses.
    logging.getLogger("sqlalchemy.engine.Engine.sekisho").setLevel(logging.WARNING)
    dialect_of(engine.sync_engine).prepare(engine.sync_engine)
    return engine


def _engine_of_threads(of: AsyncEngine, seconds: float) -> Engine:
    """The same SQLite database, for threads."""
    engine = sa.create_engine(
        of.url.set(drivername="sqlite"), hide_parameters=True, logging_name="sekisho", connect_args={"timeout": seconds}
    )
    dialect_of(engine).prepare(engine)
    return engine


def _made(text: str, connections_max: int, deadline: float) -> AsyncEngine | None:
    try:
        url = _url(text)
        dialect = DIALECTS[url.get_backend_name()]
        dialect.check(url)
        return create_async_engine(
            dialect.driver_url(url),
            pool_size=connections_max,
            max_overflow=0,
            pool_timeout=deadline,
            pool_pre_ping=True,
            pool_recycle=RECYCLE_S,
            hide_parameters=True,
            logging_name="sekisho",
            connect_args=dialect.connecting(url, deadline),
            **dialect.engine,
        )
    except (ArgumentError, ValueError):  # may repeat the URL, so it must not propagate
        return None


def _url(text: str) -> sa.URL:
    """Parse the URL and add the driver's name. Raises `ArgumentError` or `ValueError`."""
    url = sa.make_url(text)
    database = DATABASES.get(url.drivername)
    if database is None or not 0 < (url.port or 1) < 65_536:
        raise ValueError("another driver, or no port")
    return url.set(drivername=database.driver)
