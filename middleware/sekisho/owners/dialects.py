"""Where databases differ: what a URL may ask for, how to connect, begin and lock, and what an error's code means.

How their columns differ stands in `schema`. Everything else in this package is the same for all of them.
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
# What a transaction is told when it begins, as execution options.
WRITES = "sekisho_writes"
SECONDS = "sekisho_seconds"  # that its caller waits at most


class Dialect:
    """What is common, and nothing where nothing is to be done.

    Attributes:
        label: the product, for errors.
        options: what a URL may ask for. Anything else would fail at the first log-in.
        engine: arguments for SQLAlchemy's engine.
        exact: whether two texts that differ are never equal, unless a query or a column says otherwise.
        foreign: codes of errors for text that a column's or database's character set lacks.
        doubled: codes of errors for two columns of one name.
    """

    label: str
    options: frozenset[str] = frozenset()
    engine: ClassVar[Mapping[str, Any]] = {}
    exact: bool = True
    foreign: frozenset[str] = frozenset()
    doubled: frozenset[str] = frozenset()

    def check(self, url: sa.URL) -> None:
        """Raise `SettingsError` for what cannot work."""
        if not set(url.query) <= self.options:
            possible = ", ".join(sorted(self.options)) or "none"
            raise SettingsError(
                OWNERS, f"has an option that sekisho does not pass on; possible for {self.label}: {possible}"
            )

    def driver_url(self, url: sa.URL) -> sa.URL:
        """Without the options that `connecting` sees to."""
        return url

    def connecting(self, url: sa.URL, seconds: float) -> dict[str, object]:
        """Arguments for the driver. Connecting takes `seconds` at most."""
        raise NotImplementedError

    def prepare(self, engine: Engine) -> None:
        """What is to be done with a new engine."""

    def lock(self, connection: Connection, number: int) -> None:
        """Wait until nobody else holds this lock (a signed 64-bit number), and hold it until the transaction ends."""

    def code(self, error: BaseException) -> str | None:
        """The database's own code of an error, which holds nothing of anybody."""
        raise NotImplementedError


class _PostgreSQL(Dialect):
    label = "PostgreSQL"
    options = frozenset({"host", "port", "ssl", "target_session_attrs", "prepared_statement_cache_size"})
    foreign = frozenset({"22P05"})  # the database's encoding is not UTF-8

    def connecting(self, url: sa.URL, seconds: float) -> dict[str, object]:
        """Keeps the driver from leaving statements on a connection.

        Behind a PgBouncer in transaction mode the next transaction meets another connection, where a statement of that
        name is missing, or is somebody else's. Preparing anew costs a tenth of a millisecond. Sites without such a
        pooler may ask for a cache with `prepared_statement_cache_size`.
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
    """Needs no locks: its writing transactions exclude one another from their first statement on."""

    label = "SQLite"

    def check(self, url: sa.URL) -> None:
        super().check(url)
        if (url.database or ":memory:") == ":memory:":
            raise SettingsError(
                OWNERS,
                "wants a file: what is enrolled must outlive the process; as in sqlite+aiosqlite:////path/to/file",
            )

    def connecting(self, url: sa.URL, seconds: float) -> dict[str, object]:  # noqa: ARG002 - a file wants nothing of it
        return {"timeout": seconds}  # to wait for another's writing

    def prepare(self, engine: Engine) -> None:
        logging.getLogger("aiosqlite").addFilter(_no_parameters)
        sa.event.listen(engine, "begin", _begin_in_sqlite)

    def code(self, error: BaseException) -> str | None:
        return getattr(error, "sqlite_errorname", None)


class _MySQL(Dialect):
    """MySQL and MariaDB.

    Their locks by name belong to a connection and outlast a transaction: they are given back when the connection goes
    back to the pool, once all is committed. Such a lock is known to one server only, so of a cluster one node is to be
    written to.
    """

    label = "MySQL"
    options = frozenset({"ssl", "ssl_ca", "unix_socket"})
    # What others committed is seen after a lock: a snapshot from before it would count too few enrolments.
    engine: ClassVar[Mapping[str, Any]] = {"isolation_level": "READ COMMITTED"}
    # The usual collations ignore case, marks and trailing blanks; a number equals every text that begins with it.
    exact = False
    foreign = frozenset({"1267", "1270", "1271", "3854", "3988"})
    doubled = frozenset({"1060"})

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
        # Names are those of the whole server, and have at most 64 characters.
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
    # aiosqlite logs each call with its arguments, at the lowest level.
    return record.levelno > logging.DEBUG


def _begin_in_sqlite(connection: Connection) -> None:
    # By itself sqlite3 begins at the first changed row: tables would be made outside, and what was read before it
    # could have changed since.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


# MySQL and MariaDB.

_LOCKED = "sekisho_locked"
_LIMIT = "sekisho_limit"
# The driver writes values into statements, and escapes bytes by backslash whatever the server's mode: where that took
# backslashes literally, an account could end its own quotes. Strict, or what is too long would be cut short and become
# somebody else's. The collation is for texts of the query itself; a column's own comes first.
_SESSION = (
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin, SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
    "SESSION autocommit = 0"
)
_TLS = ("disable", "require", "verify-ca", "verify-full")


def _tls(url: sa.URL) -> ssl.SSLContext | None:
    """As PostgreSQL's drivers name the ways; with `ssl_ca`, a file of certificates, and no word the strictest.

    A server without TLS is refused: the driver begins the handshake whatever the server says of itself.
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
    except (OSError, TypeError):  # names the file, so it must not travel further
        return None


def _begin_in_mysql(connection: Connection) -> None:
    _limit(connection)
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql(f"START TRANSACTION {'READ WRITE' if writes else 'READ ONLY'}")


def _limit(connection: Connection) -> None:
    """End what takes longer than its caller waits: these servers go on for a client that has hung up.

    MySQL has no such limit for changes; what they wait for, rows and tables, has one in both.
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
    # A connection that is thrown away takes its locks along.
    if record.info.pop(_LOCKED, False) and not state.terminate_only:
        cursor = connection.cursor()
        cursor.execute("SELECT RELEASE_ALL_LOCKS()")
        cursor.close()
