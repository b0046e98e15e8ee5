"""The mail relay: its URL, its encryption, and the meaning of its answers.

A code is equivalent to a password for ten minutes, so it is sent encrypted and only to the named server. Opportunistic
STARTTLS would not protect it: an attacker on the path removes the offer (RFC 3207, section 6).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectResponseError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from sekisho.model import SettingsError
from sekisho.settings.urls import is_loopback

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import EmailMessage
    from urllib.parse import SplitResult

    from sekisho.mail.address import Address

SETTING: Final = "SEKISHO_SMTP"
PART_S: Final = 1  # for the optional QUIT
_POSSIBLE: Final = (
    "possible are smtp://user@host:587 (STARTTLS, unless the host is this machine), smtps://user@host:465, "
    "smtp+starttls://… and smtp+plain://…"
)


class Security(Enum):
    STARTTLS = "starttls"
    TLS = "tls"
    PLAIN = "plain"


class Step(Enum):
    """What a server answers, in the order of a conversation (RFC 5321, section 4.3.2)."""

    GREETING = "the greeting"
    HELLO = "EHLO"
    LOG_IN = "AUTH"
    SENDER = "MAIL FROM"
    RECIPIENT = "RCPT TO"
    CONTENT = "DATA"


class RelayFault(Exception):  # noqa: N818 - what a try came to; caught by the one who tries again
    """A message was not accepted.

    Attributes:
        reason: a stable word, with the server's status and the step if there is one: `status 550 at MAIL FROM`. Never
            its text, which repeats addresses.
        passing: whether the failure is temporary, so that another try is useful.
        status: that the server answered; 0 if it did not.
        step: the one that failed; None if it is not known.
        is_of_message: whether this recipient or this message is refused, for now or for good, while others are taken.
            Else it is the relay's trouble, or that of the settings.
    """

    def __init__(
        self,
        reason: str,
        *,
        passing: bool,
        status: int = 0,
        step: Step | None = None,
        is_of_message: bool = False,
    ) -> None:
        self.reason = reason
        self.passing = passing
        self.status = status
        self.step = step
        self.is_of_message = is_of_message
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Relay:
    """The mail relay. Its repr contains no host, port, user or password: the host name reveals the provider."""

    host: str = field(repr=False)
    port: int = field(repr=False)
    security: Security
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)


class Envelope(NamedTuple):
    sender: Address
    to: Address
    message: EmailMessage

    def __repr__(self) -> str:
        return "Envelope(…)"


def relay(url: str, password: str | None = None) -> Relay:
    """Read the URL of a mail relay.

    Args:
        url: `smtp://`, `smtps://`, `smtp+starttls://` or `smtp+plain://`. `smtp` means STARTTLS, and plain text only
            if the host is this machine.
        password: the user's; it may also stand in the URL, percent-encoded.

    Raises:
        SettingsError: the URL is invalid, or would send a password in clear over a network. Contains no part of it.
    """
    parts, port = _split(url)
    host, user = parts.hostname or "", _decoded(parts.username)
    security = _SECURITY[parts.scheme]
    if parts.scheme == "smtp" and is_loopback(host):
        security = Security.PLAIN
    if parts.password and password:
        raise SettingsError(SETTING, "has a password, and there is another beside it; leave one of them out")
    secret = password or _decoded(parts.password)
    if (user is None) != (secret is None):
        raise SettingsError(SETTING, "wants both a user and a password, or neither")
    if user and security is Security.PLAIN and not is_loopback(host):
        raise SettingsError(SETTING, "would send a password in clear; use smtp:// or smtps://, or leave the user out")
    return Relay(host, port or _PORTS[security], security, user, secret)


_SECURITY: Final = {
    "smtp": Security.STARTTLS,
    "smtp+starttls": Security.STARTTLS,
    "smtps": Security.TLS,
    "smtp+plain": Security.PLAIN,
}
_PORTS: Final = {Security.STARTTLS: 587, Security.TLS: 465, Security.PLAIN: 25}  # RFC 6409, 8314, 5321


def _split(url: str) -> tuple[SplitResult, int | None]:
    if not (url.isascii() and url.isprintable() and " " not in url and len(url) <= 2048):
        raise SettingsError(SETTING, f"is no URL; {_POSSIBLE}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # it quotes the invalid part
        raise SettingsError(SETTING, f"is no URL; {_POSSIBLE}") from None
    if parts.scheme not in _SECURITY:
        raise SettingsError(SETTING, f"names no way to send mail that sekisho knows; {_POSSIBLE}")
    if not parts.hostname or port == 0 or parts.path.strip("/") or parts.query or parts.fragment:
        raise SettingsError(SETTING, f"wants a host, a port and nothing after it; {_POSSIBLE}")
    return parts, port


def _decoded(text: str | None) -> str | None:
    return unquote(text) if text else None


def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a TLS context that trusts the system's authorities, or only those of a file, and always verifies.

    Raises:
        SettingsError: the file cannot be read, or holds no certificates.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError:
        raise SettingsError(SETTING, "has a file of authorities that cannot be read") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def deliver(place: Relay, tls: ssl.SSLContext, envelope: Envelope, *, limit_s: float) -> None:
    """Hand one message over, on a connection of its own.

    Args:
        place: the relay.
        tls: the trusted authorities.
        envelope: the message.
        limit_s: for everything except QUIT, name resolution included.

    Raises:
        RelayFault: the message was not accepted, or the result is unknown.
    """
    async with _talking(place, tls, envelope.sender, limit_s) as client:
        await _hand_over(client, envelope)


async def greet(place: Relay, tls: ssl.SSLContext, sender: Address, *, limit_s: float) -> None:
    """Connect, log in and name the sender, as before a message, and part. Nothing is sent.

    Raises:
        RelayFault: as `deliver`.
    """
    async with _talking(place, tls, sender, limit_s) as client:
        await client.connect()
        await client.mail(sender.spec, options=["SMTPUTF8"] if sender.international else [])
        await client.rset()


@asynccontextmanager
async def _talking(place: Relay, tls: ssl.SSLContext, sender: Address, limit_s: float) -> AsyncIterator[SMTP]:
    """A client that is not connected yet. Every error of the context is raised as `RelayFault`."""
    client = SMTP(
        hostname=place.host,
        port=place.port,
        username=place.user,
        password=place.password,
        local_hostname=sender.domain,  # by default the library would reveal the name of this host
        timeout=limit_s,
        use_tls=place.security is Security.TLS,
        start_tls=place.security is Security.STARTTLS,
        tls_context=tls,
    )
    try:
        async with asyncio.timeout(limit_s):
            yield client
        await _part(client)
    except RelayFault:
        raise
    except Exception as error:  # noqa: BLE001 - any error may hold the address: only its meaning goes on
        raise _meaning(error) from None
    finally:
        client.close()


async def _hand_over(client: SMTP, envelope: Envelope) -> None:
    await client.connect()
    utf8 = envelope.sender.international or envelope.to.international
    if envelope.to.international and not envelope.sender.international:
        await _ensure_international(client)
    await client.sendmail(
        envelope.sender.spec,
        [envelope.to.spec],
        envelope.message.as_bytes(),
        mail_options=["SMTPUTF8", "BODY=8BITMIME"] if utf8 else [],
    )


async def _ensure_international(client: SMTP) -> None:
    """Raise `RelayFault` where the server takes no address in other letters than ASCII: it takes all other messages."""
    await client.ehlo()
    if not client.supports_extension("smtputf8"):
        raise RelayFault("no SMTPUTF8", passing=False, is_of_message=True)


async def _part(client: SMTP) -> None:
    # The message is accepted: if QUIT fails, a retry would send it twice.
    with suppress(Exception):
        async with asyncio.timeout(PART_S):
            await client.quit()


def _meaning(error: Exception) -> RelayFault:
    if isinstance(error, SMTPRecipientsRefused):
        error = error.recipients[0]
    if isinstance(error, SMTPResponseException):
        return _answered(error)
    if isinstance(error.__cause__ or error, ssl.SSLCertVerificationError):
        return RelayFault("certificate", passing=False)
    if isinstance(error, TimeoutError):
        return RelayFault("too slow", passing=True)
    if isinstance(error, OSError):
        return RelayFault("no connection", passing=True)
    if isinstance(error, SMTPException):  # STARTTLS, AUTH or SMTPUTF8: a retry would not get them either
        return RelayFault("not offered", passing=False)
    return RelayFault(type(error).__name__, passing=False)


_STEPS: Final[dict[type[SMTPResponseException], Step]] = {
    SMTPConnectResponseError: Step.GREETING,
    SMTPHeloError: Step.HELLO,
    SMTPAuthenticationError: Step.LOG_IN,
    SMTPSenderRefused: Step.SENDER,
    SMTPRecipientRefused: Step.RECIPIENT,
    SMTPDataError: Step.CONTENT,
}
_OF_MESSAGE: Final = frozenset({450, 451, 452, 501, 521, 550, 551, 552, 553, 554, 556})
"""A mailbox that is busy, full, moved or unknown, or a message that is not wanted (RFC 5321, 7504)."""
_NOT_OURS: Final = re.compile(r"5\.7\.")
"""The enhanced status of "relay access denied" (RFC 3463): the relay takes no recipient from us."""


def _answered(error: SMTPResponseException) -> RelayFault:
    """The meaning of a status. What it is about depends on the step: a 550 may refuse the recipient, or our sender."""
    step = _STEPS.get(type(error))
    return RelayFault(
        f"status {error.code} at {step.value}" if step else f"status {error.code}",
        passing=not 500 <= error.code <= 599,
        status=error.code,
        step=step,
        is_of_message=_is_of_message(error, step),
    )


def _is_of_message(error: SMTPResponseException, step: Step | None) -> bool:
    if error.code not in _OF_MESSAGE:
        return False
    return step is Step.CONTENT or (step is Step.RECIPIENT and not _NOT_OURS.match(error.message))
