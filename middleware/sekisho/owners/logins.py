"""The table of recent log-ins, which owners see on their page: a bounded number for each account, for a bounded time.

Each class of rows has a bound of its own: a thief who has the password, and starts log-ins from many networks, must not
push the owner's own rows out.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from sekisho.owners.log_in import LogInRow
from sekisho.owners.port import usable_id
from sekisho.owners.schema import OUTBOX, has_addition, logins

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

    from sekisho.owners.sql import SqlOwners

ROWS_MAX: Final = 10  # of a class and an account
KEPT_S: Final = 90 * 86_400
SWEEP_MAX: Final = 10  # expired rows of any account that an addition removes


class SqlLogins:
    """Every method raises `OwnersUnavailable`. Without the table nothing is kept, and there is nothing to see."""

    def __init__(self, owners: SqlOwners) -> None:
        self._owners = owners

    async def add(
        self,
        account_id: str,
        row_id: str,
        at_s: int,
        sealed: Callable[[tuple[str, int]], bytes],
        *,
        completed: tuple[str, ...] = (),
    ) -> None:
        """Write a log-in's row, in place of one of its id. Remove expired rows, and a class's oldest if too many.

        Args:
            account_id: of the account.
            row_id: see `LogInRow`.
            at_s: Unix time.
            sealed: makes the content. It is given the id and the time of the newest row before, or "" and 0.
            completed: the classes of rows that count as newest.
        """
        write = partial(
            _add, account_id=usable_id(account_id), row_id=row_id, at_s=at_s, sealed=sealed, completed=completed
        )
        await self._owners.transact(write, writes=True)

    async def recent(self, account_id: str, *, now_s: int) -> tuple[LogInRow, ...]:
        """Return the account's log-ins that are not expired at the Unix time `now_s`, newest first."""
        return await self._owners.transact(partial(_recent, account_id=usable_id(account_id), now_s=now_s))


def _add(
    connection: Connection,
    account_id: str,
    row_id: str,
    at_s: int,
    sealed: Callable[[tuple[str, int]], bytes],
    completed: tuple[str, ...],
) -> None:
    if not has_addition(connection, OUTBOX):
        return
    content = sealed(_newest(connection, account_id, completed))
    old = sa.select(logins.c.id).where(logins.c.at_s <= at_s - KEPT_S).limit(SWEEP_MAX)
    expired = connection.execute(old).scalars().all()
    connection.execute(logins.delete().where(logins.c.id.in_([row_id, *expired])))
    connection.execute(logins.insert().values(id=row_id, account_id=account_id, at_s=at_s, sealed=content))
    same = sa.and_(logins.c.account_id == account_id, sa.func.substr(logins.c.id, 1, 1) == row_id[:1])
    order = (logins.c.at_s.desc(), logins.c.id)
    kept = connection.execute(sa.select(logins.c.id).where(same).order_by(*order)).scalars().all()
    if len(kept) > ROWS_MAX:
        connection.execute(logins.delete().where(logins.c.id.in_(kept[ROWS_MAX:])))


def _newest(connection: Connection, account_id: str, classes: tuple[str, ...]) -> tuple[str, int]:
    """The id and the time of the account's newest row of these classes; "" and 0 if there is none."""
    own = sa.and_(logins.c.account_id == account_id, sa.func.substr(logins.c.id, 1, 1).in_(classes))
    order = (logins.c.at_s.desc(), logins.c.id)
    found = connection.execute(sa.select(logins.c.id, logins.c.at_s).where(own).order_by(*order).limit(1)).first()
    return ("", 0) if found is None else (found.id, found.at_s)


def _recent(connection: Connection, account_id: str, now_s: int) -> tuple[LogInRow, ...]:
    if not has_addition(connection, OUTBOX):
        return ()
    own = sa.and_(logins.c.account_id == account_id, logins.c.at_s > now_s - KEPT_S)
    found = connection.execute(sa.select(logins).where(own).order_by(logins.c.at_s.desc(), logins.c.id))
    return tuple(LogInRow(row.id, row.at_s, bytes(row.sealed)) for row in found)
