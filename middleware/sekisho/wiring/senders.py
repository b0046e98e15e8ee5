"""Builds what sends codes and notices: mail, webhooks, the service's own sender, and the outbox that keeps notices."""

from __future__ import annotations

import asyncio
import random
import secrets
from typing import TYPE_CHECKING, Any, Final

from sekisho.crypto.vault_keys import VaultKeys
from sekisho.stepup.factors.letter_budget import LetterBudget
from sekisho.stepup.factors.senders import Senders
from sekisho.stepup.factors.webhook import CHANCE, CodeMessage, CodeQueue, Webhook
from sekisho.stepup.flow.contact_proofs import Channels
from sekisho.wiring.step_up_extras import code_webhook, notice_webhook

if TYPE_CHECKING:
    from sekisho.mail import Mailer, Service
    from sekisho.mail.mailer import Deliver
    from sekisho.outbox import NoticeOutbox
    from sekisho.outbox.by_mail import MailDelivery
    from sekisho.owners.sql import SqlOwners
    from sekisho.record import Events
    from sekisho.settings import Settings
    from sekisho.stepup.factors.codes import Code
    from sekisho.stepup.flow.contact_proofs import Send as SendContactCode
    from sekisho.stepup.links import NoticeLinks
    from sekisho.store.vault import Vault
    from sekisho.wiring.clocks import Clocks
    from sekisho.wiring.given import Given


class SenderParts:
    """What one event loop sends by.

    Args:
        settings: of the service.
        vault: counts letters.
        clocks: of the service.
        links: makes the links in notices.
        closing: takes the parts that are closed with the loop.
        deliver: takes letters in place of the mail relay; None for the relay.

    Attributes:
        mailer, service: the mail client, and the service as letters name it; None where the site sends no mail.
    """

    def __init__(
        self,
        settings: Settings,
        vault: Vault,
        clocks: Clocks,
        links: NoticeLinks,
        *,
        closing: list[Any],
        deliver: Deliver | None = None,
    ) -> None:
        self._settings = settings
        self._vault = vault
        self._clocks = clocks
        self._links = links
        self._closing = closing
        mailer, service = self._mail(deliver)
        self.mailer: Final = mailer
        self.service: Final = service

    def _mail(self, deliver: Deliver | None) -> tuple[Mailer | None, Service | None]:
        settings = self._settings
        if not settings.smtp:
            return None, None
        from sekisho.mail import Mailer, Means, Service  # noqa: PLC0415 - a mail client, only for sites that send mail

        means = Means(self._clocks.monotonic_s, self._clocks.utc)
        mailer = Mailer(
            settings.smtp,
            password=settings.smtp_password,
            sender=settings.mail_from or "",
            sender_name=settings.service_name,
            means=means if deliver is None else means._replace(deliver=deliver),
        )
        self._closing.append(mailer)
        return mailer, Service(settings.service_name, settings.account_page or "")

    def senders(self, given: Given, events: Events, database: SqlOwners | None) -> Senders:
        """Build and return what sends codes and notices to owners. It is closed with the event loop.

        `given`: the objects that the service passes. `database`: of the owners; it keeps notices until they are sent.
        """
        settings = self._settings
        by_webhook, by_service = code_webhook(settings, self._clocks), _by_service(given)
        code_senders = [each for each in (by_webhook, by_service) if each is not None]
        self._closing += code_senders
        senders = Senders(
            events,
            self.mailer,
            self.service,
            code_senders=code_senders,
            budget=LetterBudget(self._vault, VaultKeys(settings.secrets)),
            outbox=self._outbox(events, database),
            links=self._links,
            has_notice_hook=settings.notices_webhook is not None,
            clock_s=self._clocks.wall_s,
        )
        self._closing.append(senders)
        return senders

    def _outbox(self, events: Events, database: SqlOwners | None) -> NoticeOutbox | None:
        """Keeps notices in the owners' database; None where the service's own object holds them, or nothing sends."""
        by_webhook = notice_webhook(self._settings, self._clocks)
        if database is None or (self.mailer is None and by_webhook is None):
            return None
        from sekisho.outbox import NoticeOutbox  # noqa: PLC0415 - a database driver, only for sites with a database
        from sekisho.outbox.by_webhook import Deliveries  # noqa: PLC0415
        from sekisho.outbox.sending import OutboxMeans, service_id  # noqa: PLC0415
        from sekisho.owners.outbox import SqlOutbox  # noqa: PLC0415

        settings = self._settings
        outbox = NoticeOutbox(
            SqlOutbox(database, service_id(settings.listed, settings.namespace)),
            settings.listed,
            Deliveries(_by_mail(self.mailer, self.service), by_webhook),
            events.notice_lost,
            OutboxMeans(self._clocks.wall_s, asyncio.sleep, random.random, secrets.token_bytes),
            on_way=events.part_answers,
        )
        outbox.start()
        self._closing.append(outbox)
        return outbox

    def channels(self, given: Given) -> Channels:
        """Build and return the ways to send codes at sign-ups: mail, a webhook or the service's own sender.

        Both are None where no door has `contact=`.
        """
        if not any(door.contact for door in self._settings.doors):
            return Channels(None, None)
        mailer, service, mail, hook = self.mailer, self.service, None, None
        if mailer is not None and service is not None:
            mail = _letters(mailer, service)
        sender = code_webhook(self._settings, self._clocks) or _by_service(given)
        if sender is not None:
            self._closing.append(sender)
            hook = _messages(sender)
        return Channels(mail, hook)


def _by_service(given: Given) -> CodeQueue | None:
    """Queues codes for the service's own sender; None where it has none."""
    return CodeQueue(given.on_code, chance=given.chance or CHANCE) if given.on_code is not None else None


def _by_mail(mailer: Mailer | None, service: Service | None) -> MailDelivery | None:
    if mailer is None or service is None:
        return None
    from sekisho.outbox.by_mail import MailDelivery  # noqa: PLC0415 - a mail client, only for sites that send mail

    return MailDelivery(mailer, service)


def _letters(mailer: Mailer, service: Service) -> SendContactCode:
    """Mails the codes of sign-ups."""
    from sekisho.mail import messages  # noqa: PLC0415 - a mail client, only for sites that send mail

    def send(address: str, language: str, code: Code) -> None:
        mailer.send(address, messages.signup_code(service, language, code=code.digits, minutes=_minutes(code)))

    return send


def _messages(sender: Webhook | CodeQueue) -> SendContactCode:
    """Hands the codes of sign-ups to the service's own sender."""

    def send(address: str, language: str, code: Code) -> None:
        sender.send(CodeMessage("", address, code.digits, language, _minutes(code)))

    return send


def _minutes(code: Code) -> int:
    return max(code.seconds_left // 60, 1)
