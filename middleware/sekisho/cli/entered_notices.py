"""Puts notices to the owners of entered accounts into the service's outbox. Needs the packages of such a site."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from sekisho.cli.owners.common import opened
from sekisho.outbox import NoticeOutbox
from sekisho.outbox.sending import Cause, OutboxMeans, service_id
from sekisho.owners.addresses import SqlAddresses
from sekisho.owners.outbox import SqlOutbox
from sekisho.stepup.factors.account_owner import AccountOwner
from sekisho.stepup.factors.address_book import AddressBook
from sekisho.stepup.factors.senders import notices_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.outbox import Notice
    from sekisho.owners.sql import SqlOwners
    from sekisho.record.campaigns import EnteredAccount
    from sekisho.settings import Settings

KIND = "new_device"
"""`A new device logged in`: the letter that owners get, with the time and the network of the thief."""


class ToTell(NamedTuple):
    """Attributes:
    names: the account's, with those whose spellings are counted together with it.
    entry: how it was entered.
    campaigns: the names of those that entered it.
    """

    names: Sequence[str]
    entry: EnteredAccount
    campaigns: tuple[str, ...]

    def __repr__(self) -> str:
        return "ToTell(...)"


async def queue(
    settings: Settings, owed: Sequence[ToTell], until_s: int, on_queued: Callable[[EnteredAccount, bool], None]
) -> None:
    """Put into the outbox a notice to the owner of each account; the running service sends them.

    An owner who has one because of the same campaigns gets no other, also where the process that queued it was killed
    before it could note so.

    Args:
        settings: the service's.
        owed: the accounts.
        until_s: Unix time until which the outbox remembers who was told.
        on_queued: is called with each account that has a notice under all its names, and whether one is new.

    Raises `OwnersError`.
    """
    async with opened(settings) as owners:
        rows = SqlOutbox(owners, service_id(settings.listed, settings.namespace))
        means = OutboxMeans(time.time, asyncio.sleep, random.random, secrets.token_bytes)
        outbox = NoticeOutbox(rows, settings.listed, _never, lambda _, __: None, means)
        for one in owed:
            # Told only after the last name: a run that fails in between must not leave the owner's for ever, because a
            # stranger has signed up with the first.
            are_new = []
            for name in one.names:
                owner = await _owner(settings, owners, name)
                if notices := _notices(settings, owner, one.entry):
                    cause = Cause(owner.account_id, one.campaigns, until_s)
                    are_new.append(bool(await outbox.add_once(notices, owner.counted_by, cause)))
            if are_new:
                on_queued(one.entry, any(are_new))


def _notices(settings: Settings, owner: AccountOwner, entry: EnteredAccount) -> list[Notice]:
    if owner.contact is None:
        return []
    when = datetime.fromtimestamp(entry.first_us // 1_000_000, UTC)
    facts = {"when": when, "browser": "", "network": entry.network}
    mails, hooks = settings.smtp is not None, settings.notices_webhook is not None
    return notices_of(owner, KIND, facts, mails=mails, hooks=hooks)


async def _owner(settings: Settings, owners: SqlOwners, name: str) -> AccountOwner:
    """The owner, with addresses that a thief may have replaced since."""
    contact = await owners.look_up(name)
    owner = AccountOwner(name, contact, ())
    if contact is None:
        return owner
    book = AddressBook(SqlAddresses(owners), settings.listed, clock_s=time.time)
    history = await book.of(contact.account_id, contact, int(time.time()))
    await book.aclose()
    return owner._replace(history=history)


async def _never(_: Notice, __: int, ___: str) -> None:
    """The service sends; this outbox is not started."""
