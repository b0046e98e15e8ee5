"""Forms as `multipart/form-data` (RFC 7578), read so strictly that the parsers of seven frameworks agree.

They disagree about preambles, bare line feeds, folded headers, escaped quotes, repeated headers and encodings inside
parts. Browsers and HTTP libraries write none of these, so all are refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sekisho.model import Unreadable
from sekisho.read.content import charset_is_ascii, media_type
from sekisho.read.urlencoded import unicode_or_refuse

if TYPE_CHECKING:
    from sekisho.read.names import Names

PARTS_MAX = 100  # a log-in has two to five; too many were CVE-2024-47874
HEADER_BYTES_MAX = 1_024  # Django rejects parts whose headers do not fit its first block

_HEADERS = {"content-disposition", "content-type", "content-transfer-encoding", "content-length"}
# Each quantifier ends at a character outside its class, so matching takes linear time for any input.
# No backslash: some parsers unescape `\"`, others end the name there. No `*`: RFC 7578 forbids `name*=`.
_QUOTED_OR_BARE = r'(?:"(?P<{0}>[^"\\\x00-\x1f\x7f]*)"|(?P<{0}_>[A-Za-z0-9_.-]+))'
_DISPOSITION = re.compile(
    "form-data; ?name=" + _QUOTED_OR_BARE.format("name") + "(?:; ?filename=" + _QUOTED_OR_BARE.format("file") + ")?"
)


class _Part(NamedTuple):
    name: str
    is_file: bool
    headers: dict[str, str]
    value: bytes


def read_multipart(body: bytes, boundary: bytes, names: Names) -> dict[str, str]:
    """Return the values of the fields in `names`, by kind (`account`, `secret` …).

    Raises `Unreadable` for a body that parsers could read differently, and for a repeated or uploaded field.
    """
    found: dict[str, str] = {}
    for piece in _pieces(body, boundary):
        part = _part(piece)
        kind = names.kind_of(part.name)
        if kind is None:
            _refuse_charset(part)
            continue
        if kind in found:
            raise Unreadable(400, f"{kind}_repeated")
        # Some parsers deliver an upload as text, some drop it.
        if part.is_file:
            raise Unreadable(400, f"{kind}_not_text")
        found[kind] = _value(part)
    return found


def _refuse_charset(part: _Part) -> None:
    # RFC 7578 section 4.6: BlackSheep reads all further fields in this charset, so that `\\x68ana` would be `hana`.
    if part.name.lower() == "_charset_" and part.value.lower() not in {b"utf-8", b"utf8"}:
        raise Unreadable(415, "charset")


def _pieces(body: bytes, boundary: bytes) -> list[bytes]:
    # Every occurrence of the boundary must be a whole delimiter line: Django finds it anywhere, Werkzeug after any line
    # break, the others only after CR LF. Sanic finds it without the dashes, too.
    first, *pieces = body.split(b"--" + boundary, PARTS_MAX + 2)
    if len(pieces) > PARTS_MAX + 1:
        raise Unreadable(413, "too_many_parts")
    if any(boundary in piece for piece in pieces):
        raise Unreadable(400, "multipart_malformed")
    if first or not pieces or pieces.pop() not in {b"--", b"--\r\n"}:
        raise Unreadable(400, "multipart_malformed")
    if not all(len(piece) >= 4 and piece[:2] == piece[-2:] == b"\r\n" for piece in pieces):
        raise Unreadable(400, "multipart_malformed")
    return [piece[2:-2] for piece in pieces]


def _part(piece: bytes) -> _Part:
    head, blank, value = piece.partition(b"\r\n\r\n")
    if not blank or len(head) > HEADER_BYTES_MAX:
        raise Unreadable(400, "multipart_malformed")
    headers = _headers(unicode_or_refuse(head))
    disposition = _DISPOSITION.fullmatch(headers.get("content-disposition", ""))
    if disposition is None or headers.get("content-transfer-encoding", "8bit") not in {"7bit", "8bit", "binary"}:
        raise Unreadable(400, "multipart_header")
    quoted, token, file, file_token = disposition.groups()
    name = token if quoted is None else quoted
    # Django strips names, Litestar turns `%22` into a quote.
    if name != name.strip() or "%" in name:
        raise Unreadable(400, "multipart_header")
    return _Part(name, file is not None or file_token is not None, headers, value)


def _headers(head: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in head.split("\r\n"):
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or name not in _HEADERS or name in headers or not value.isprintable():
            raise Unreadable(400, "multipart_header")
        headers[name] = value.strip(" ")
    return headers


def _value(part: _Part) -> str:
    if declared := part.headers.get("content-type"):
        media, parameters = media_type(declared.encode())
        if media != "text/plain":
            raise Unreadable(415, "content_type")
        if charset_is_ascii(parameters) and not part.value.isascii():
            raise Unreadable(415, "charset")
    return unicode_or_refuse(part.value)
