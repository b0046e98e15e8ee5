"""Differences between databases: URL options, connecting, beginning, locking, and the meaning of error codes.

`schema` has the differences of columns. Everything else in this package is the same for all databases.
"""

from __future__ import annotations

import logging
import ssl
from hashlib import blake2b
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar, Final

import sqlalchemy as sa

from sekisho.model import SettingsError
from sekisho.owners.port import OwnersUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.pool import PoolResetState

OWNERS = "SEKISHO_OWNERS"
# Execution options of a transaction.
WRITES = "sekisho_writes"
SECONDS = "sekisho_seconds"  # the caller's maximum wait


class Dialect:
    """The common behaviour. Optional steps do nothing here.

    Attributes:
        label: the product, for errors.
        options: the supported options of a URL. Any other would fail at the first log-in.
        engine: arguments for SQLAlchemy's engine.
        exact: whether comparison is exact, unless a query or a column overrides it.
        is_file: whether the database is a file that this process locks. Then a service that writes to it on its event
            loop stops the loop until the lock is free, and a transaction that needs the loop would hold it meanwhile.
        foreign: error codes for text that a column's or database's character set lacks.
        doubled: error codes for two columns of one name.
        unfit: error codes for a statement that no retry makes right: its syntax, an unknown table, column or function,
            a missing right to read.
    """

    label: str
    options: frozenset[str] = frozenset()
    engine: ClassVar[Mapping[str, Any]] = {}
    exact: bool = True
    is_file: bool = False
    foreign: frozenset[str] = frozenset()
    doubled: frozenset[str] = frozenset()
    unfit: frozenset[str] = frozenset()

    def check(self, url: sa.URL) -> None:
        """Raise `SettingsError` for a URL with options that this product does not support, or that cannot work."""
        if not set(url.query) <= self.options:
            possible = ", ".join(sorted(self.options)) or "none"
            raise SettingsError(
                OWNERS, f"has an option that sekisho does not pass on; possible for {self.label}: {possible}"
            )

    def driver_url(self, url: sa.URL) -> sa.URL:
        """Return the URL for the driver: without the options that `connecting` turns into arguments."""
        return url

    def connecting(self, url: sa.URL, seconds: float) -> dict[str, object]:
        """Return the arguments for the driver's connect call, by which connecting takes `seconds` at most."""
        raise NotImplementedError

    def prepare(self, engine: Engine) -> None:
        """Register what this database needs on a new engine. Does nothing where it needs nothing."""

    def lock(self, connection: Connection, number: int) -> None:
        """Wait for a lock of this number (signed, 64 bits), and hold it until the transaction ends."""

    def code(self, error: BaseException) -> str | None:
        """Return the database's own code of an error, which contains no personal data; None if the error has none."""
        raise NotImplementedError


class _PostgreSQL(Dialect):
    label = "PostgreSQL"
    options = frozenset({"host", "port", "ssl", "target_session_attrs", "prepared_statement_cache_size"})
    foreign = frozenset({"22P05"})  # the database's encoding is not UTF-8
    unfit = frozenset({"42601", "42P01", "42703", "42883", "42501"})

    def connecting(self, url: sa.URL, seconds: float) -> dict[str, object]:
        """Disable the driver's prepared statements.

        Behind a PgBouncer in transaction mode, the next transaction uses another connection, where a statement of that
        name is missing, or belongs to another client. Preparing again costs 0.1 ms. Sites without such a pooler may
        enable the cache with `prepared_statement_cache_size`.
        """
        arguments: dict[str, object] = {"timeout": seconds}
        if int(str(url.query.get("prepared_statement_cache_size", "0"))):
            return arguments
        arguments |= {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
        return arguments | {"prepared_statement_name_func": str}

    def lock(self, connection: Connection, number: int) -> None:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.bindparam("lock", number, sa.BigInteger))))

    def code(self, error: BaseException) -> str | None:
        return getattr(error, "sqlstate", None)


class _SQLite(Dialect):
    """SQLite needs no locks: writing transactions exclude each other from their first statement on."""

    label = "SQLite"
    unfit = frozenset({"SQLITE_ERROR"})
    is_file = True

    def check(self, url: sa.URL) -> None:
        super().check(url)
        if (url.database or ":memory:") == ":memory:":
            raise SettingsError(
                OWNERS,
                "needs a file, because enrolments must outlive the process; as in sqlite+aiosqlite:////path/to/file",
            )

    def connecting(self, url: sa.URL, seconds: float) -> dict[str, object]:  # noqa: ARG002 - a file wants nothing of it
        return {"timeout": seconds}  # the wait for another writer

    def prepare(self, engine: Engine) -> None:
        logging.getLogger("aiosqlite").addFilter(_no_parameters)
        sa.event.listen(engine, "begin", _begin_in_sqlite)

    def code(self, error: BaseException) -> str | None:
        return getattr(error, "sqlite_errorname", None)


