"""The outbox's table: notices that wait until they are sent, shared by all workers.

A worker claims rows for a time, its lease. If it dies, the rows are claimable again when the lease ends. A worker that
was merely slow finds that another one holds its row, and changes nothing. Several services may share a database, so a
row names its service, and only that service's workers claim it: no other could open the seal.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import sqlalchemy as sa

from sekisho.owners.dialects import dialect_of
from sekisho.owners.port import OwnersUnfit
from sekisho.owners.schema import OUTBOX, has_addition, outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy.engine import Connection

    from sekisho.owners.sql import SqlOwners

T = TypeVar("T")

WAITS_MAX_S = 7_200
"""No row waits longer: neither its lease, nor the pause after a failure, nor the quiet time after a notice."""

MISSING = "the table of the outbox is missing, so notices do not survive a restart: run `sekisho owners migrate`"


class Queued(NamedTuple):
    """A notice to add.

    Attributes:
        id: 32 hexadecimal digits; random, or the digest of what its sums belong to.
        is_summed: whether an unsent or recent row of this id takes this notice in, as one more event.
        due_s, expires_s: Unix time. An expired row is dropped.
        sealed: the content.
    """

    id: str
    is_summed: bool
    due_s: int
    expires_s: int
    sealed: bytes

    def __repr__(self) -> str:
        return "Queued(...)"


class Claimed(NamedTuple):
    """A row that this worker may send until its lease ends.

    Attributes:
        id: see `Queued`.
        times: the number of events that it stands for.
        tries: how often it was claimed, this time included.
        expires_s: Unix time.
        sealed: the content.
    """

    id: str
    times: int
    tries: int
    expires_s: int
    sealed: bytes

    def __repr__(self) -> str:
        return "Claimed(...)"


class OutboxRow(NamedTuple):
    """A row as an operator reads it.

    Attributes:
        id: see `Queued`.
        times: events that are not sent yet; 0: it was sent, and its next events wait until `due_s`.
        due_s, expires_s: Unix time.
        sealed: the content.
    """

    id: str
    times: int
    due_s: int
    expires_s: int
    sealed: bytes

    def __repr__(self) -> str:
        return "OutboxRow(...)"


class SqlOutbox:
    """Every method raises `OwnersUnavailable`, or `OwnersUnfit` where the table is missing.

    Args:
        owners: the database.
        service: up to 32 hexadecimal digits.
    """

    def __init__(self, owners: SqlOwners, service: str) -> None:
        self._owners = owners
        self._service = service
        self._is_there = False

    async def add(self, queued: Queued) -> None:
        """Keep a notice. When this returns, it survives a crash of this process."""
        await self._in_table(lambda connection: _add(connection, self._service, queued))

    async def add_once(self, marks: Collection[Queued], notices: Collection[Queued]) -> bool:
        """Keep notices together with a mark for each of their causes, in one transaction, and return True.

        Returns False, and keeps nothing, if all marks are there already. So of two processes at once, and of one that
        runs again after a crash, one keeps the notices. A mark is a row that is never sent; it stays until it expires.
        """
        return await self._in_table(lambda connection: _add_once(connection, self._service, marks, notices))

    async def claim(self, holder: str, *, now_s: int, lease_s: int, most: int) -> list[Claimed]:
        """Claim due rows, the longest due first. Of several workers one gets each.

        Args:
            holder: a random text, new for each call.
            now_s: Unix time.
            lease_s: the seconds after which others may claim them.
            most: the number of rows.
        """
        return await self._in_table(
            lambda connection: _claim(connection, self._service, holder, now_s, now_s + lease_s, most)
        )

    async def sent(self, row: Claimed, holder: str, *, quiet_until_s: int | None) -> None:
        """Remove a row whose notice was sent, unless another worker holds the row by now.

        Args:
            row: as claimed.
            holder: as in `claim`.
            quiet_until_s: for a summed row, Unix time: the row stays until then, and events meanwhile are sent then.
        """
        await self._in_table(lambda connection: _sent(connection, row, holder, quiet_until_s))

    async def postpone(self, row: Claimed, holder: str, due_s: int) -> None:
        """Release a claimed row whose notice could not be sent now, so that it is due again at `due_s` (Unix time)."""
        change = outbox.update().where(_held(row.id, holder)).values(due_s=due_s, holder="")
        await self._in_table(lambda connection: connection.execute(change))

    async def drop(self, row: Claimed, holder: str) -> None:
        """Remove a row that cannot be sent."""
        await self._in_table(lambda connection: connection.execute(outbox.delete().where(_held(row.id, holder))))

    async def rows_after(self, after: str, most: int) -> list[OutboxRow]:
        """Return at most `most` rows of the service whose ids come after this id, in the order of ids."""
        rows = sa.select(outbox).where(outbox.c.service == self._service, outbox.c.id > after)
        wanted = rows.order_by(outbox.c.id).limit(most)
        found = await self._in_table(lambda connection: connection.execute(wanted).all())
        return [OutboxRow(row.id, row.times, row.due_s, row.expires_s, bytes(row.sealed)) for row in found]

    async def remove(self, ids: Collection[str]) -> int:
        """Remove the service's rows of these ids, sent or not, for an operator. Return how many there were."""
        own = sa.and_(outbox.c.service == self._service, outbox.c.id.in_(ids))
        return await self._in_table(lambda connection: connection.execute(outbox.delete().where(own)).rowcount)

    async def waiting(self, ids: Collection[str]) -> int:
        """Return how many of the rows of these ids still wait to be sent."""
        some = sa.select(sa.func.count()).where(outbox.c.id.in_(ids), outbox.c.times > 0)
        return await self._in_table(lambda connection: connection.execute(some).scalar_one())

    async def sweep(self, *, now_s: int, most: int) -> int:
        """Remove at most `most` expired rows of any service. Return how many of them were never sent.

        Rows of other services are removed too, because a service may have changed its name.
        """
        return await self._in_table(lambda connection: _sweep(connection, now_s, most))

    async def _in_table(self, work: Callable[[Connection], T]) -> T:
        def checked(connection: Connection) -> T:
            if not self._is_there and not has_addition(connection, OUTBOX):
                raise OwnersUnfit(MISSING)
            return work(connection)

        found = await self._owners.transact(checked, writes=True)
        self._is_there = True
        return found


