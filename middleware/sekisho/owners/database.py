"""The owners' database: its engine, and calls that end by a deadline.

A log-in never waits for a database longer than that: so each call is a task of its own, and the caller does not wait
for a late one to end. Messages of drivers are never repeated: they quote parameters, addresses and URLs in their errors
and logs.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import create_async_engine

from sekisho.model import SettingsError
from sekisho.model.hazards import UNFIT_OWNERS
from sekisho.owners.dialects import DIALECTS, OWNERS, SECONDS, WRITES, dialect_of
from sekisho.owners.port import OwnersError, OwnersUnavailable
from sekisho.owners.remedies import with_remedy
from sekisho.owners.schema import check
from sekisho.settings.databases import DATABASES, POSSIBLE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")

log = logging.getLogger("sekisho.owners")

DEADLINE_US = 1_000_000  # a log-in waits for this; ten times the slowest answer of a healthy database
CLOSING_S = 0.5  # the time for running calls to end by themselves when the service stops
CONNECTIONS_MAX = 4  # per worker; a call takes about a millisecond
CALLS_MAX = 256  # waiting or running, abandoned ones included; further calls raise `OwnersUnavailable` at once
STEADY_S = 10.0  # without a failure, until an outage is logged as over
RECYCLE_S = 1_800  # shorter than firewalls' timeouts for idle connections


class OwnersDatabase:
    """Belongs to the event loop it is first used in.

    Args:
        url: see `sekisho.settings.databases`.
        connections_max: open at once; opened on demand.
        deadline_us: the maximum wait of a caller.
        clock_s: a monotonic clock, in seconds.
        on_change: called with False when an outage begins, and with True when it has ended.

    Attributes:
        dialect: what differs between databases.

    Raises `SettingsError` for a URL that cannot work, without repeating it.
    """

    def __init__(
        self,
        url: str,
        *,
        connections_max: int,
        deadline_us: int,
        clock_s: Callable[[], float],
        on_change: Callable[[bool], None],
    ) -> None:
        self._deadline = deadline_us / 1e6
        self._engine = _engine(url, connections_max, self._deadline)
        self.dialect: Final = dialect_of(self._engine.sync_engine)
        self._threads = _engine_of_threads(self._engine, self._deadline) if self.dialect.is_file else None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._checked = False
        self._clock_s = clock_s
        self._on_change = on_change
        self._problems: set[str] = set()  # logged in the current outage
        self._trouble_s = 0.0

    async def in_tables(self, work: Callable[[Connection], T], *, writes: bool = False) -> T:
        """Do the work in a transaction, as `call` does, after checking once that the tables have the expected version.

        Raises `OwnersUnfit` if they have not, and what `call` raises.
        """

        def checked(connection: Connection) -> T:
            if not self._checked:
                check(connection)
                self._checked = True
            return work(connection)

        return await self.call(checked, writes=writes)

    async def call(
        self,
        work: Callable[[Connection], T],
        *,
        writes: bool = False,
        seconds: float | None = None,
        in_thread: bool = False,
    ) -> T:
        """Do the work in a transaction of its own.

        Args:
            work: gets the connection.
            writes: whether it changes rows; otherwise the transaction is read-only where the database has those.
            seconds: the deadline, if it is another than usual.
            in_thread: whether a file is read and written by a thread, in one go.

        Raises:
            OwnersUnavailable: the database failed, has too much to do, or did not answer by the deadline.
            OwnersError: what the work raised.
        """
        if len(self._tasks) >= CALLS_MAX:
            raise OwnersUnavailable("the database has more to do than it gets done")
        limit = self._deadline if seconds is None else seconds
        transact = self._transact_in_thread if in_thread and self._threads is not None else self._transact
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

    async def aclose(self) -> None:
        """End running calls and disconnect, within two deadlines and half a second."""
        # A cancelled call abandons its connection, and aiosqlite may then never report it as closed.
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=min(CLOSING_S, self._deadline))
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._deadline)
        if self._threads is not None:
            self._threads.dispose()
        closing = asyncio.ensure_future(self._engine.dispose())
        closing.add_done_callback(_hear)
        await asyncio.wait({closing}, timeout=self._deadline)

    def _outage(self, problem: str) -> None:
        """Log a problem once per outage: otherwise a lock in the database would cause a line for each request."""
        self._trouble_s = self._clock_s()
        if not self._problems:
            self._on_change(False)
        if problem not in self._problems:
            self._problems.add(problem)
            log.warning("the owners' database %s [%s]", problem, UNFIT_OWNERS.number)

    def _answered(self) -> None:
        # A lock blocks only some calls: the outage is over after a while without any failure.
        if self._problems and self._clock_s() - self._trouble_s >= STEADY_S:
            self._problems.clear()
            log.warning("the owners' database answers again")
            self._on_change(True)

    async def _attempt(self, doing: Coroutine[Any, Any, T]) -> T:
        try:
            return await doing
        except OwnersError:
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise their own, the system's, and Python's
            problem = self._named(error)
        # Outside the `except`: otherwise the driver's error, with its parameters, would be the context of the new one.
        self._checked = False  # the tables may have gone
        self._outage(f"failed: {with_remedy(problem)}")
        raise OwnersUnavailable(f"the database failed: {problem}")

    async def _transact(self, work: Callable[[Connection], T], options: dict[str, Any]) -> T:
        async with self._engine.connect() as connection:
            await connection.execution_options(**options, postgresql_readonly=not options[WRITES])
            async with connection.begin():
                return await connection.run_sync(work)

    async def _transact_in_thread(self, work: Callable[[Connection], T], options: dict[str, Any]) -> T:
        assert self._threads is not None  # noqa: S101 - the caller checked it
        return await asyncio.to_thread(_transacted, self._threads, work, options)

    def _named(self, error: Exception) -> str:
        """The error's class and code; they contain no personal data."""
        code = self.dialect.code(getattr(error, "orig", None) or error)
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
