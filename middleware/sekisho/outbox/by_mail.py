"""Delivers notices by mail: the letter is written when it is sent, from the facts that the outbox kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sekisho.mail import Unsendable, messages
from sekisho.mail.relay import RelayFault
from sekisho.outbox.notice import MOMENTS, Undelivered

if TYPE_CHECKING:
    from sekisho.mail import Letter, Mailer, Service
    from sekisho.outbox.notice import Notice


class MailDelivery:
    """Args:
    mailer: hands letters to the relay. Its creator closes it.
    service: the name and the account page for letters.
    """

    def __init__(self, mailer: Mailer, service: Service) -> None:
        self._mailer = mailer
        self._service = service

    async def __call__(self, notice: Notice, times: int, token: str) -> None:
        """Send it. Raises `Undelivered`."""
        try:
            await self._mailer.post(notice.to, written(self._service, notice, times), token=token)
        except RelayFault as fault:
            # Only a refusal of the recipient or the message is final: the rest is trouble, which the operator ends.
            passing = fault.passing or not fault.is_of_message
            raise Undelivered(fault.reason, passing=passing, way_works=fault.is_of_message) from None
        except (LookupError, TypeError) as error:
            # A later version's notice, while workers are being replaced: one of those sends it.
            raise Undelivered(type(error).__name__, passing=True) from None
        except (Unsendable, ValueError) as error:
            raise Undelivered(type(error).__name__, passing=False) from None


def written(service: Service, notice: Notice, times: int) -> Letter:
    """Write the letter of a notice; `times`: how many events it reports.

    Raises `LookupError`, `TypeError` or `ValueError` for another version's notice.
    """
    facts: dict[str, Any] = {
        name: datetime.fromtimestamp(int(fact), UTC) if name in MOMENTS else fact for name, fact in notice.facts.items()
    }
    return messages.NOTICES[notice.kind](service, notice.locale, times=times, **facts)
