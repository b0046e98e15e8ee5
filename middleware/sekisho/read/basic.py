"""HTTP Basic authentication (RFC 7617): credentials in a header, on any request."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import TYPE_CHECKING

from sekisho.model import Charset, Unreadable
from sekisho.read.names import ACCOUNT, ACCOUNT_CHARS_MAX, SECRET, SECRET_BYTES_MAX
from sekisho.read.urlencoded import unicode_or_refuse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.model.headers import Header

# Both at their longest, in four-byte characters, in base64, and the scheme.
_HEADER_BYTES_MAX = (ACCOUNT_CHARS_MAX * 4 + SECRET_BYTES_MAX) * 4 // 3 + 16


# Servers pass leading blanks (HTTP/2) and bytes beyond ASCII on, and `str.split` drops them: 0xA0 is white space to it.
_SCHEME = b"Basic"
_NAMED = re.compile(rb"[^0-9A-Za-z]*+basic", re.IGNORECASE)


def is_basic(authorization: bytes) -> bool:
    """Whether the value of an `Authorization` header names the scheme `Basic`, in any case.

    Lenient on purpose: `read_basic` refuses malformed values.
    """
    return _NAMED.match(authorization) is not None or _holds_pair(authorization)


def _holds_pair(authorization: bytes) -> bool:
    """Whether a pair of account and secret stands behind `Basic` anywhere in a header: Sanic reads it there.

    `Basic` is also a part of one bearer token in a million, whose rest is no text.
    """
    at = authorization.find(_SCHEME)
    if at < 0:
        return False
    try:
        return ":" in b64decode(authorization[at + len(_SCHEME) :].strip()).decode()
    except ValueError:
        return False


def has_basic(headers: Iterable[Header]) -> bool:
    """Whether any `Authorization` header of a request names the scheme `Basic`."""
    return any(name == b"authorization" and is_basic(value) for name, value in headers)


def read_basic(authorization: bytes, charset: Charset = Charset.UTF_8) -> dict[str, str]:
    """Return account and secret of a Basic header, under `ACCOUNT` and `SECRET`. Raises `Unreadable` if malformed.

    Base64 and UTF-8 are decoded strictly: lenient decoders skip different characters, or fall back to Latin-1.
    `charset`: how the application decodes the header.
    """
    scheme, space, token = authorization.partition(b" ")
    if scheme.lower() != b"basic" or not space or len(authorization) > _HEADER_BYTES_MAX:
        raise Unreadable(400, "basic_malformed")
    account, colon, secret = _text(_decoded(token), charset).partition(":")
    if not colon:
        raise Unreadable(400, "basic_malformed")
    return {ACCOUNT: account, SECRET: secret}


def _decoded(token: bytes) -> bytes:
    try:
        raw = binascii.a2b_base64(token, strict_mode=True)
    except binascii.Error:
        raw = None
    # Even strict mode accepts `====` after a complete group; other decoders read on after it.
    if raw is None or binascii.b2a_base64(raw, newline=False) != token:
        raise Unreadable(400, "basic_malformed")
    return raw


def _text(raw: bytes, charset: Charset) -> str:
    if charset is Charset.UTF_8 or raw.isascii() or (charset is Charset.UTF_8_OR_LATIN_1 and _is_utf8(raw)):
        return unicode_or_refuse(raw)
    account, _, secret = raw.partition(b":")
    # The same bytes are `müller` in UTF-8 and `mÃ¼ller` in Latin-1. The owner of one account could pass its step-up
    # while the application opens the other. Some applications decode the whole pair, others each half.
    if any(_is_utf8(half) and not half.isascii() for half in (account, secret)):
        raise Unreadable(400, "two_meanings")
    # Windows-1252, often called Latin-1, differs here: 0x80 is `€` or a control character.
    if any(0x80 <= byte < 0xA0 for byte in raw):
        raise Unreadable(400, "two_meanings")
    return raw.decode("latin-1")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
