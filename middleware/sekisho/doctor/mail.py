"""Examines the mail server: whether it takes a connection, the password and the sender. No mail is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.doctor.report import DoctorReport
from sekisho.model import hazards

if TYPE_CHECKING:
    from sekisho.mail.relay import RelayFault
    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings import Settings

LIMIT_S: Final = 10.0  # no owner waits for an examination
_WANTS_USER: Final = 530  # RFC 4954, section 6; at any step

_SAID: Final = {
    "no connection": ("nothing listens at its host and port, or the host has no address", ""),
    "too slow": ("no answer came in time: does a firewall drop, or is the port right?", ""),
    "certificate": (
        "its certificate is not trusted here, or names another host",
        "SSL_CERT_FILE=/path/to/ca.pem",
    ),
    "not offered": (
        "it offers no STARTTLS, or no log-in: port 465 mostly speaks TLS from the start",
        "SEKISHO_SMTP=smtps://USER@HOST:465",
    ),
}
"""By the reason of a fault: what it means, and the line to write; empty: the hazard's own."""


async def mail_report(settings: Settings) -> DoctorReport:
    """A report on the mail server that `SEKISHO_SMTP` names; an empty one where it names none."""
    if settings.smtp is None:
        return DoctorReport()
    from sekisho.mail.address import Unsendable, address  # noqa: PLC0415 - a mail client, only for sites with one
    from sekisho.mail.relay import RelayFault, greet, relay, tls_context  # noqa: PLC0415 - the same

    place = relay(settings.smtp, settings.smtp_password)
    try:
        await greet(place, tls_context(), address(settings.mail_from or ""), limit_s=LIMIT_S)
    except RelayFault as fault:
        return DoctorReport(diagnoses=(_found(fault),))
    except Unsendable as error:
        return DoctorReport(diagnoses=(hazards.DEAF_RELAY.found(f"SEKISHO_MAIL_FROM: {error}", _FROM),))
    return DoctorReport((("mail", "the server takes the sender; no mail was sent"),))


_FROM: Final = "SEKISHO_MAIL_FROM=ADDRESS THAT THE SERVER SENDS FOR"


def _found(fault: RelayFault) -> Diagnosis:
    what, write = _meaning(fault)
    said = f"SEKISHO_SMTP: the mail server failed ({fault.reason}){': ' * bool(what)}{what}"
    return hazards.DEAF_RELAY.found(said, write)


def _meaning(fault: RelayFault) -> tuple[str, str]:
    """What a fault means, and the line to write; empty ones where that is not known."""
    from sekisho.mail.relay import Step  # noqa: PLC0415 - a mail client, only for sites with one

    if fault.status == _WANTS_USER:
        return "it wants a user and a password", "SEKISHO_SMTP=smtp://USER@HOST:587"
    if fault.step is Step.LOG_IN and not fault.passing:
        return "the user or the password is wrong", "SEKISHO_SMTP_PASSWORD=PASSWORD"
    if fault.step is Step.SENDER and not fault.passing:
        return "it does not send for SEKISHO_MAIL_FROM", _FROM
    if fault.step is Step.GREETING and not fault.passing:
        return "it takes no mail from this machine", "SEKISHO_SMTP=smtp://USER@HOST:587"
    return _SAID.get(fault.reason, ("", ""))
