"""Senders of codes and notices: mail, a webhook, or a function of the service. Each is recorded as an event.

All methods only queue, and raise nothing. A log-in must not fail because of a notice, and an error that only existing
accounts can cause would reveal which accounts exist.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from sekisho.model import StoreUnavailable
from sekisho.owners import OwnersError
from sekisho.stepup.factors.addresses import AddressHistory
from sekisho.stepup.factors.webhook import CodeHook, CodeMessage
from sekisho.stepup.links import LinkQuestion
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sekisho.mail import Letter, Mailer, Service
    from sekisho.outbox import Notice, NoticeOutbox
    from sekisho.owners import Contact
    from sekisho.record import Events
    from sekisho.stepup.factors.account_owner import AccountOwner
    from sekisho.stepup.factors.codes import Code
    from sekisho.stepup.factors.letter_budget import LetterBudget
    from sekisho.stepup.factors.webhook import CodeQueue, Webhook
    from sekisho.stepup.links import NoticeLinks

__all__ = ["CodeHook", "CodeMessage", "Senders"]

log = logging.getLogger("sekisho.challenge")


class Senders:
    """Queues codes and notices; see the module. Belongs to one event loop.

    Args:
        events: records what happened, whether or not the owner has an address to write to. Codes for accounts that do
            not exist are left out: they are pretences.
        mailer: sends letters; None if the site sends none. Its creator closes it.
        service: the name and the account page for letters.
        code_senders: each takes the codes for the factor `webhook`. Their creator closes them.
        budget: limits the letters to an owner; None: no limit.
        outbox: keeps notices until they are sent; None: they are lost if this process dies.
        links: makes the links of letters; None: letters have none.
        has_notice_hook: whether the outbox posts notices to the service's webhook as well.
        clock_s: Unix time in seconds.

    Raises:
        ValueError: a mailer without a service.
    """

    def __init__(  # noqa: PLR0913 - everything it works with arrives from outside
        self,
        events: Events,
        mailer: Mailer | None,
        service: Service | None,
        *,
        code_senders: Sequence[Webhook | CodeQueue] = (),
        budget: LetterBudget | None = None,
        outbox: NoticeOutbox | None = None,
        links: NoticeLinks | None = None,
        has_notice_hook: bool = False,
        clock_s: Callable[[], float],
    ) -> None:
        if mailer is not None and service is None:
            raise ValueError("a mailer needs a service to write for")
        self._events = events
        self._mailer = mailer
        self._service = service
        self._code_senders = code_senders
        self._budget = budget
        self._outbox = outbox
        self._links = links
        self._has_notice_hook = has_notice_hook
        self._clock_s = clock_s
        self._counting = TaskSet()
        self._keeping: dict[str, set[asyncio.Task[None]]] = {}  # by account

    def send_code(self, factor: str, owner: AccountOwner, code: Code, *, recovers: bool = False) -> None:
        """Send a code to the owner's mailbox (`email`), or to the service's own sender (`webhook`).

        `recovers`: whether the code asks for the removal of the account's factors.
        """
        minutes = max(code.seconds_left // 60, 1)
        if factor == "email":
            to = (owner.contact.email,) if owner.contact and owner.contact.email else ()
            self._write(owner, "recovery_code" if recovers else "code", to, code=code.digits, minutes=minutes)
        elif factor == "webhook":
            self._hand_over(owner, code.digits, minutes)
        if owner.contact is not None:
            self._events.code_sent(factor, owner.account)

    def new_device(self, owner: AccountOwner, *, browser: str, network: str, device: bytes = b"") -> None:
        """Notify: a device was used for the first time. `device`: its name, 8 bytes."""
        link = self._link("new_device", owner, device)
        self._notify(owner, "new_device", when=self._now(), browser=browser, network=network, **link)
        self._events.new_device(owner.account)

    def not_completed(self, owner: AccountOwner, *, browser: str, network: str) -> None:
        """Notify: a client had the right secret and did not complete the proof."""
        link = self._link("step_up_not_completed", owner)
        self._notify(owner, "step_up_not_completed", when=self._now(), browser=browser, network=network, **link)
        self._events.step_up_not_completed(owner.account)

    def happened(
        self, owner: AccountOwner, kind: str, *, browser: str, network: str, before: Contact | None = None
    ) -> None:
        """Notify the owner of an event at the account, or of a stranger's attempt at one, of this `kind`.

        Args:
            owner: the account's.
            kind: of `sekisho.mail.messages`.
            browser: the browser's family.
            network: the client's address, of which letters name the network.
            before: the owner's contact before their address was changed: it is told too.
        """
        facts = {"when": self._now(), "browser": browser, "network": network, **self._link(kind, owner)}
        if before is not None:
            owner = owner._replace(history=AddressHistory(earlier=(*owner.history.earlier, *before.addresses)))
        self._notify(owner, kind, **facts)

    def factor_changed(self, owner: AccountOwner, factor: str, change: str) -> None:
        """Notify: a factor was `added`, `removed`, `used` up, `reset`, or `stopped` after too many wrong codes."""
        link = self._link("factor_changed", owner)
        self._notify(owner, "factor_changed", when=self._now(), factor=factor, change=change, **link)
        self._events.factor_changed(factor, change, owner.account)

    def reset_asked(self, owner: AccountOwner, due_s: int) -> None:
        """Notify: factors will be removed at `due_s`, Unix time in seconds, unless the owner objects."""
        self._notify(owner, "factor_reset_asked", when_effective=datetime.fromtimestamp(due_s, UTC))
        self._events.factor_changed("recovery", "reset_asked", owner.account)

    async def delivered(self, owner: AccountOwner, kind: str, *, browser: str, network: str, device: bytes) -> bool:
        """Send a notice now; return whether the mail relay has taken the letter to the owner's present address."""
        if self._mailer is None or owner.contact is None or not owner.contact.email:
            return False
        from sekisho.mail import Unsendable  # noqa: PLC0415 - needs the mail library, which a mailer implies
        from sekisho.mail.relay import RelayFault  # noqa: PLC0415 - the same

        facts = {"when": self._now(), "browser": browser, "network": network, **self._link(kind, owner, device)}
        letter = self._letter(kind, owner.contact.locale or "en", facts)
        try:
            await self._mailer.post(owner.contact.email, letter, token=token_hex(16))
        except (RelayFault, Unsendable):
            return False
        # The letter at an earlier address may warn an owner whose address a thief has changed.
        for address in owner.addresses:
            if address != owner.contact.email:
                self._mailer.send(address, letter)
        self._events.aged_device(owner.account)
        return True

    async def kept(self, account_id: str) -> None:
        """Wait until the pending notices to an owner are in the database, where they survive a crash.

        Call it before the answer to a change leaves. The database's deadline bounds the wait. After an
        error the notices have been handed to the mailer.
        """
        if pending := self._keeping.get(account_id):
            await asyncio.wait(tuple(pending))  # which leaves them running if the client hangs up

    async def aclose(self) -> None:
        """Hand the pending letters to the mailer, and end the tasks that this object started."""
        await self._counting.ended()

    def _link(self, kind: str, owner: AccountOwner, device: bytes = b"") -> dict[str, str]:
        """The link of a letter, as a keyword of it; none where the site has no pages for it."""
        link = self._links.link(LinkQuestion(kind, owner.account, device)) if self._links is not None else ""
        return {"link": link} if link else {}

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock_s(), UTC)

    def _notify(self, owner: AccountOwner, kind: str, **facts: Any) -> None:
        """Send a letter to every address, unless the owner's budget is used up."""
        if owner.contact is None:
            return None
        if self._outbox is not None:
            return self._begin_keeping(self._outbox, owner, kind, facts)
        return self._send_now(owner, kind, facts, owner.addresses)

    def _begin_keeping(self, outbox: NoticeOutbox, owner: AccountOwner, kind: str, facts: dict[str, Any]) -> None:
        """Have a notice kept. It begins at once and ends within the database's deadline."""
        account_id = owner.account_id
        task = self._counting.start(self._kept_or_sent(outbox, owner, kind, facts), name="sekisho notice")
        pending = self._keeping.setdefault(account_id, set())
        pending.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            pending.discard(task)
            if not pending and self._keeping.get(account_id) is pending:
                del self._keeping[account_id]

        task.add_done_callback(ended)

    async def _kept_or_sent(self, outbox: NoticeOutbox, owner: AccountOwner, kind: str, facts: dict[str, Any]) -> None:
        left = notices_of(owner, kind, facts, mails=self._mailer is not None, hooks=self._has_notice_hook)
        try:
            while left:
                await outbox.add(left[0], owner.counted_by)
                del left[0]
        except OwnersError:
            if any(not one.to for one in left):
                log.warning("a notice of kind %s was not posted: the owners' database does not keep it", kind)
            self._send_now(owner, kind, facts, tuple(one.to for one in left if one.to))

    def _send_now(self, owner: AccountOwner, kind: str, facts: dict[str, Any], to: tuple[str, ...]) -> None:
        """Hand a notice to the mailer, which loses it if this process dies."""
        if self._mailer is None or not to:
            return None
        if self._budget is None:
            return self._write(owner, kind, to, **facts)
        self._counting.start(self._count(self._budget, owner, kind, facts, to))
        return None

    async def _count(
        self, budget: LetterBudget, owner: AccountOwner, kind: str, facts: dict[str, Any], to: tuple[str, ...]
    ) -> None:
        try:
            times = await budget.times(kind, owner.counted_by)
        except StoreUnavailable:
            times = 1  # strangers are refused while the store is lost, so an attacker cannot cause many letters
        if times > 1:
            facts = {**facts, "times": times}
        if times:
            self._write(owner, kind, to, **facts)

    def _write(self, owner: AccountOwner, kind: str, to: tuple[str, ...], **facts: Any) -> None:
        if self._mailer is None:
            return
        try:
            letter = self._letter(kind, (owner.contact and owner.contact.locale) or "en", facts)
            for address in to:
                self._mailer.send(address, letter)
        except Exception as error:  # noqa: BLE001 - its text may contain the letter's: only the type is logged
            log.warning("a message of kind %s was not written: %s", kind, type(error).__name__)

    def _letter(self, kind: str, locale: str, facts: dict[str, Any]) -> Letter:
        from sekisho.mail import messages  # noqa: PLC0415 - needs the mail library, which a mailer implies

        write: Callable[..., Letter] = getattr(messages, kind)
        assert self._service is not None  # noqa: S101 - the constructor checks it
        return write(self._service, locale, **facts)

    def _hand_over(self, owner: AccountOwner, digits: str, minutes: int) -> None:
        if owner.contact is None:
            return
        message = CodeMessage(owner.account_id, owner.account, digits, owner.contact.locale or "", minutes)
        for each in self._code_senders:
            each.send(message)


def notices_of(owner: AccountOwner, kind: str, facts: Mapping[str, Any], *, mails: bool, hooks: bool) -> list[Notice]:
    """The notices of an event for an outbox: one for each address if `mails`, and one for the webhook if `hooks`."""
    from sekisho.outbox import Notice  # noqa: PLC0415 - needs a database's packages, which an outbox implies

    kept = {name: int(fact.timestamp()) if isinstance(fact, datetime) else fact for name, fact in facts.items()}
    locale = (owner.contact and owner.contact.locale) or ""
    found = [Notice(kind, address, locale, kept) for address in owner.addresses] if mails else []
    # A worker of an earlier version does not know this fact, and leaves the row to others.
    hooked = [Notice(kind, "", locale, {**kept, "account_id": owner.account_id})] if hooks else []
    return found + hooked
