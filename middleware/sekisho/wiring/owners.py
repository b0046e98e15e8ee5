"""Builds what a site with factors has of account owners: what looks them up, and what remembers them."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sekisho.crypto.seal import Sealer
from sekisho.owners import KeepsAddresses, OwnersError, OwnersUnavailable
from sekisho.owners.remedies import diagnosed
from sekisho.stepup.factors.address_book import AddressBook, RowsOfOwners
from sekisho.stepup.factors.passkey_index import PasskeyIndex
from sekisho.stepup.log_ins import LogIns
from sekisho.wiring.step_up_extras import city_file_of, sql_addresses, sql_log_ins, sql_owners

if TYPE_CHECKING:
    from sekisho.owners import Owners
    from sekisho.owners.sql import SqlOwners
    from sekisho.record import Events
    from sekisho.settings import Settings
    from sekisho.stepup.factors.address_book import AddressRows
    from sekisho.wiring.clocks import Clocks
    from sekisho.wiring.given import Given

log = logging.getLogger("sekisho")


class OwnerParts:
    """The owners of one event loop's site.

    Args:
        settings: of a site with factors.
        given: may have an object that looks owners up.
        clocks: the machine's, or their replacement.
        events: hears when the database fails, and when it answers again.
        closing: takes the parts that are closed with the loop.

    Attributes:
        database: looks owners up, and keeps what is enrolled; None where the service has given an object.
        owners: the object, or the database.
        book: remembers owners' addresses, in the database or in the service's object; None where that keeps none.
        looking: the task that looks at the start whether the database can be used; None without one.
    """

    def __init__(self, settings: Settings, given: Given, clocks: Clocks, events: Events, *, closing: list[Any]) -> None:
        self._settings = settings
        self._clocks = clocks
        self._events = events
        self._closing = closing
        self.looking: asyncio.Future[None] | None = None
        self.database: SqlOwners | None = None
        self.owners: Final[Owners] = given.owners if given.owners is not None else self._of_database()
        self.book: Final = self._address_book()

    def _of_database(self) -> Owners:
        owners = self.database = sql_owners(self._settings, self._clocks, partial(self._events.part_answers, "owners"))
        self._closing.append(owners)
        self.looking = asyncio.ensure_future(_look(owners))
        return owners

    def _address_book(self) -> AddressBook | None:
        rows: AddressRows
        if self.database is not None:
            rows = sql_addresses()(self.database)
        elif isinstance(self.owners, KeepsAddresses):
            rows = RowsOfOwners(self.owners)
        else:
            return None
        book = AddressBook(rows, self._settings.listed, clock_s=self._clocks.wall_s)
        self._closing.append(book)
        return book

    def log_ins(self) -> LogIns | None:
        """Build what keeps recent log-ins in the owners' database; None without one."""
        if self.database is None:
            return None
        log_ins = LogIns(
            sql_log_ins()(self.database),
            self._settings.listed,
            self.database.look_up,
            clock_s=self._clocks.wall_s,
            seen=self.book.seen if self.book is not None else None,
            places=city_file_of(self._settings.city_file) if self._settings.city_file is not None else None,
        )
        self._closing.append(log_ins)
        return log_ins

    def passkey_index(self) -> PasskeyIndex | None:
        """Build what finds an account by its passkey; None where no door begins with one."""
        if not any(door.shows_passkey for door in self._settings.doors):
            return None
        sealer = Sealer(self._settings.listed, clock_s=self._clocks.wall_s)
        return PasskeyIndex(self.owners, sealer, clock_s=self._clocks.wall_s)


async def _look(owners: SqlOwners) -> None:
    """Log at the start what would otherwise refuse every stranger later: missing tables, a query that fails."""
    try:
        await owners.check()
    except OwnersUnavailable:
        return  # the database has logged it, with what helps
    except OwnersError as error:
        log.error(diagnosed(str(error)).logged)  # noqa: TRY400 - its text is all there is to know, and holds no value
