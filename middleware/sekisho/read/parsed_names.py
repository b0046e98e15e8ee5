"""Spellings that an application parses before it compares them: numbers, UUIDs, international mail domains, secrets.

Pydantic and `int` take `7`, `+7`, `0_07` and `7.0` for one number; without this, each would be an account with attempts
of its own. Only the limits use the result: it folds more than some application does, never less.
"""

from __future__ import annotations

import re
from string import digits
from typing import Final
from unicodedata import normalize

_OF_NUMBERS: Final = frozenset(digits + "+-_.()/ ")  # telephone numbers included
_NO_DIGIT: Final = re.compile(r"[^0-9]+")
_OF_UUIDS: Final = frozenset(digits + "abcdef")
UUID_DIGITS: Final = 32

_NAMED: Final = re.compile(r"<[^<]*@")

IN_ASCII: Final = "xn--"
# The ideographic dot divides a domain as `.` does (RFC 3490 section 3.1); two marks are nothing to LDAP and SASL
# (RFC 4013 and 4518), and to no database.
_PREPARED: Final = {0x3002: ".", 0x1806: None, 0xFFFC: None}
NORMALIZED_CHARS_MAX: Final = 256  # of a secret; longer ones would take milliseconds, and no one is tried widely
LABEL_CHARS_MAX: Final = 63  # RFC 1035; decoding takes quadratic time


def has_name_in_front(text: str) -> bool:
    """Whether text is like `x1 <a@b.example>`, which pydantic's `EmailStr` reads as the address alone.

    Otherwise each `x1` would give new attempts at one account, or at one mailbox.
    """
    return text.rstrip().endswith(">") and _NAMED.search(text) is not None


def as_prepared(text: str) -> str:
    """Return a name as directories and mail servers prepare it (stringprep), beyond the folding of `canonical`."""
    return text.translate(_PREPARED)


def as_number(text: str) -> str:
    """The digits of a number, without separators, sign and zeros in front; any other text as it is."""
    if not _OF_NUMBERS.issuperset(text):
        return text
    whole, _, fraction = text.partition(".")
    plain = _NO_DIGIT.sub("", whole if not fraction.strip("0") else text)
    return (plain.lstrip("0") or "0") if plain else text


def as_tried(secret: str, *, is_small: bool) -> str:
    """Return a secret as it is counted when it is tried at several accounts: without its outer blanks, folded to NFKC.

    Serializers strip blanks (Django REST framework) and fold width; an application with PINs may compare numbers. One
    PIN tried sideways would otherwise be another secret at each account: `1234`, `01234`, `1234 `.

    Args:
        secret: as typed.
        is_small: whether it is a code or a PIN, not a password.
    """
    text = secret
    if not text.isascii() and len(text) <= NORMALIZED_CHARS_MAX:
        text = normalize("NFKC", text)
    text = text.strip()
    return as_number(text) if is_small else text


def as_uuid(text: str) -> str:
    """A UUID as RFC 9562 writes it, from any spelling that `uuid.UUID` reads; any other text as it is."""
    plain = text.replace("urn:", "").replace("uuid:", "").strip("{}").replace("-", "")
    if len(plain) != UUID_DIGITS or not _OF_UUIDS.issuperset(plain):
        return text
    return f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:]}"


def with_readable_domain(address: str) -> str:
    """Return an address with its domain decoded: `a@xn--bcher-kva.example` becomes `a@bücher.example`.

    RFC 5891; email-validator takes both for one.
    """
    local, at, domain = address.rpartition("@")
    return local + at + ".".join([_readable(label) for label in domain.split(".")])


def _readable(label: str) -> str:
    if not label.startswith(IN_ASCII) or len(label) > LABEL_CHARS_MAX:
        return label
    try:
        return label.removeprefix(IN_ASCII).encode("ascii").decode("punycode")
    except UnicodeError:
        return label
