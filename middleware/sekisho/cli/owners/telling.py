"""Tells an owner of a reset that an operator has asked for, through the service's outbox where that is possible."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.cli.environment import SECRETS
from sekisho.outbox import NoticeOutbox
from sekisho.outbox.by_webhook import Deliveries, WebhookDelivery
from sekisho.outbox.sending import Cause, OutboxMeans, service_id
from sekisho.owners import OwnersUnfit
from sekisho.owners.addresses import SqlAddresses
from sekisho.owners.outbox import Queued, SqlOutbox
from sekisho.stepup.factors.address_book import AddressBook
from sekisho.stepup.factors.senders import notices_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.mail import Mailer, SendResult, Service
    from sekisho.outbox import Notice
    from sekisho.outbox.by_mail import MailDelivery
    from sekisho.owners import Reset
    from sekisho.owners.sql import SqlOwners
    from sekisho.settings import Settings
    from sekisho.stepup.factors.account_owner import AccountOwner

__all__ = ["Notification", "Notified", "tell_of_reset"]

_MAIL_S: Final = 20  # for the relay; the operator is waiting
_LOOK_S: Final = 0.1
_LEASE_S: Final = 60  # longer than a run waits for the relay; after it another run takes over from one that was killed


class Notified(Enum):
    """Whether an owner was told of a reset."""

    SENT = "sent"
    QUEUED = "queued"
    TOLD = "told"
    """By an earlier run."""
    BUSY = "busy"
    """Another run is at it."""
    NO_SERVER = "no server"
    NO_ADDRESS = "no address"
    NO_SECRET = "no secret"  # noqa: S105 - the want of one
    FAILED = "failed"
    """The mailer or the outbox says why."""


class Notification(NamedTuple):
    """Attributes:
    how: whether the owner was told.
    why: the result of the mailer or the outbox, where it failed; else empty.
    """

    how: Notified
    why: str = ""

    @property
    def word(self) -> str:
        """For programs: why it failed, or how it ended."""
        return self.why or self.how.value


async def tell_of_reset(found: Settings, owners: SqlOwners, owner: AccountOwner, reset: Reset) -> Notification:
    """Tell the owner at every address on file."""
    if found.smtp is None and found.notices_webhook is None:
        return Notification(Notified.NO_SERVER)
    owner = await _with_history(found, owners, owner)
    if found.notices_webhook is None and not owner.addresses:
        return Notification(Notified.NO_ADDRESS)
    if any(os.environ.get(variable) for variable in SECRETS):
        with suppress(OwnersUnfit):  # without the table, the mail server is asked at once
            return await _by_outbox(found, owners, owner, reset)
    if found.smtp is None:
        return Notification(Notified.NO_SECRET)
    try:
        return await _mailed_once(found, owners, owner, reset)
    except OwnersUnfit:
        return await _mailed(found, owner, reset)


async def _with_history(found: Settings, owners: SqlOwners, owner: AccountOwner) -> AccountOwner:
    """The owner with their earlier addresses, which a thief who changed the address would have left out."""
    book = AddressBook(SqlAddresses(owners), found.listed, clock_s=time.time)
    history = await book.of(owner.account_id, owner.contact, int(time.time()))
    await book.aclose()
    return owner._replace(history=history)


async def _by_outbox(found: Settings, owners: SqlOwners, owner: AccountOwner, reset: Reset) -> Notification:
    """Keep the notices beside those of the service, and send them, unless a worker of the service does so first."""
    facts, mails, hooks = {"when_effective": reset.due_s}, found.smtp is not None, found.notices_webhook is not None
    notices = notices_of(owner, "factor_reset_asked", facts, mails=mails, hooks=hooks)
    mailer, lost = _mailer(found, lambda _: None) if mails else None, list[str]()
    rows = SqlOutbox(owners, service_id(found.listed, found.namespace))
    means = OutboxMeans(time.time, asyncio.sleep, random.random, secrets.token_bytes)
    deliver = Deliveries(_by_mail(found, mailer), _webhook(found))
    outbox = NoticeOutbox(rows, found.listed, deliver, lambda _, why: lost.append(why), means)
    try:
        if not (ids := await _added(outbox, owner, notices, reset)):
            return Notification(Notified.TOLD)
        outbox.start()
        left = await _until_sent(rows, ids)
    finally:
        await outbox.aclose()
        if mailer is not None:
            await mailer.aclose()
    if lost:
        return Notification(Notified.FAILED, lost[0])
    return Notification(Notified.QUEUED if left else Notified.SENT)


async def _added(outbox: NoticeOutbox, owner: AccountOwner, notices: list[Notice], reset: Reset) -> list[str]:
    """Keep the notices. Of two operators who ask for one reset, one tells its owner: once at each address.

    Returns the ids of their rows.
    """
    ids = list[str]()
    for notice in notices:
        cause = Cause(owner.account_id, (f"reset {reset.asked_s} {notice.to}",), reset.due_s)
        ids += await outbox.add_once([notice], owner.counted_by, cause)
    return ids


async def _until_sent(rows: SqlOutbox, ids: list[str]) -> int:
    """Wait until the rows have been sent, for as long as an operator waits. Returns how many have not."""
    ends_s = time.monotonic() + _MAIL_S
    while (left := await rows.waiting(ids)) and time.monotonic() < ends_s:  # noqa: ASYNC110 - rows of a database
        await asyncio.sleep(_LOOK_S)
    return left


async def _mailed_once(found: Settings, owners: SqlOwners, owner: AccountOwner, reset: Reset) -> Notification:
    """Mail the letters, unless another run has, or is at it. A row of the outbox, without content, is the claim.

    Raises `OwnersUnfit` where there is no outbox.
    """
    claim, mark = (_digest(reset, word) for word in (b"claim", b"mark"))
    rows, holder, now_s = SqlOutbox(owners, claim), secrets.token_hex(16), int(time.time())
    await rows.add_once([Queued(mark, False, now_s, reset.due_s, b"")], [Queued(claim, False, now_s, reset.due_s, b"")])
    claimed = await rows.claim(holder, now_s=now_s, lease_s=_LEASE_S, most=1)
    if not claimed:
        return Notification(Notified.BUSY if await rows.waiting([claim]) else Notified.TOLD)
    said = await _mailed(found, owner, reset)
    if said.how is Notified.SENT:
        await rows.sent(claimed[0], holder, quiet_until_s=None)
    else:
        await rows.postpone(claimed[0], holder, now_s)
    return said


def _digest(reset: Reset, word: bytes) -> str:
    """The id of a row about a reset. It needs no key: the table of resets has the account."""
    return blake2b(f"{reset.asked_s} {reset.account_id}".encode(), digest_size=16, person=b"reset " + word).hexdigest()


async def _mailed(found: Settings, owner: AccountOwner, reset: Reset) -> Notification:
    """Hand the letters to the mail server at once: without SEKISHO_SECRET nothing can be sealed for the outbox."""
    from sekisho.mail import SendResult, messages  # noqa: PLC0415 - its extra comes with SMTP

    said: list[SendResult] = []
    mailer = _mailer(found, said.append)
    locale, due = (owner.contact and owner.contact.locale) or "", datetime.fromtimestamp(reset.due_s, UTC)
    letter = messages.factor_reset_asked(_service(found), locale, when_effective=due)
    for address in owner.addresses:
        mailer.send(address, letter)
    await mailer.aclose()
    failed = next((one for one in said if one is not SendResult.SENT), None)
    return Notification(Notified.FAILED, failed.value) if failed is not None else Notification(Notified.SENT)


def _mailer(found: Settings, said: Callable[[SendResult], None]) -> Mailer:
    from sekisho.mail import Bounds, Mailer, Means  # noqa: PLC0415 - as above

    return Mailer(
        found.smtp or "",
        password=found.smtp_password,
        sender=found.mail_from or "",
        sender_name=found.service_name,
        bounds=Bounds(close_s=_MAIL_S),
        on_result=lambda _, result: said(result),
        means=Means(time.monotonic, partial(datetime.now, UTC)),
    )


def _by_mail(found: Settings, mailer: Mailer | None) -> MailDelivery | None:
    if mailer is None:
        return None
    from sekisho.outbox.by_mail import MailDelivery  # noqa: PLC0415 - as above

    return MailDelivery(mailer, _service(found))


def _webhook(found: Settings) -> WebhookDelivery | None:
    if found.notices_webhook is None:
        return None
    return WebhookDelivery(found.notices_webhook, found.notices_webhook_secret, clock_s=time.time)


def _service(found: Settings) -> Service:
    from sekisho.mail import Service  # noqa: PLC0415 - as above

    return Service(found.service_name, found.account_page or "")
