"""Reads and removes an account's rows in the database of owners. Needs the packages of such a site."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sekisho.crypto.seal import Sealer
from sekisho.outbox.kept import notices_to
from sekisho.outbox.sending import service_id
from sekisho.owners import OwnersUnfit
from sekisho.owners.addresses import SqlAddresses
from sekisho.owners.logins import SqlLogins
from sekisho.owners.outbox import SqlOutbox
from sekisho.stepup.factors.account_owner import AccountOwner
from sekisho.stepup.factors.address_book import AddressBook
from sekisho.stepup.factors.passkey_index import PasskeyIndex
from sekisho.stepup.factors.passkeys import PasskeySealer
from sekisho.stepup.log_ins import LogIns
from sekisho.wiring.step_up_extras import site_passkeys

if TYPE_CHECKING:
    from sekisho.outbox.kept import KeptNotice
    from sekisho.owners import Contact
    from sekisho.owners.sql import SqlOwners
    from sekisho.settings import Settings


class OwnerRows:
    """Every method raises `OwnersError`.

    Args:
        owners: the database.
        settings: the service's.
        account: as its owner types it.
        contact: found by the query.
    """

    def __init__(self, owners: SqlOwners, settings: Settings, account: str, contact: Contact) -> None:
        secrets = settings.listed
        self._owners = owners
        self._settings = settings
        self._secrets = secrets
        self._owner = AccountOwner(account, contact, ())
        self._outbox = SqlOutbox(owners, service_id(secrets, settings.namespace))
        self._book = AddressBook(SqlAddresses(owners), secrets, clock_s=time.time)
        self._log_ins = LogIns(SqlLogins(owners), secrets, owners.look_up, clock_s=time.time)

    async def read(self) -> dict[str, Any]:
        """Read the account's rows, as the parts `factors`, `reset`, `addresses`, `log_ins` and `notices`.

        Times are Unix seconds.
        """
        account_id = self._owner.account_id
        reset = await self._owners.pending_reset(account_id)
        return {
            "factors": [
                {"kind": one.kind, "label": one.label, "enrolled": one.created_s}
                for one in await self._owners.enrolments(account_id)
            ],
            "reset": {"asked": reset.asked_s, "due": reset.due_s} if reset else None,
            "addresses": [one._asdict() for one in await self._book.kept(account_id)],
            "log_ins": [
                {
                    "at": one.at_s,
                    "outcome": one.outcome,
                    "browser": one.browser,
                    "network": one.network,
                    "place": one.place,
                }
                for one in await self._log_ins.recent(self._owner)
            ],
            "notices": [
                {"kind": notice.kind, "to": notice.to, "facts": dict(notice.facts), "unsent": row.times}
                for row, notice in await self._notices()
            ],
        }

    async def forget(self) -> None:
        """Remove the rows. Raises `OwnersUnfit` if some could not be removed."""
        # The notices first: their addresses are known from the other rows.
        if notices := await self._notices():
            await self._outbox.remove([row.id for row, _ in notices])
        await self._forget_passkeys()
        await self._owners.forget(self._owner.account_id)
        if any((await self.read()).values()):
            raise OwnersUnfit("rows of the account are left: run `sekisho owners check`, and then this again")

    async def _forget_passkeys(self) -> None:
        """Remove what names the account by a passkey: by those that it has, and by the first that it may have had."""
        sealer = Sealer(self._secrets, clock_s=time.time)
        index = PasskeyIndex(self._owners, sealer, clock_s=time.time)
        account_id, web = self._owner.account_id, site_passkeys(self._settings)
        owner = self._owner._replace(enrolments=await self._owners.enrolments(account_id))
        handles = {credential.user_handle for _, credential in PasskeySealer(sealer).open(owner)}
        for handle in handles | ({web.user_handle(account_id)} if web is not None else set()):
            await index.forget(handle)

    async def _notices(self) -> list[KeptNotice]:
        kept = [one.text for one in await self._book.kept(self._owner.account_id)]
        on_file = self._owner.contact.addresses if self._owner.contact else ()
        try:
            return await notices_to(
                self._outbox, self._secrets, time.time,
                addresses=[*on_file, *kept], account_id=self._owner.account_id,
            )  # fmt: skip
        except OwnersUnfit:  # a database without the table of the outbox
            return []
