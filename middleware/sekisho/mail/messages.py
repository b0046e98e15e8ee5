"""The messages to account owners, in their language: first the facts, then the advice, with a page to visit *by hand*.

No link has an effect: mail scanners open every link before the reader does. A notice may end with one link, to a page
that asks *was this you?* and never for a password: owners who are used to log in through mails also do so through
phishing mails. So the advice names the account page and does not link to it, and a code comes without any link.

Subjects contain no code, and codes are so far down that previews do not show them: locked screens show both, and an
attacker with a view of the telephone must not read the code.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final, Literal

from sekisho.mail.address import Unsendable
from sekisho.mail.words import CHANGES, FACTORS, QUESTION, REPEATED, UNKNOWN, WORDS, moment
from sekisho.model.text import browser_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

Factor = Literal["webauthn", "totp", "oidc", "recovery", "email", "webhook"]
Change = Literal["added", "removed", "used", "reset", "stopped"]

NAME_MAX = 60  # characters; more would fill a subject
PAGE_MAX = 200
SAID_MAX = 40  # of the client's description of itself; enough for "Chrome on Windows", too short for a message
_CODE = re.compile(r"(?=.{4,32}\Z)[0-9A-Z]+(?:-[0-9A-Z]+)*")
_PAGE = re.compile(r"(?:https://)?[^\s<>\"'`\\]+")
_JAPANESE = re.compile(r"ja(?:[-_.].*)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Service:
    """The sending service, as the operator names it. Never from a request: a forged Host header would set the page.

    Attributes:
        name: in subjects and texts.
        page: the account page, as owners would type it: `shop.example/account`.

    Raises:
        Unsendable: a name or a page that cannot be in a message.
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
        code: the code to type, or "".
        code_after: the number of paragraphs before it.
        link: the URL after the last paragraph, or "".
    """

    kind: str
    language: str
    subject: str = field(repr=False)
    paragraphs: tuple[str, ...] = field(repr=False)
    code: str = field(default="", repr=False)
    code_after: int = 0
    link: str = field(default="", repr=False)


def language(locale: str) -> str:
    """The language of messages for a locale: `ja` for every spelling of a Japanese locale; `en` for all others."""
    return "ja" if _JAPANESE.fullmatch(locale) else "en"


def code(service: Service, locale: str, *, code: str, minutes: int) -> Letter:
    """The letter with the code that completes a log-in. Sent only after a right secret, and it says so.

    Raises:
        Unsendable: the code is not 4 to 32 capitals and digits, perhaps in groups.
    """
    return _with_code("code", service, locale, code, minutes)


def recovery_code(service: Service, locale: str, *, code: str, minutes: int) -> Letter:
    """The letter with the code that has the account's factors removed a day later.

    Sent only after a right recovery code.

    Raises:
        Unsendable: the code is not 4 to 32 capitals and digits, perhaps in groups.
    """
    return _with_code("recovery_code", service, locale, code, minutes)


def signup_code(service: Service, locale: str, *, code: str, minutes: int) -> Letter:
    """The letter with the code that opens an account with this address.

    Sent to any address that a stranger enters, and it says so.

    Raises:
        Unsendable: the code is not 4 to 32 capitals and digits, perhaps in groups.
    """
    return _with_code("signup_code", service, locale, code, minutes)


# `times` below: the number of such events within an hour, if one letter reports all of them.
# `link`: of the page that asks whether it was the owner; "" for none.


def _happened(
    kind: str,
    service: Service,
    locale: str,
    *,
    when: datetime,
    browser: str,
    network: str,
    times: int = 1,
    link: str = "",
) -> Letter:
    """A letter about an event at the account. `browser` is a family ("Firefox on Android"), never a whole header."""
    facts = _circumstances(locale, when, browser, network)
    return _asking(_letter(kind, service, locale, times, **facts), link)


new_device = partial(_happened, "new_device")  # a device was used for the first time
aged_device = partial(_happened, "aged_device")  # a device that was seen for long is let in without a proof
step_up_not_completed = partial(_happened, "step_up_not_completed")  # a right password without a second proof
password_changed = partial(_happened, "password_changed")  # changed or reset
address_changed = partial(_happened, "address_changed")
payout_changed = partial(_happened, "payout_changed")  # the place that money is paid out to
link_added = partial(_happened, "link_added")
password_breached = partial(_happened, "password_breached")  # the owner logged in with a leaked one
cap_reached = partial(_happened, "cap_reached")  # a payment would have exceeded a cap
failed_attempts = partial(_happened, "failed_attempts")  # many wrong secrets were tried
link_attempted = partial(_happened, "link_attempted")  # and did not succeed


def factor_reset_asked(service: Service, locale: str, *, when_effective: datetime, times: int = 1) -> Letter:
    """The letter that says that the account's factors will be deleted: the owner has time to object."""
    return _letter("factor_reset_asked", service, locale, times, when=moment(when_effective, language(locale)))


