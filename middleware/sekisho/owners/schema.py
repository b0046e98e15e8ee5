"""The adapter's own tables, how they came to be, and whether those in the database are they.

Steps are never edited once released: a database that took a step yesterday must look like one that takes it today.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sekisho.owners.port import OwnersUnfit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Connection

    Step = Callable[[Connection], None]

_LOCK = int.from_bytes(b"sekisho\x01", signed=True)  # PostgreSQL's advisory locks have numbers, not names

metadata = sa.MetaData()
meta = sa.Table(
    "sekisho_meta",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
enrolments = sa.Table(
    "sekisho_enrolments",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("account_id", sa.Text, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("created_s", sa.BigInteger, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)
resets = sa.Table(
    "sekisho_resets",
    metadata,
    sa.Column("account_id", sa.Text, primary_key=True),
    sa.Column("asked_s", sa.BigInteger, nullable=False),
    sa.Column("due_s", sa.BigInteger, nullable=False, index=True),
)


def _first(connection: Connection) -> None:
    # The next step alters tables; from then on this one must hold its own copy of how they were.
    metadata.create_all(connection)


STEPS: tuple[Step, ...] = (_first,)


def upgrade(connection: Connection, steps: Sequence[Step] = STEPS) -> int:
    """Take the steps that the database lacks, inside the caller's writing transaction. Returns the version reached.

    Workers that start together wait for one another. Raises `OwnersUnfit` where the tables are newer than `steps`.
    """
    lock(connection, _LOCK)
    version = _version(connection)
    _refuse_newer(version, len(steps))
    for step in steps[version:]:
        step(connection)
    if version < len(steps):
        connection.execute(meta.delete().where(meta.c.name == "schema"))
        connection.execute(meta.insert().values(name="schema", value=len(steps)))
    return len(steps)


def check(connection: Connection, wanted: int = len(STEPS)) -> None:
    """Raise `OwnersUnfit` unless the tables are those of this version."""
    version = _version(connection)
    _refuse_newer(version, wanted)
    if version < wanted:
        missing = "are missing" if version == 0 else f"are of version {version}, this sekisho wants {wanted}"
        raise OwnersUnfit(f"the tables of sekisho {missing}: run `sekisho owners migrate`")


def lock(connection: Connection, number: int) -> None:
    """Wait for whoever holds this lock (a signed 64-bit number), and hold it until the transaction ends.

    SQLite needs none: its writing transactions exclude one another from their first statement on.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.bindparam("lock", number, sa.BigInteger))))


def _refuse_newer(version: int, wanted: int) -> None:
    if version > wanted:
        raise OwnersUnfit(
            f"the tables of sekisho are of version {version}, newer than the {wanted} of this sekisho: upgrade sekisho"
        )


def _version(connection: Connection) -> int:
    """0 where there is none."""
    if not sa.inspect(connection).has_table(meta.name):
        return 0
    return int(connection.execute(sa.select(meta.c.value).where(meta.c.name == "schema")).scalar() or 0)
