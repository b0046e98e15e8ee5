"""The `Content-Type` of a body (RFC 9110 section 8.3), read strictly and in linear time.

A body is read as the application reads it, or refused. A more lenient parser would count one account while the
application checks another.
"""

from __future__ import annotations

from enum import Enum
from string import ascii_letters, digits
from typing import Final, final

from sekisho.model import Unreadable
from sekisho.model.value import Value

HEADER_BYTES_MAX: Final = 1_024  # browsers send 80; CVE-2024-24762 was a kilobyte of quotes in this header

_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~" + digits + ascii_letters)
_BOUNDARY: Final = frozenset("'()+_,-./:=?" + digits + ascii_letters)  # RFC 2046, less the space that proxies fold away


class Form(Enum):
    """The kinds of body that a door can read."""

    URLENCODED = "urlencoded"
    MULTIPART = "multipart"
    JSON = "json"


@final
class Content(Value):
    """What a `Content-Type` says.

    Attributes:
        form: the body's kind.
        ascii_only: whether its charset is us-ascii.
        boundary: of multipart; empty for other kinds.
        loose_delimiter: what a loose parser takes for multipart's delimiter; empty if it takes the right one.
    """

    __slots__ = ("ascii_only", "boundary", "form", "loose_delimiter")

    def __init__(
        self,
        form: Form,
        ascii_only: bool = False,
        boundary: bytes = b"",
        loose_delimiter: bytes = b"",
    ) -> None:
        self.form: Final = form
        self.ascii_only: Final = ascii_only
        self.boundary: Final = boundary
        self.loose_delimiter: Final = loose_delimiter


_USUAL: Final = {
    b"application/x-www-form-urlencoded": Content(Form.URLENCODED),
    b"application/x-www-form-urlencoded; charset=UTF-8": Content(Form.URLENCODED),
    b"application/x-www-form-urlencoded;charset=UTF-8": Content(Form.URLENCODED),
    b"application/json": Content(Form.JSON),
    b"application/json; charset=utf-8": Content(Form.JSON),
    b"application/json;charset=UTF-8": Content(Form.JSON),
}


def content_of(value: bytes | None) -> Content:
    """Read a `Content-Type`. Raises `Unreadable`: 415 if absent (`None`) or unsupported, 400 for a bad boundary."""
    if value is None:
        raise Unreadable(415, "content_type")
    return _USUAL.get(value) or _parsed(value)


def _parsed(value: bytes) -> Content:
    media, parameters = media_type(value)
    ascii_only = charset_is_ascii(parameters)
    if media == "application/x-www-form-urlencoded":
        return Content(Form.URLENCODED, ascii_only)
    if media == "multipart/form-data":
        boundary = _boundary(parameters)
        return Content(Form.MULTIPART, ascii_only, boundary, _loose_delimiter(value, boundary))
    if media == "application/json" or (media.startswith("application/") and media.endswith("+json")):
        return Content(Form.JSON, ascii_only)
    raise Unreadable(415, "content_type")


def charset_is_ascii(parameters: dict[str, str]) -> bool:
    """Whether the charset is us-ascii and not UTF-8, the default. Raises `Unreadable` (415) for any other.

    A firewall that reads UTF-8 detects no attack on an application that reads ibm037 (CVE-2022-39956).
    """
    charset = parameters.get("charset", "utf-8").lower()
    if charset in {"utf-8", "utf8"}:
        return False
    if charset in {"us-ascii", "ascii"}:
        return True
    raise Unreadable(415, "charset")


def media_type(value: bytes) -> tuple[str, dict[str, str]]:
    """Read `type/subtype` and parameters, names in lower case. Raises `Unreadable` (415) for ambiguous syntax.

    Ambiguous are repeated parameters, RFC 2231's continuations (`boundary*0=`: Django joins them, others do not),
    escapes in quotes, blanks around `=`, and a charset or boundary inside another parameter (`xcharset=utf-7`):
    BlackSheep searches the whole header for `charset=`.
    """
    if len(value) > HEADER_BYTES_MAX or not value.isascii():
        raise Unreadable(415, "content_type")
    media, *rest = (piece.strip(" \t") for piece in value.decode("ascii").split(";"))
    if not _TOKEN.issuperset(media.replace("/", "", 1)):
        raise Unreadable(415, "content_type")
    parameters: dict[str, str] = {}
    for piece in rest:
        name, equals, text = piece.partition("=")
        name = name.lower()
        if not piece:
            continue
        if not equals or name in parameters or "*" in name or not _TOKEN.issuperset(name) or _hides(name, text):
            raise Unreadable(415, "content_type")
        parameters[name] = _unquoted(text)
    return media.lower(), parameters


_READ: Final = ("charset", "boundary")


def _hides(name: str, text: str) -> bool:
    """Whether a parameter holds another one, for parsers that search for it."""
    return any((word in name and word != name) or f"{word}=" in text.lower() for word in _READ)


def _unquoted(text: str) -> str:
    quoted = len(text) >= 2 and text[0] == text[-1] == '"'
    inner = text[1:-1] if quoted else text
    # A quoted `;` was split by the caller and arrives here as an unclosed quotation.
    if not inner or '"' in inner or "\\" in inner or (not quoted and not _TOKEN.issuperset(inner)):
        raise Unreadable(415, "content_type")
    return inner


def _boundary(parameters: dict[str, str]) -> bytes:
    boundary = parameters.get("boundary", "")
    if not 1 <= len(boundary) <= 70 or not _BOUNDARY.issuperset(boundary):
        raise Unreadable(400, "multipart_boundary")
    return boundary.encode("ascii")


def _loose_delimiter(value: bytes, boundary: bytes) -> bytes:
    # BlackSheep takes all between the first `=` and a blank: another parameter's value, or the quotes as well.
    taken = value.partition(b"=")[2].partition(b" ")[0]
    return b"" if taken == boundary else b"--" + taken
