"""Compose a letter into a message: plain text, and HTML without external content or scripts, with one link at most."""

from __future__ import annotations

from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sekisho.mail.address import Address
    from sekisho.mail.messages import Letter

# 7bit encoding: a relay without 8BITMIME would otherwise bounce, or corrupt, every Japanese text.
_POLICY: Final = SMTP.clone(cte_type="7bit")
_POLICY_UTF8: Final = _POLICY.clone(utf8=True)


def compose(
    letter: Letter, *, sender: Address, sender_name: str, to: Address, now: datetime, token: str
) -> EmailMessage:
    """Make the message that carries a letter.

    Args:
        letter: the content.
        sender: the From address. Its domain is also the Message-ID's, which must not reveal the host's name.
        sender_name: the display name of the sender, or "".
        to: the recipient.
        now: in UTC; a local time would reveal the host's time zone.
        token: makes the Message-ID unique; the same for all tries, so that a repeated message is recognised as one.
    """
    message = EmailMessage(policy=_POLICY_UTF8 if sender.international or to.international else _POLICY)
    message["From"] = HeaderAddress(sender_name, addr_spec=sender.spec) if sender_name else sender.spec
    message["To"] = to.spec
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{token}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic reply
    message.set_content(text(letter))
    message.add_alternative(html(letter), subtype="html")
    message["Content-Language"] = letter.language  # last: `set_content` deletes all `Content-*` headers
    return message


def text(letter: Letter) -> str:
    """Return a letter as plain text, with its code indented and its link last."""
    parts = [f"    {part}" if is_code else part for part, is_code in _parts(letter)]
    return "\n\n".join([*parts, letter.link] if letter.link else parts) + "\n"


def html(letter: Letter) -> str:
    """Return a letter as HTML: one column, in the reader's own font and colours."""
    body = "".join(
        _CODE.format(escape(part)) if is_code else f"<p>{escape(part)}</p>\n" for part, is_code in _parts(letter)
    )
    if letter.link:
        body += _LINK.format(escape(letter.link))
    return _PAGE.format(language=letter.language, subject=escape(letter.subject), body=body)


_CODE: Final = '<p style="font-size:1.75em;letter-spacing:.15em"><strong>{}</strong></p>\n'
_LINK: Final = '<p><a href="{0}">{0}</a></p>\n'
_PAGE: Final = (
    '<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    '<meta name="color-scheme" content="light dark">\n<title>{subject}</title>\n</head>\n'
    "<body>\n{body}</body>\n</html>\n"
)


def _parts(letter: Letter) -> Iterator[tuple[str, bool]]:
    for place, paragraph in enumerate(letter.paragraphs):
        if letter.code and place == letter.code_after:
            yield letter.code, True
        yield paragraph, False
