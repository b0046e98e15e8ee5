"""The table of the mail addresses that owners had: one sealed row for each account."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from sekisho.owners.port import usable_id
from sekisho.owners.schema import ADDRESSES, addresses, has_addition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import Connection

    from sekisho.owners.sql import SqlOwners


BATCH: Final = 200  # rows read at once by `all`


class SqlAddresses:
    """Reads and writes the table. Where the database has none, nothing is kept, and there is nothing to read.

    Every method raises `OwnersUnavailable`.
    """

    def __init__(self, owners: SqlOwners) -> None:
        self._owners = owners

    async def read(self, account_id: str) -> bytes | None:
        """Return the sealed addresses that an account had; None if its row or the table is missing."""
        return await self._owners.transact(partial(_read, account_id=usable_id(account_id)))

    async def all(self) -> AsyncIterator[tuple[str, bytes]]:
        """Yield each account id and its sealed addresses, for a rotation of the secret.

        Rows that are added meanwhile may be left out.
        """
        last = ""
        while rows := await self._owners.transact(partial(_some, after=last)):
            for row in rows:
                yield row
            last = rows[-1][0]

    async def replace(self, account_id: str, old: bytes | None, new: bytes) -> None:
        """Write an account's sealed addresses if those kept are still `old` (None: the account has no row yet).

        Writes nothing if another worker has changed them meanwhile.
        """
        write = partial(_replace, account_id=usable_id(account_id), old=old, new=new)
        await self._owners.transact(write, writes=True)


def _read(connection: Connection, account_id: str) -> bytes | None:
    if not has_addition(connection, ADDRESSES):
        return None
    found = connection.execute(sa.select(addresses.c.sealed).where(addresses.c.account_id == account_id)).scalar()
    return None if found is None else bytes(found)


def _some(connection: Connection, after: str) -> list[tuple[str, bytes]]:
    if not has_addition(connection, ADDRESSES):
        return []
    query = sa.select(addresses).where(addresses.c.account_id > after).order_by(addresses.c.account_id).limit(BATCH)
    return [(row.account_id, bytes(row.sealed)) for row in connection.execute(query)]


def _replace(connection: Connection, account_id: str, old: bytes | None, new: bytes) -> None:
    if not has_addition(connection, ADDRESSES):
        return
    own = addresses.c.account_id == account_id
    if old is not None:
        connection.execute(addresses.update().where(own, addresses.c.sealed == old).values(sealed=new))
    elif connection.execute(sa.select(addresses.c.account_id).where(own)).first() is None:
        # Of two workers one fails at the primary key, and has nothing to add.
        connection.execute(addresses.insert().values(account_id=account_id, sealed=new))
