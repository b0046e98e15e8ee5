"""Settings of mails with which a code would not leave, or would look forged.

Imported only where `SEKISHO_SMTP` is set: the room needs a mail client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.mail.address import Unsendable
from sekisho.mail.messages import Service
from sekisho.mail.relay import relay
from sekisho.model import SettingsError, hazards
from sekisho.settings import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.model.diagnosis import Finding
    from sekisho.settings import Settings


def checks(settings: Settings) -> Iterator[Finding]:
    """Yield errors for a relay or an account page that cannot be used, and a diagnosis if mails name no service."""
    try:
        relay(settings.smtp or "", settings.smtp_password)
    except SettingsError as mistake:
        yield mistake
    try:
        Service(settings.service_name, settings.account_page or "")
    except Unsendable as error:
        yield SettingsError(table.ACCOUNT_PAGE.variable, f"cannot stand in a mail: {error}")
    if settings.service_name == table.SERVICE_NAME.default:
        yield hazards.NAMELESS_SERVICE.found(
            "SEKISHO_SERVICE_NAME: mails call the service what every service calls itself; give it its name"
        )
