"""Remembers the mail addresses of owners, sealed, so that a change is noticed at the next look-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from sekisho.crypto.row_sealer import RowSealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners import OwnersError
from sekisho.stepup.factors.addresses import AddressHistory, FiledAddress, earlier_of, filed, is_held
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.crypto.signers import Signer
    from sekisho.owners import Contact, KeepsAddresses

PURPOSE: Final = b"addresses"
WRITES_MAX: Final = 16  # at once: step-ups need the same few connections


class AddressRows(Protocol):
    """The table; see `sekisho.owners.addresses.SqlAddresses`."""

    async def read(self, account_id: str) -> bytes | None: ...
    async def replace(self, account_id: str, old: bytes | None, new: bytes) -> None: ...


class RowsOfOwners:
    """The rows that the service's own object keeps."""

    def __init__(self, owners: KeepsAddresses) -> None:
        self._owners = owners

    async def read(self, account_id: str) -> bytes | None:
        return await self._owners.addresses(account_id)

    async def replace(self, account_id: str, old: bytes | None, new: bytes) -> None:
        await self._owners.replace_addresses(account_id, old, new)


class AddressBook:
    """Belongs to one event loop.

    Args:
        rows: the table.
        secrets: the service's, newest first.
        clock_s: Unix time.
    """

    def __init__(self, rows: AddressRows, secrets: Sequence[bytes | Signer], *, clock_s: Callable[[], float]) -> None:
        self._rows = rows
        self._sealer = RowSealer(secrets, PURPOSE, clock_s=clock_s)
        self._tasks = TaskSet()

    async def of(self, account_id: str, contact: Contact | None, now_s: int) -> AddressHistory:
        """Return the history of an account's addresses. One read for every account, whether it exists or not.

        Changes are written beside: the caller's answer must not wait longer for accounts that exist. The history is
        empty for an unknown account (`contact` is None), without the table, and if the database does not answer.
        """
        try:
            sealed = await self._rows.read(account_id)
        except OwnersError:
            return AddressHistory()
        if contact is None:
            return AddressHistory()
        known = self._opened(account_id, sealed)
        now = filed(known, contact.addresses, now_s)
        if (now != known or self._sealer.needs_rewrap(sealed or b"")) and len(self._tasks) < WRITES_MAX:
            self._tasks.start(self._write(account_id, sealed, now))
        return AddressHistory(is_held(now, contact.email, now_s), earlier_of(now))

    async def kept(self, account_id: str) -> tuple[FiledAddress, ...]:
        """The addresses kept of an account, for an operator. Raises `OwnersError`."""
        return self._opened(account_id, await self._rows.read(account_id)) or ()

    async def seen(self, contact: Contact, now_s: int) -> None:
        """Keep the addresses of an owner who has logged in, so that a later change is noticed. Raises nothing."""
        await self.of(contact.account_id, contact, now_s)

    async def aclose(self) -> None:
        await self._tasks.ended()

    async def _write(self, account_id: str, old: bytes | None, now: Sequence[FiledAddress]) -> None:
        sealed = self._sealer.seal([list(one) for one in now], bound_to=binding(account_id))
        try:
            await self._rows.replace(account_id, old, sealed)
        except OwnersError:
            return  # the next look-up writes it

    def _opened(self, account_id: str, sealed: bytes | None) -> tuple[FiledAddress, ...] | None:
        """The addresses; None without a row, or for one that was sealed by a secret that is off the list."""
        content = None if sealed is None else self._sealer.open(sealed, bound_to=binding(account_id))
        return None if content is None else tuple(FiledAddress(*one) for one in content)


def binding(account_id: str) -> bytes:
    """Return the context that binds an account's sealed addresses: they open in no other account's row."""
    return enrolment_binding(account_id, "addresses")
