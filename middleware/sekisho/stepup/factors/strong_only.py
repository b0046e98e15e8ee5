"""The owner's own floor: *only strong factors*, chosen on the owner's page.

It is a row among the account's enrolments, so that it is read with them, is removed with them by an operator's reset,
and needs no table that an earlier version does not know.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from sekisho.crypto.seal import Unsealable
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.model import FactorClass
from sekisho.owners import Enrolment

if TYPE_CHECKING:
    from sekisho.crypto.seal import Sealer
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.stepup.factors.account_owner import AccountOwner

log = logging.getLogger("sekisho.challenge")

KIND: Final = "strong-only"
PURPOSE: Final = b"strong only"


class StrongOnly:
    """Writes and reads the preference."""

    def __init__(self, sealer: Sealer, keys: VaultKeys) -> None:
        self._sealer = sealer
        self._keys = keys
        self._nobodys = self._sealed(FactorClass.NONE, "", "")

    def enrolment(self, owner: AccountOwner, least: FactorClass, now_s: int) -> Enrolment:
        """Return the row that keeps the owner's choice to accept no factor weaker than `least`.

        Its id follows from the account, so there is never a second row.
        """
        number = self._keys.of(PURPOSE, owner.account_id).hex()
        return Enrolment(number, KIND, "", now_s, self._sealed(least, owner.account_id, number))

    def of(self, owner: AccountOwner) -> FactorClass:
        """The weakest class that the owner accepts; `NONE` without a choice. One seal is opened for every account."""
        found = owner.of_kind(KIND)
        if not found:
            self._sealer.open(PURPOSE, self._nobodys, bound_to=enrolment_binding("", ""))
            return FactorClass.NONE
        bound_to = enrolment_binding(owner.account_id, found[0].id)
        try:
            return FactorClass(self._sealer.open(PURPOSE, found[0].sealed, bound_to=bound_to)[0])
        except (Unsealable, ValueError, IndexError):
            # Closed: a row that cannot be read must not let a weaker factor in.
            log.warning("a choice of strong factors cannot be read: altered, or SEKISHO_SECRET lost its key")
            return FactorClass.PHR

    def _sealed(self, least: FactorClass, account: str, enrolment: str) -> bytes:
        return self._sealer.seal(PURPOSE, bytes([least]), bound_to=enrolment_binding(account, enrolment))
