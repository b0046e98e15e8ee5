"""The cookies that an answer sets, as a browser would keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LINES_MAX = 32

_NO_VALUES = frozenset({"", "deleted", "null", "none"})
# HttpOnly cookies that say nothing about who is logged in; Django keeps its one-time messages in one.
_OTHERS = ("csrf", "xsrf", "flash", "message", "lang", "locale", "consent", "theme", "mfa", "otp", "2fa", "challenge")


class SetCookie(NamedTuple):
    """One line. `deletes`: the browser is to forget it; `value` is as it was written."""

    name: str
    value: str
    http_only: bool
    deletes: bool

    @property
    def may_be_session(self) -> bool:
        """Whether who holds it may be logged in by it."""
        folded = self.name.lower()
        return self.http_only and not self.deletes and not any(word in folded for word in _OTHERS)

    def __repr__(self) -> str:
        return f"SetCookie({self.name!r}, ...)"


def set_cookies(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[SetCookie]:
    """Of an answer's headers, in their order; at most `LINES_MAX`."""
    lines = [value for name, value in headers if name.lower() == b"set-cookie"]
    for line in lines[:LINES_MAX]:
        pair, _, attributes = line.decode("latin-1").partition(";")
        name, _, value = (part.strip() for part in pair.partition("="))
        found = {key.strip().lower(): text.strip() for key, _, text in _pairs(attributes)}
        if name:
            deletes = value.strip('"').lower() in _NO_VALUES or _is_over(found)
            yield SetCookie(name, value, "httponly" in found, deletes)


def _pairs(attributes: str) -> Iterator[tuple[str, str, str]]:
    return (attribute.partition("=") for attribute in attributes.split(";"))


def _is_over(attributes: dict[str, str]) -> bool:
    lifetime = attributes.get("max-age", "")
    if lifetime.lstrip("-").isdigit():
        return lifetime.startswith("-") or not lifetime.strip("0")
    # No clock here: whoever deletes by date writes the epoch, or a year long gone.
    return any(f"{year}" in attributes.get("expires", "") for year in range(1970, 2020))
