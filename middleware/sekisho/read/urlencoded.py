"""Forms in a body or a query: `application/x-www-form-urlencoded`, as in WHATWG's URL standard.

It is parsed by hand, because this runs for every log-in and `parse_qsl` takes three times as long. The tests compare it
with `parse_qsl` and python-multipart: a difference without a refusal would be a bypass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.model import Unreadable
from sekisho.read.names import ACCOUNT, FIELDS_MAX, SECRET_BYTES_MAX, unquoted

if TYPE_CHECKING:
    from sekisho.read.names import Names


VALUE_CHARS_MAX: Final = 3 * SECRET_BYTES_MAX  # each byte escaped; an account of that length is too long as well


def read_urlencoded(body: bytes, names: Names) -> dict[str, str]:
    """Return the values of the fields in `names`, by kind (`account`, `secret` …).

    Raises `Unreadable` for a body that parsers could read differently, and for a repeated or too long value.

    `;` is no separator, `+` is a space, a stray `%` is literal: as in every current Python framework.
    """
    # Django decodes raw bytes beyond ASCII as UTF-8, Starlette and Litestar as Latin-1: two different accounts.
    if not body.isascii():
        raise Unreadable(400, "not_unicode")
    text = body.decode("ascii")
    if text.count("&") >= FIELDS_MAX:
        raise Unreadable(413, "too_many_fields")
    if ";" in text:
        _refuse_semicolons(body, names)

    kinds = names.kinds
    found: dict[str, str] = {}
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        kind = kinds.get(name)
        if kind is None:
            if not ("%" in name or "[" in name or "+" in name):
                continue
            kind = names.kind_of_escaped(name)
            if kind is None:
                continue
        # Frameworks differ: they take the first, the last, or a list.
        if kind in found:
            raise Unreadable(400, f"{kind}_repeated")
        if len(value) > VALUE_CHARS_MAX:
            raise Unreadable(400, "account_too_long" if kind == ACCOUNT else "secret_too_long")
        found[kind] = _unquoted(value) if "%" in value or "+" in value else value
    return found


def _refuse_semicolons(body: bytes, names: Names) -> None:
    # python-multipart before 0.0.30 splits fields at `;` as well, and reads another account from
    # `username=decoy;username=hana`. Browsers escape `;`.
    for mention in names.mention.finditer(body):
        if body[mention.start() : mention.start() + 1] == b";" or body[mention.end() : mention.end() + 1] == b";":
            raise Unreadable(400, "two_meanings")


def _unquoted(value: str) -> str:
    value = value.replace("+", " ")
    # Nearly every e-mail address has this escape; if no other is left, the fast path gives the same result.
    if "%" not in (quick := value.replace("%40", "@")):
        return quick
    raw = unquoted(value.encode())
    if raw.isascii():
        return raw.decode("ascii")
    return unicode_or_refuse(raw)


def unicode_or_refuse(raw: bytes) -> str:
    """Decode UTF-8. Raises `Unreadable` for other bytes: some parsers replace them, and some read Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        pass
    # Raised outside the handler, so that no traceback contains the bytes.
    raise Unreadable(400, "not_unicode")
