"""Finds the account of a passkey that begins a log-in: by its user handle, all that the authenticator says of it.

It is a row among the enrolments, at an id that follows from the handle alone, so that it needs no table that an earlier
version does not know. It selects an account and proves nothing: the passkey must be among that account's own.
"""

from __future__ import annotations

import logging
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from sekisho.crypto.seal import Unsealable
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.model.text import utf8
from sekisho.owners import Enrolment, OwnersError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.crypto.seal import Sealer
    from sekisho.owners import Owners

log = logging.getLogger("sekisho.challenge")

KIND: Final = "passkey-owner"
PURPOSE: Final = b"passkey owner"
NOT_KEPT: Final = "the account of a passkey could not be kept: no log-in can begin with this passkey yet"


def place_of(handle: bytes) -> str:
    """Return the id of the row with the account of this user handle, 32 hexadecimal digits.

    No secret enters the id, so it outlives the rotation of secrets. Only the owner's authenticators know a
    handle, a keyed digest.
    """
    return blake2b(handle, digest_size=16, person=PURPOSE).hexdigest()


class PasskeyIndex:
    """Writes and reads the rows. `clock_s`: Unix time in seconds."""

    def __init__(self, owners: Owners, sealer: Sealer, *, clock_s: Callable[[], float]) -> None:
        self._owners = owners
        self._sealer = sealer
        self._clock_s = clock_s

    async def account(self, handle: bytes) -> str:
        """Return the account of a passkey's user handle, as the application reads it; empty if none is known.

        Raises `OwnersError`.
        """
        row = await self._row(place_of(handle))
        return self._named(row) if row is not None else ""

    async def note(self, account: str, account_id: str, handle: bytes) -> None:
        """Keep the account of a passkey's user handle. A failure is only logged, since the passkey itself was accepted.

        An earlier name stays while it leads to the same account: an owner who types another spelling later must not
        have it become another's account, where the owners' query takes both for one and the application does not.
        """
        try:
            await self._keep(account, account_id, place_of(handle))
        except (OwnersError, ValueError):
            log.warning(NOT_KEPT)

    async def forget(self, handle: bytes) -> None:
        """Remove the row with the account of this user handle. Raises `OwnersError`."""
        await self._owners.forget(place_of(handle))

    async def _keep(self, account: str, account_id: str, place: str) -> None:
        row = await self._row(place)
        if row is None:
            made = Enrolment(place, KIND, "", int(self._clock_s()), self._sealed(account, place))
            await self._owners.enrol(place, made)
        elif (named := self._named(row)) != account and not await self._leads_to(named, account_id):
            await self._owners.replace(place, row.sealed, self._sealed(account, place))

    async def _leads_to(self, account: str, account_id: str) -> bool:
        contact = await self._owners.contact(account) if account else None
        return contact is not None and contact.account_id == account_id

    async def _row(self, place: str) -> Enrolment | None:
        found = await self._owners.enrolments(place)
        return next((one for one in found if (one.id, one.kind) == (place, KIND)), None)

    def _named(self, row: Enrolment) -> str:
        try:
            opened = self._sealer.open(PURPOSE, row.sealed, bound_to=enrolment_binding(row.id, row.id))
        except Unsealable:
            return ""
        return opened.decode("utf-8", "surrogatepass")

    def _sealed(self, account: str, place: str) -> bytes:
        return self._sealer.seal(PURPOSE, utf8(account), bound_to=enrolment_binding(place, place))