def _add(connection: Connection, service: str, queued: Queued) -> None:
    values = {"due_s": queued.due_s, "expires_s": queued.expires_s, "sealed": queued.sealed}
    if queued.is_summed:
        dialect_of(connection).lock(connection, _number(queued.id))
        more = outbox.update().where(outbox.c.id == queued.id)
        changed = connection.execute(
            more.values(times=outbox.c.times + 1, expires_s=queued.expires_s, sealed=queued.sealed)
        )
        if changed.rowcount:
            return
    connection.execute(outbox.insert().values(id=queued.id, service=service, times=1, tries=0, holder="", **values))


def _add_once(connection: Connection, service: str, marks: Collection[Queued], notices: Collection[Queued]) -> bool:
    # In one order: two processes that wait for each other's locks would wait for ever.
    ids = sorted(mark.id for mark in marks)
    for each in ids:
        dialect_of(connection).lock(connection, _number(each))
    known = set(connection.execute(sa.select(outbox.c.id).where(outbox.c.id.in_(ids))).scalars())
    fresh = [mark for mark in marks if mark.id not in known]
    for mark in fresh:
        # Without events it is claimed by no worker, of this version or an earlier one.
        values = {"due_s": mark.expires_s, "expires_s": mark.expires_s, "sealed": mark.sealed}
        connection.execute(outbox.insert().values(id=mark.id, service=service, times=0, tries=0, holder="", **values))
    for notice in notices if fresh else ():
        _add(connection, service, notice)
    return bool(fresh)


def _claim(connection: Connection, service: str, holder: str, now_s: int, until_s: int, most: int) -> list[Claimed]:
    # After a clock was set back, notices from before would wait until it has caught up.
    is_due = sa.or_(outbox.c.due_s <= now_s, outbox.c.due_s > now_s + WAITS_MAX_S)
    waiting = sa.and_(outbox.c.service == service, is_due, outbox.c.times > 0)
    due = (
        sa.select(outbox.c.id, outbox.c.tries, outbox.c.due_s)
        .where(waiting)
        .order_by(outbox.c.due_s, outbox.c.id)
        .limit(most)
    )
    rows = connection.execute(due).all()
    mine = [row.id for row in rows if _takes(connection, row.id, row.tries, row.due_s, holder, until_s)]
    if not mine:
        return []
    # Read after they were claimed: an event may have been added to a row since it was found.
    claimed = connection.execute(sa.select(outbox).where(outbox.c.id.in_(mine)).order_by(outbox.c.id))
    return [Claimed(row.id, row.times, row.tries, row.expires_s, bytes(row.sealed)) for row in claimed]


def _takes(connection: Connection, row_id: str, tries: int, due_s: int, holder: str, until_s: int) -> bool:
    """Claim a row, unless another worker claimed it since it was found, and perhaps sent it."""
    unchanged = sa.and_(outbox.c.id == row_id, outbox.c.tries == tries, outbox.c.due_s == due_s)
    change = outbox.update().where(unchanged).values(tries=tries + 1, holder=holder, due_s=until_s)
    return bool(connection.execute(change).rowcount)


def _sent(connection: Connection, row: Claimed, holder: str, quiet_until_s: int | None) -> None:
    if quiet_until_s is None:
        connection.execute(outbox.delete().where(_held(row.id, holder)))
        return
    dialect_of(connection).lock(connection, _number(row.id))
    held = sa.select(outbox.c.times, outbox.c.expires_s).where(_held(row.id, holder))
    found = connection.execute(held).first()
    if found is None:
        return
    left = found.times - row.times
    # Without further events the row only has to be quiet.
    expires_s = found.expires_s if left else quiet_until_s
    values = {"times": left, "due_s": quiet_until_s, "expires_s": expires_s, "tries": 0, "holder": ""}
    connection.execute(outbox.update().where(outbox.c.id == row.id).values(**values))


def _sweep(connection: Connection, now_s: int, most: int) -> int:
    # A row that is held now may just be on its way.
    over = sa.and_(outbox.c.expires_s <= now_s, outbox.c.due_s <= now_s)
    rows = connection.execute(sa.select(outbox.c.id, outbox.c.times).where(over).limit(most)).all()
    removed = [
        row.times for row in rows if connection.execute(outbox.delete().where(over, outbox.c.id == row.id)).rowcount
    ]
    return sum(times > 0 for times in removed)


def _held(row_id: str, holder: str) -> sa.ColumnElement[bool]:
    return sa.and_(outbox.c.id == row_id, outbox.c.holder == holder)


def _number(row_id: str) -> int:
    """The number of a row's lock."""
    return int.from_bytes(blake2b(row_id.encode(), digest_size=8, person=b"sekisho outbox").digest(), signed=True)