def factor_changed(
    service: Service, locale: str, *, when: datetime, factor: Factor, change: Change, times: int = 1, link: str = ""
) -> Letter:
    """The letter that says that a factor was added, removed, used up, reset, or stopped after too many wrong codes."""
    tongue = language(locale)
    words = {"factor": FACTORS[tongue][factor], "change": CHANGES[tongue][change], "when": moment(when, tongue)}
    return _asking(_letter("factor_changed", service, locale, times, **words), link)


NOTICES: Final[Mapping[str, Callable[..., Letter]]] = {
    "new_device": new_device,
    "aged_device": aged_device,
    "step_up_not_completed": step_up_not_completed,
    "password_changed": password_changed,
    "address_changed": address_changed,
    "payout_changed": payout_changed,
    "link_added": link_added,
    "password_breached": password_breached,
    "cap_reached": cap_reached,
    "failed_attempts": failed_attempts,
    "link_attempted": link_attempted,
    "factor_reset_asked": factor_reset_asked,
    "factor_changed": factor_changed,
}
"""How each kind of notice is written."""


def visible(text: str) -> bool:
    """Whether the text is one visible line: no controls, no separators but the space, no direction marks.

    The `email` package of older Pythons breaks headers at some of these (CVE-2024-6923), so they are refused here.
    """
    return all(letter == " " or unicodedata.category(letter)[0] not in "CZ" for letter in text)


def _with_code(kind: str, service: Service, locale: str, code: str, minutes: int) -> Letter:
    if not _CODE.fullmatch(code):
        raise Unsendable("no code")
    return replace(_letter(kind, service, locale, minutes=str(minutes)), code=code, code_after=2)


def _letter(kind: str, service: Service, locale: str, times: int = 1, **facts: str) -> Letter:
    tongue = language(locale)
    subject, first, *rest = WORDS[tongue][kind]
    repeated = (REPEATED[tongue],) if times > 1 else ()
    known = {"service": service.name, "page": service.page, "times": str(times), **facts}
    paragraphs = tuple(line.format_map(known) for line in (first, *repeated, *rest))
    return Letter(kind, tongue, subject.format_map(known), paragraphs)


def _asking(letter: Letter, link: str) -> Letter:
    """The letter, with the question whether it was the owner, if there is a page for the answer."""
    if not link:
        return letter
    return replace(letter, paragraphs=(*letter.paragraphs, QUESTION[letter.language]), link=link)


def _circumstances(locale: str, when: datetime, browser: str, network: str) -> dict[str, str]:
    tongue = language(locale)
    unknown = UNKNOWN[tongue]
    said = browser_in(tongue, _said(browser))
    return {"when": moment(when, tongue), "browser": said or unknown, "network": _net(network) or unknown}


def _said(text: str) -> str:
    """The client's description of itself, without the characters for a link, an address or a sentence.

    An attacker with a stolen password chooses the User-Agent in the resulting notice: "call 03-… at once" would reach
    the owner in the service's name.
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
