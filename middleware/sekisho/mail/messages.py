"""What owners are told, in their language. Facts first, then what to do, and where to go *by hand*.

No sentence asks to follow a link: scanners open every link in a mail before its reader does, so a link that acts would
act for them, and owners who have learnt to log in through mails do so through those of a thief, too.

Subjects hold no code, and codes stand so far down that a preview does not reach them: both are shown on locked screens,
and whoever has the telephone in hand for a moment, or looks at it over a shoulder, is the one a code is to stop.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final, Literal

from sekisho.mail.address import Unsendable
from sekisho.mail.words import CHANGES, FACTORS, REPEATED, UNKNOWN, WORDS, moment

if TYPE_CHECKING:
    from datetime import datetime

Factor = Literal["webauthn", "totp", "recovery", "email", "webhook"]
Change = Literal["added", "removed", "used", "reset", "stopped"]

NAME_MAX = 60  # characters; more would fill a subject
PAGE_MAX = 200
SAID_MAX = 40  # of what a client says of itself; enough for "Chrome on Windows" and for no second message
_CODE = re.compile(r"(?=.{4,32}\Z)[0-9A-Z]+(?:-[0-9A-Z]+)*")
_PAGE = re.compile(r"(?:https://)?[^\s<>\"'`\\]+")
_JAPANESE = re.compile(r"ja(?:[-_.].*)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Service:
    """Who writes, as its operator calls it: never as a request calls it, or a Host header would choose the page.

    Attributes:
        name: in subjects and texts.
        page: where owners look after their account, as they would type it: `shop.example/account`.

    Raises:
        Unsendable: a name or a page that cannot stand in a message.
    """

    name: str
    page: str

    def __post_init__(self) -> None:
        if not 0 < len(self.name.strip()) <= NAME_MAX or not visible(self.name):
            raise Unsendable("no name of a service")
        if len(self.page) > PAGE_MAX or not _PAGE.fullmatch(self.page) or not visible(self.page):
            raise Unsendable("no page of a service")


@dataclass(frozen=True, slots=True)
class Letter:
    """A message without sender and receiver.

    Attributes:
        kind: a stable word for metrics.
        language: `en` or `ja`.
        subject: one line.
        paragraphs: plain text, one line each.
        code: what is to be typed, or "".
        code_after: how many paragraphs stand before it.
    """

    kind: str
    language: str
    subject: str = field(repr=False)
    paragraphs: tuple[str, ...] = field(repr=False)
    code: str = field(default="", repr=False)
    code_after: int = 0


def language(locale: str) -> str:
    """`ja` for every Japanese locale, whichever way it is written; `en` for all others."""
    return "ja" if _JAPANESE.fullmatch(locale) else "en"


def code(service: Service, locale: str, *, code: str, minutes: int) -> Letter:
    """The code that completes a log-in. Sent only where the secret was right, and it says so.

    Raises:
        Unsendable: this is no code: 4 to 32 capitals and digits, perhaps in groups.
    """
    if not _CODE.fullmatch(code):
        raise Unsendable("no code")
    letter = _letter("code", service, locale, minutes=str(minutes))
    return Letter(letter.kind, letter.language, letter.subject, letter.paragraphs, code=code, code_after=2)


# `times` in these: how often it has happened within an hour, where the letter stands for all of them.


def new_device(service: Service, locale: str, *, when: datetime, browser: str, network: str, times: int = 1) -> Letter:
    """A device was used for the first time. `browser` is a family ("Firefox on Android"), never a whole header."""
    return _letter("new_device", service, locale, times, **_circumstances(locale, when, browser, network))


def step_up_not_completed(
    service: Service, locale: str, *, when: datetime, browser: str, network: str, times: int = 1
) -> Letter:
    """Somebody had the right password and not the second proof."""
    return _letter("step_up_not_completed", service, locale, times, **_circumstances(locale, when, browser, network))


def factor_reset_asked(service: Service, locale: str, *, when_effective: datetime, times: int = 1) -> Letter:
    """The second proofs of the account will be deleted, and there is time to object."""
    return _letter("factor_reset_asked", service, locale, times, when=moment(when_effective, language(locale)))


def factor_changed(
    service: Service, locale: str, *, when: datetime, factor: Factor, change: Change, times: int = 1
) -> Letter:
    """A second proof was added, removed, used up, reset, or stopped after too many wrong codes."""
    tongue = language(locale)
    words = {"factor": FACTORS[tongue][factor], "change": CHANGES[tongue][change], "when": moment(when, tongue)}
    return _letter("factor_changed", service, locale, times, **words)


def visible(text: str) -> bool:
    """Whether it can stand in one line: no control, no separator but the space, nothing that turns the direction.

    The `email` package of older Pythons breaks headers at some of these (CVE-2024-6923), so they end here.
    """
    return all(letter == " " or unicodedata.category(letter)[0] not in "CZ" for letter in text)


def _letter(kind: str, service: Service, locale: str, times: int = 1, **facts: str) -> Letter:
    tongue = language(locale)
    subject, first, *rest = WORDS[tongue][kind]
    repeated = (REPEATED[tongue],) if times > 1 else ()
    known = {"service": service.name, "page": service.page, "times": str(times), **facts}
    paragraphs = tuple(line.format_map(known) for line in (first, *repeated, *rest))
    return Letter(kind, tongue, subject.format_map(known), paragraphs)


def _circumstances(locale: str, when: datetime, browser: str, network: str) -> dict[str, str]:
    tongue = language(locale)
    unknown = UNKNOWN[tongue]
    return {"when": moment(when, tongue), "browser": _said(browser) or unknown, "network": _net(network) or unknown}


def _said(text: str) -> str:
    """What a client says of itself, without the means to write a link, an address or a sentence of its own.

    Whoever has stolen a password chooses the User-Agent in the notice that follows: "call 03-… at once" would reach
    the owner under the service's own name.
    """
    kept = (letter if _harmless(letter) else " " for letter in unicodedata.normalize("NFKC", text[:SAID_MAX]))
    return " ".join("".join(kept).split())[:SAID_MAX]


_PUNCTUATION: Final = frozenset("-_()+,")


def _harmless(letter: str) -> bool:
    return letter in _PUNCTUATION or unicodedata.category(letter)[0] in "LMN"


def _net(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return _said(text)
