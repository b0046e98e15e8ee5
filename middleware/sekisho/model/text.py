"""Text as bytes, and bytes as text."""

from __future__ import annotations

from binascii import b2a_base64
from typing import Final

_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")


def utf8(text: str) -> bytes:
    """Encode any text for digests, seals and comparisons; never fails."""
    # Text from a request has no lone surrogates, but text from a site's own resolver may.
    return text.encode() if text.isascii() else text.encode("utf-8", "surrogatepass")


def base64url(data: bytes) -> str:
    """Encode as base64url without padding (RFC 7515, section 2)."""
    # `rstrip` removes the line end together with the padding; the argument `newline=False` would cost more.
    return b2a_base64(data).rstrip(b"=\n").translate(_URLSAFE).decode()
