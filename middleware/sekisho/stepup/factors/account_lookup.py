"""Looks up an account owner with the same queries for every account: the time must not show which accounts exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.stepup.factors.account_owner import UNKNOWN_HISTORY, AccountOwner

if TYPE_CHECKING:
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.owners import Contact, Enrolment, Owners
    from sekisho.stepup.factors.address_book import AddressBook
    from sekisho.stepup.factors.senders import Senders


class AccountLookup:
    """Finds account owners. Also carries out resets that were requested a day ago, so no background task is needed."""

    def __init__(self, owners: Owners, keys: VaultKeys, senders: Senders, book: AddressBook | None = None) -> None:
        self._owners = owners
        self._book = book
        self._keys = keys
        self._senders = senders

    async def find(self, account: str, *, now_s: int) -> AccountOwner:
        """Return the owner of an account, after carrying out a reset that is due; without a contact if it is unknown.

        `now_s`: Unix time in seconds. Raises `OwnersError`.
        """
        contact = await self._owners.contact(account)
        account_id = self.place(account, contact)
        enrolments = await self._owners.enrolments(account_id)
        reset = await self._owners.pending_reset(account_id)
        history = await self._book.of(account_id, contact, now_s) if self._book is not None else UNKNOWN_HISTORY
        if reset is not None and reset.due_s <= now_s and await self._owners.carry_out(reset, now_s=now_s):
            self._tell(AccountOwner(account, contact, enrolments, history=history))
            await self._senders.kept(account_id)
            enrolments, reset = await self._owners.enrolments(account_id), None
        # An unknown name has no enrolments, even if the look-up found some under its substitute.
        return AccountOwner(account, contact, enrolments if contact else (), reset is not None, history)

    def place(self, account: str, contact: Contact | None) -> str:
        """Return the id of the account's enrolments. An unknown name gets an id that no account can have."""
        return contact.account_id if contact else self._keys.of(b"nobody", account).hex()

    async def enrolment(self, owner: AccountOwner, kind: str) -> Enrolment | None:
        """Read the first enrolment of a kind anew; None if there is none. Raises `OwnersError`."""
        found = await self._owners.enrolments(self.place(owner.account, owner.contact))
        return next((one for one in found if one.kind == kind), None)

    def _tell(self, owner: AccountOwner) -> None:
        for kind in dict.fromkeys(one.kind for one in owner.factors):
            self._senders.factor_changed(owner, kind, "reset")
