"""The cookies that an answer sets, as a browser would store them."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, NamedTuple

from sekisho.model.text import from_base64url
from sekisho.read.cookie_names import is_never_session, is_session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sekisho.model.headers import Header

LINES_MAX = 32

_NO_VALUES = frozenset({"", "deleted", "null", "none", "undefined", "false", "0", "expired", "invalid"})
_OPEN_CHARS_MAX = 4_096
_PAST = re.compile(r"\b\d{1,2}[ -][a-z]{3}[ -](?:19\d\d|200\d|201\d|[7-9]\d\b)")


class SetCookie(NamedTuple):
    """One `Set-Cookie` line. `deletes`: it removes the cookie; `value` and `attributes` are as they were written."""

    name: str
    value: str
    http_only: bool
    deletes: bool
    attributes: str = ""

    @property
    def may_be_session(self) -> bool:
        """Whether the cookie may hold a log-in."""
        return self.http_only and not self.deletes and not is_never_session(self.name)

    @property
    def is_called_session(self) -> bool:
        """Whether the cookie may hold a log-in and is also named like a session; for guesses without a rule."""
        return self.may_be_session and is_session(self.name)

    @property
    def carries_message(self) -> bool:
        """Whether the cookie is a readable session (Flask, Starlette) with a message for the next page.

        *Wrong password* is such a message; it creates a session in a browser that had none.
        """
        return any(_tells(part) for part in self.value.strip('"').split(".")[:2])

    @property
    def place(self) -> tuple[str, str, str]:
        """Name, domain and path: a browser keeps one cookie for each (RFC 6265 section 5.3)."""
        found = _attributes(self.attributes)
        return self.name, found.get("domain", "").lstrip(".").lower(), found.get("path") or "/"

    def __repr__(self) -> str:
        return f"SetCookie({self.name!r}, ...)"


def set_cookies(headers: Iterable[Header]) -> Iterator[SetCookie]:
    """Read the `Set-Cookie` lines of an answer, in their order; at most `LINES_MAX`."""
    lines = [value for name, value in headers if name.lower() == b"set-cookie"]
    for line in lines[:LINES_MAX]:
        pair, _, attributes = line.decode("latin-1").partition(";")
        name, _, value = (part.strip() for part in pair.partition("="))
        found = _attributes(attributes)
        if name:
            deletes = value.strip('"').lower() in _NO_VALUES or _is_over(found)
            yield SetCookie(name, value, "httponly" in found, deletes, attributes)


def kept_cookies(headers: Iterable[Header]) -> list[SetCookie]:
    """The cookies that a browser keeps after an answer: the last line of each place, unless it deletes.

    An application may begin a session, find the password wrong, and delete it in the same answer.
    """
    found = list(set_cookies(headers))
    if len(found) > 1:
        found = list({cookie.place: cookie for cookie in found}.values())
    return [cookie for cookie in found if not cookie.deletes]


def _tells(part: str) -> bool:
    if not part.startswith(("eyJ", "eJ")):
        return False
    try:
        text = from_base64url(part[:_OPEN_CHARS_MAX])
    except ValueError:
        return False
    if part.startswith("eJ"):
        try:
            text = zlib.decompressobj().decompress(text, _OPEN_CHARS_MAX)
        except zlib.error:
            return False
    return any(word in text.lower() for word in (b"flash", b"messages", b"alert", b"error"))


def _attributes(text: str) -> dict[str, str]:
    pairs = [attribute.partition("=") for attribute in text.split(";")]
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _is_over(attributes: dict[str, str]) -> bool:
    lifetime = attributes.get("max-age", "").strip('"')
    if lifetime.lstrip("-").isdigit():
        return lifetime.startswith("-") or not lifetime.strip("0")
    # No clock here: applications delete by the epoch or by a year long past.
    return "expires" in attributes and bool(_PAST.search(attributes["expires"].lower()))
