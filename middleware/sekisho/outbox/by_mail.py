"""Delivers notices by mail: the letter is written when it is sent, from the facts that the outbox kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sekisho.mail import Unsendable, messages
from sekisho.mail.relay import RelayFault
from sekisho.outbox.notice import MOMENTS, Undelivered

if TYPE_CHECKING:
    from sekisho.mail import Letter, Mailer, Service
    from sekisho.outbox.notice import Notice

_REFUSED: Final = frozenset(f"status {code}" for code in (521, 550, 551, 552, 553, 554, 556))
"""Refusals of this address or message (RFC 5321, 7504). All others are the relay's trouble, which the operator ends."""

_LATER: Final = frozenset(f"status {code}" for code in (450, 451, 452))
"""This mailbox is busy or full (RFC 5321), or the relay greets strangers so: other messages are taken."""


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
            passing = fault.reason not in _REFUSED
            is_outage = passing and fault.reason not in _LATER
            raise Undelivered(fault.reason, passing=passing, is_outage=is_outage) from None
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
