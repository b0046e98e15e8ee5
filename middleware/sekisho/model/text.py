"""Text as bytes, and bytes as text."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from typing import Final

TOLD_CHARS_MAX: Final = 4_096
_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")


def utf8(text: str) -> bytes:
    """Encode any text for digests, seals and comparisons; never fails."""
    # Text from a request has no lone surrogates, but text from a site's own resolver may.
    return text.encode() if text.isascii() else text.encode("utf-8", "surrogatepass")


def base64url(data: bytes) -> str:
    """Encode as base64url without padding (RFC 7515, section 2)."""
    # Cut by length: without padding, and without the line end, whose argument `newline=False` would cost more.
    return b2a_base64(data)[: (len(data) * 4 + 2) // 3].translate(_URLSAFE).decode("ascii")


def from_base64url(text: str) -> bytes:
    """Decode base64url with or without padding. Raises `ValueError` for a wrong length, and for text beyond ASCII.

    Foreign characters are skipped, so one value has many spellings.
    """
    return a2b_base64(text.encode("ascii").translate(_STANDARD) + b"=" * (-len(text) % 4))


def base64url_or_empty(text: str, chars_max: int) -> bytes:
    """Decode base64url as `from_base64url`; empty for text that is none, or is longer than `chars_max` characters."""
    if len(text) > chars_max:
        return b""
    try:
        return from_base64url(text)
    except ValueError:
        return b""


def told_text(read: object) -> str:
    """Return a text from another server, if it is fit for a terminal. Raises `ValueError` for any other value.

    Fit are printable characters, 4,096 at most: another server's answer must not move the operator's cursor.
    """
    if not isinstance(read, str) or len(read) > TOLD_CHARS_MAX or not read.isprintable():
        raise ValueError("no text of ours")
    return read


def browser_in(language: str, name: str) -> str:
    """Return a browser's name as a language writes it: of "Firefox on Android" in Japanese "Firefox（Android）"."""
    browser, on, system = name.partition(" on ")
    return f"{browser}（{system}）" if on and language == "ja" else name
