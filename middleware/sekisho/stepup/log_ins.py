"""Recent log-ins, for the owner to see: when, with which browser, from which network and place, and how they ended.

They are written beside the answer, and are lost if the process dies within that second. A flood of log-ins writes no
more than the database bears: further ones are left out, and never wait.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.crypto.row_sealer import RowSealer
from sekisho.crypto.vault_keys import VaultKeys, enrolment_binding
from sekisho.model import SekishoError
from sekisho.model.previous_log_in import PreviousLogIn
from sekisho.record.subjects import counted_network
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sekisho.crypto.signers import Signer
    from sekisho.owners import Contact
    from sekisho.owners.log_in import LogInRow
    from sekisho.owners.logins import SqlLogins
    from sekisho.stepup.city_file import AddressPlaces
    from sekisho.stepup.factors import AccountOwner

log = logging.getLogger("sekisho")

WRITES_MAX: Final = 16  # at once: step-ups need the same few connections
PROVED, KNOWN, NOT_COMPLETED = "proved", "known", "not_completed"
_LETTERS: Final = {PROVED: "p", KNOWN: "k", NOT_COMPLETED: "n"}
_COMPLETED: Final = (_LETTERS[PROVED], _LETTERS[KNOWN])
_PURPOSE: Final = b"log-in with place"
_FIRST_PURPOSE: Final = b"log-in"  # of rows without place and predecessor; versions of then skip all others


class RecordedLogIn(NamedTuple):
    """Attributes:
    id: of its row.
    at_s: Unix time.
    outcome: `proved` (with a second proof), `known` (from a known device), `not_completed`.
    browser: the browser's family; empty if unknown.
    network: the client's network.
    device: the name by which the device is known since, 8 bytes; empty if it is not.
    place: the city and country of the client, as the city file had it then; empty if unknown.
    before: the row, and the Unix time, of the log-in before this one; empty and 0 if none is known.
    """

    id: str
    at_s: int
    outcome: str
    browser: str
    network: str
    device: bytes
    place: str = ""
    before: tuple[str, int] = ("", 0)

    def __repr__(self) -> str:
        return "RecordedLogIn(...)"


def previous(log_ins: Sequence[RecordedLogIn]) -> RecordedLogIn | None:
    """The log-in before the last one, of those that were completed; None where it is not known.

    Log-ins from one network share a row, so it may be an earlier time of the same row. `log_ins`: newest first.
    """
    last = next((one for one in log_ins if one.outcome != NOT_COMPLETED), None)
    if last is None or not last.before[1]:
        return None
    row_id, at_s = last.before
    same = next((one for one in log_ins if one.id == row_id), None)
    return same._replace(at_s=at_s) if same is not None else RecordedLogIn(row_id, at_s, KNOWN, "", "", b"")


class LogIns:
    """Belongs to one event loop.

    Args:
        rows: the table.
        secrets: the service's, newest first.
        find: finds an account's owner.
        clock_s: Unix time.
        seen: told of each owner who is found, and when.
        places: knows where an address is; None: log-ins have no place.
    """

    def __init__(
        self,
        rows: SqlLogins,
        secrets: Sequence[bytes | Signer],
        find: Callable[[str], Awaitable[Contact | None]],
        *,
        clock_s: Callable[[], float],
        seen: Callable[[Contact, int], Awaitable[None]] | None = None,
        places: AddressPlaces | None = None,
    ) -> None:
        self._rows = rows
        self._places = places
        self._seen = seen
        self._find = find
        self._sealer = RowSealer(secrets, _PURPOSE, clock_s=clock_s, earlier=(_FIRST_PURPOSE,))
        self._keys = VaultKeys(secrets)
        self._clock_s = clock_s
        self._tasks = TaskSet()
        self._is_full = False

    def note(self, account: str, outcome: str, *, browser: str, address: str, device: bytes = b"") -> None:
        """Keep a log-in. It neither waits nor raises. Accounts that do not exist have none.

        Args:
            account: exactly as the application reads it.
            outcome: see `RecordedLogIn`.
            browser: the browser's family.
            address: the client's; its network and place are kept.
            device: see `RecordedLogIn`.
        """
        if len(self._tasks) < WRITES_MAX:
            self._tasks.start(self._find_and_add(account, outcome, browser, address, device))
        elif not self._is_full:
            self._is_full = True
            log.warning("more log-ins than the owners' database takes: some are missing on owners' pages")

    async def recent(self, owner: AccountOwner) -> tuple[RecordedLogIn, ...]:
        """The owner's log-ins, newest first. Raises `OwnersError`."""
        return await self._of(owner.account_id)

    async def _of(self, account_id: str) -> tuple[RecordedLogIn, ...]:
        rows = await self._rows.recent(account_id, now_s=int(self._clock_s()))
        return tuple(found for row in rows if (found := self._opened(account_id, row)) is not None)

    async def previous_log_in(self, account: str) -> PreviousLogIn | None:
        """Return the account's last completed log-in, not the one under way; None if none is known, or on errors."""
        try:
            contact = await self._find(account)
            found = () if contact is None else await self._of(contact.account_id)
        except SekishoError:
            return None  # logged by the database's adapter
        last = next((one for one in found if one.outcome != NOT_COMPLETED), None)
        return last and PreviousLogIn(last.at_s, last.browser, last.network, last.place)

    async def aclose(self) -> None:
        await self._tasks.ended()

    async def _find_and_add(self, account: str, outcome: str, browser: str, address: str, device: bytes) -> None:
        try:
            contact = await self._find(account)
            if contact is not None:
                place = self._place(address, contact.locale or "en")
                await self._add(contact.account_id, outcome, browser, counted_network(address), device, place)
                if self._seen is not None:
                    await self._seen(contact, int(self._clock_s()))
        except SekishoError:
            return  # logged by the database's adapter

    def _place(self, address: str, locale: str) -> str:
        return self._places.of(address, locale[:2].lower()) if self._places is not None else ""

    async def _add(
        self, account_id: str, outcome: str, browser: str, network: str, device: bytes, place: str = ""
    ) -> None:
        # One row for all log-ins from one network, or an owner who logs in every day would see nothing else.
        digits = self._keys.of(b"log-in", account_id, outcome, browser, network, device).hex()
        row_id = _LETTERS[outcome] + digits[1:]

        def sealed(before: tuple[str, int]) -> bytes:
            content = [outcome, browser, network, device.hex(), place, *before]
            return self._sealer.seal(content, bound_to=enrolment_binding(account_id, row_id))

        await self._rows.add(account_id, row_id, int(self._clock_s()), sealed, completed=_COMPLETED)

    def _opened(self, account_id: str, row: LogInRow) -> RecordedLogIn | None:
        """The log-in; None for one that another service on this database wrote, or a secret that is off the list."""
        content = self._sealer.open(row.sealed, bound_to=enrolment_binding(account_id, row.id))
        return None if content is None else _log_in(row, content)


def _log_in(row: LogInRow, content: list[Any]) -> RecordedLogIn:
    outcome, browser, network, device, *more = content
    place, before_id, before_s = more or ("", "", 0)
    return RecordedLogIn(
        row.id, row.at_s, outcome, browser, network, bytes.fromhex(device), place, (before_id, before_s)
    )