class _MySQL(Dialect):
    """MySQL and MariaDB.

    Their named locks belong to a connection and outlast a transaction: they are released after the commit, when the
    connection returns to the pool. Only one server knows such a lock, so in a cluster all writes must go to one node.
    """

    label = "MySQL"
    options = frozenset({"ssl", "ssl_ca", "unix_socket"})
    # Other transactions' commits must be visible after a lock: an older snapshot would count too few enrolments.
    engine: ClassVar[Mapping[str, Any]] = {"isolation_level": "READ COMMITTED"}
    # The usual collations ignore case, marks and trailing blanks, and a number equals every text that begins with it.
    exact = False
    foreign = frozenset({"1267", "1270", "1271", "3854", "3988"})
    doubled = frozenset({"1060"})
    unfit = frozenset({"1064", "1146", "1054", "1305", "1142", "1143"})

    def check(self, url: sa.URL) -> None:
        super().check(url)
        if not url.database:
            raise SettingsError(OWNERS, "names no database, as in mysql://user@host/database")

    def driver_url(self, url: sa.URL) -> sa.URL:
        return url.difference_update_query(["ssl", "ssl_ca"])

    def connecting(self, url: sa.URL, seconds: float) -> dict[str, object]:
        arguments: dict[str, object] = {
            "connect_timeout": seconds,
            "charset": "utf8mb4",
            "init_command": _SESSION,
            "ssl": _tls(url),
        }
        if url.password is not None:
            arguments["password"] = url.password.encode()  # the driver would send Latin-1
        return arguments

    def prepare(self, engine: Engine) -> None:
        sa.event.listen(engine, "begin", _begin_in_mysql)
        sa.event.listen(engine, "reset", _unlock_in_mysql)

    def lock(self, connection: Connection, number: int) -> None:
        # Lock names are global on the server, and have at most 64 characters.
        place = f"{connection.engine.url.database} {number}"
        name = f"sekisho {blake2b(place.encode(), digest_size=16).hexdigest()}"
        connection.info[_LOCKED] = True
        if connection.execute(sa.select(sa.func.get_lock(name, _whole_seconds(connection)))).scalar() != 1:
            raise OwnersUnavailable("the database did not answer in time")

    def code(self, error: BaseException) -> str | None:
        number = error.args[0] if error.args else None
        return str(number) if isinstance(number, int) else None


DIALECTS: Final[dict[str, Dialect]] = {"postgresql": _PostgreSQL(), "mysql": _MySQL(), "sqlite": _SQLite()}


def dialect_of(connection: Connection | Engine) -> Dialect:
    return DIALECTS[connection.dialect.name]


# SQLite.


def _no_parameters(record: logging.LogRecord) -> bool:
    # aiosqlite logs each call with its arguments at level DEBUG.
    return record.levelno > logging.DEBUG


def _begin_in_sqlite(connection: Connection) -> None:
    # By default sqlite3 begins a transaction at the first changed row: tables would be created outside of it, and rows
    # read before it could have changed.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


# MySQL and MariaDB.

_LOCKED = "sekisho_locked"
_LIMIT = "sekisho_limit"
# The driver inserts values into statements and always escapes with backslashes: in a mode that reads backslashes
# literally, an account could close its quotes (SQL injection). Strict mode, because otherwise too long a value would be
# truncated and could equal another account's. The collation applies to the query's own texts; a column's own prevails.
_SESSION = (
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin, SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
    "SESSION autocommit = 0"
)
_TLS = ("disable", "require", "verify-ca", "verify-full")


def _tls(url: sa.URL) -> ssl.SSLContext | None:
    """The TLS context for `ssl`, with the names of PostgreSQL's drivers. With only `ssl_ca`, the strictest applies.

    A server without TLS is refused: the driver always begins the handshake, so an attacker cannot downgrade it.
    """
    authorities = url.query.get("ssl_ca")
    way = url.query.get("ssl", "disable" if authorities is None else "verify-full")
    if way not in _TLS:
        raise SettingsError(OWNERS, f"has an `ssl` that is none of {', '.join(_TLS)}")
    if way == "disable":
        return None
    context = _trusting(authorities)
    if context is None:
        raise SettingsError(OWNERS, "names a file in `ssl_ca` that cannot be read, or holds no certificates")
    context.check_hostname = way == "verify-full"
    context.verify_mode = ssl.CERT_NONE if way == "require" else ssl.CERT_REQUIRED
    return context


def _trusting(authorities: str | tuple[str, ...] | None) -> ssl.SSLContext | None:
    try:
        return ssl.create_default_context(cafile=authorities)  # type: ignore[arg-type] # of two files: a TypeError
    except (OSError, TypeError):  # names the file, so it must not propagate
        return None


def _begin_in_mysql(connection: Connection) -> None:
    _limit(connection)
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql(f"START TRANSACTION {'READ WRITE' if writes else 'READ ONLY'}")


def _limit(connection: Connection) -> None:
    """Limit a statement to its caller's wait: these servers continue after a client has disconnected.

    MySQL has no such limit for writes; both servers limit the wait for row and table locks.
    """
    seconds = connection.get_execution_options().get(SECONDS)
    if seconds is None or connection.info.get(_LIMIT) == seconds:
        return
    is_mariadb = getattr(connection.dialect, "is_mariadb", False)
    whole = f"max_statement_time = {seconds:.3f}" if is_mariadb else f"max_execution_time = {ceil(seconds * 1e3)}"
    waiting = f"innodb_lock_wait_timeout = {ceil(seconds)}, SESSION lock_wait_timeout = {ceil(seconds)}"
    connection.exec_driver_sql(f"SET SESSION {whole}, SESSION {waiting}")
    connection.info[_LIMIT] = seconds


def _whole_seconds(connection: Connection) -> int:
    seconds: float = connection.get_execution_options()[SECONDS]
    return ceil(seconds)


def _unlock_in_mysql(connection: Any, record: Any, state: PoolResetState) -> None:
    # Closing a connection releases its locks.
    if record.info.pop(_LOCKED, False) and not state.terminate_only:
        cursor = connection.cursor()
        cursor.execute("SELECT RELEASE_ALL_LOCKS()")
        cursor.close()
