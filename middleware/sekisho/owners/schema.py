"""The adapter's own tables: their definitions, their migration steps, and the check of their version.

A released step is never edited: it must produce the same tables in old and new databases.

Tables that earlier versions need not know are additions. They leave the version as it is, so that workers of earlier
versions go on beside them. Each is recorded by its name.

MySQL and MariaDB commit after every change to a table. An interrupted step may be half done, so every step must be
repeatable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sekisho.owners.dialects import dialect_of
from sekisho.owners.port import ID_CHARS_MAX, LABEL_CHARS_MAX, OwnersUnfit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Connection, Dialect

    Step = Callable[[Connection], None]

_LOCK = int.from_bytes(b"sekisho\x01", signed=True)  # PostgreSQL's advisory locks have numbers, not names


class _Utf8(sa.types.TypeDecorator[str]):
    """Text as UTF-8 bytes, without a collation: even in MySQL's utf8mb4_bin, `alice ` equals `alice`."""

    impl = sa.VARBINARY
    cache_ok = True

    def process_bind_param(self, value: str | None, _: Dialect) -> bytes | None:
        return None if value is None else value.encode()

    def process_result_value(self, value: bytes | None, _: Dialect) -> str | None:
        return None if value is None else bytes(value).decode()


def _text(chars_max: int) -> sa.types.TypeEngine[str]:
    # MySQL indexes only bounded text, of at most 3 KiB; the longest id has 2 KiB.
    return sa.Text().with_variant(_Utf8(4 * chars_max), "mysql")


metadata = sa.MetaData()
_ENGINE = "InnoDB"  # regardless of the server's default
meta = sa.Table(
    "sekisho_meta",
    metadata,
    sa.Column("name", _text(32), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
    mysql_engine=_ENGINE,
)
enrolments = sa.Table(
    "sekisho_enrolments",
    metadata,
    sa.Column("id", _text(32), primary_key=True),
    sa.Column("account_id", _text(ID_CHARS_MAX), nullable=False, index=True),
    sa.Column("kind", _text(32), nullable=False),
    sa.Column("label", _text(LABEL_CHARS_MAX), nullable=False),
    sa.Column("created_s", sa.BigInteger, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    mysql_engine=_ENGINE,
)
resets = sa.Table(
    "sekisho_resets",
    metadata,
    sa.Column("account_id", _text(ID_CHARS_MAX), primary_key=True),
    sa.Column("asked_s", sa.BigInteger, nullable=False),
    sa.Column("due_s", sa.BigInteger, nullable=False, index=True),
    mysql_engine=_ENGINE,
)

OUTBOX = "outbox"
outbox_metadata = sa.MetaData()
outbox = sa.Table(
    "sekisho_outbox",
    outbox_metadata,
    sa.Column("id", _text(32), primary_key=True),
    sa.Column("service", _text(32), nullable=False),
    sa.Column("due_s", sa.BigInteger, nullable=False),
    sa.Column("expires_s", sa.BigInteger, nullable=False),
    sa.Column("times", sa.BigInteger, nullable=False),
    sa.Column("tries", sa.BigInteger, nullable=False),
    sa.Column("holder", _text(32), nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Index("ix_sekisho_outbox_due", "service", "due_s"),
    mysql_engine=_ENGINE,
)
logins = sa.Table(
    "sekisho_logins",
    outbox_metadata,
    sa.Column("id", _text(32), primary_key=True),
    sa.Column("account_id", _text(ID_CHARS_MAX), nullable=False, index=True),
    sa.Column("at_s", sa.BigInteger, nullable=False, index=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    mysql_engine=_ENGINE,
)

ADDRESSES = "addresses"
addresses_metadata = sa.MetaData()
addresses = sa.Table(
    "sekisho_addresses",
    addresses_metadata,
    sa.Column("account_id", _text(ID_CHARS_MAX), primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    mysql_engine=_ENGINE,
)


def _created(connection: Connection, tables: sa.MetaData) -> None:
    tables.create_all(connection)
    # The call above creates no index for a table that exists already.
    for table in tables.tables.values():
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def _first(connection: Connection) -> None:
    # Once a second step alters tables, this one must contain its own copy of their old definitions.
    _created(connection, metadata)


def _add_outbox(connection: Connection) -> None:
    _created(connection, outbox_metadata)


def _add_addresses(connection: Connection) -> None:
    _created(connection, addresses_metadata)


STEPS: tuple[Step, ...] = (_first,)
ADDITIONS: dict[str, Step] = {OUTBOX: _add_outbox, ADDRESSES: _add_addresses}


def upgrade(connection: Connection, steps: Sequence[Step] = STEPS) -> int:
    """Run the migration steps that the tables lack, in the caller's writing transaction. Return the resulting version.

    Workers that start together wait for each other. Raises `OwnersUnfit` if the tables are newer than `steps`.
    """
    dialect_of(connection).lock(connection, _LOCK)
    version = _version(connection)
    _refuse_newer(version, len(steps))
    for step in steps[version:]:
        step(connection)
    if version < len(steps):
        connection.execute(meta.delete().where(meta.c.name == "schema"))
        connection.execute(meta.insert().values(name="schema", value=len(steps)))
    for name, add in ADDITIONS.items():
        if not has_addition(connection, name):
            add(connection)
            connection.execute(meta.insert().values(name=name, value=1))
    return len(steps)


def has_addition(connection: Connection, name: str) -> bool:
    """Whether the database has the additional tables of this name, which `upgrade` adds.

    Raises the driver's error where the database has no tables of sekisho.
    """
    return connection.execute(sa.select(meta.c.value).where(meta.c.name == name)).first() is not None


def check(connection: Connection, wanted: int = len(STEPS)) -> None:
    """Raise `OwnersUnfit` unless the tables are those of this version."""
    version = _version(connection)
    _refuse_newer(version, wanted)
    if version < wanted:
        missing = "are missing" if version == 0 else f"are of version {version}, this sekisho wants {wanted}"
        raise OwnersUnfit(f"the tables of sekisho {missing}: run `sekisho owners migrate`")


def _refuse_newer(version: int, wanted: int) -> None:
    if version > wanted:
        raise OwnersUnfit(
            f"the tables of sekisho are of version {version}, newer than the {wanted} of this sekisho: upgrade sekisho"
        )


def _version(connection: Connection) -> int:
    """The version of the tables; 0 if there are none."""
    if not sa.inspect(connection).has_table(meta.name):
        return 0
    return int(connection.execute(sa.select(meta.c.value).where(meta.c.name == "schema")).scalar() or 0)
