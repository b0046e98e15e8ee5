"""The field names of a door's account and secret, and the checks that all encodings share.

Counting works only if sekisho and the application read the same account. So ambiguous input is refused here, with a
reason for the metrics that contains nothing of the request.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from itertools import chain
from typing import TYPE_CHECKING, Final, NoReturn, final
from urllib.parse import unquote_plus

from sekisho.model import Credentials, Unreadable
from sekisho.model.value import Value
from sekisho.read.parsed_names import has_name_in_front

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sekisho.model import Fields

ACCOUNT: Final = "account"
SECRET: Final = "secret"  # noqa: S105 - the kind of a field
NEW_SECRET: Final = "new_secret"  # noqa: S105 - the same
ADDRESS: Final = "address"
GRANT: Final = "grant_type"
METHOD: Final = "method"  # a method override

OVERRIDE_FIELD: Final = "_method"

_BLANK: Final = r"(?:\s|\+|%20|%0[9a-dA-D]|%1[c-fC-F])"  # the characters that `str.strip` removes

ACCOUNT_CHARS_MAX: Final = 1_024  # four times the longest possible e-mail address
SECRET_BYTES_MAX: Final = 4_096  # a password hash reads every byte of it: CVE-2013-1443
NAME_CHARS_MAX: Final = 1_024  # of a field whose name has an escape, a blank or a bracket; doors' names have 64
FIELDS_MAX: Final = 1_000  # the limit of Starlette's and Django's parsers


@final
class Names(Value):
    """The field names that one form reads.

    `kinds` maps each name to its kind; the flags say which kinds the door requires; `mention` finds the names in bytes.
    """

    __slots__ = ("_unusual", "account", "address", "grant", "kinds", "mention", "secret")

    def __init__(
        self,
        kinds: dict[str, str],
        account: bool,
        secret: bool,
        grant: bool,
        address: bool = False,
    ) -> None:
        self.kinds: Final = kinds
        self.mention: Final = Mention(kinds)
        written = b"|".join(map(_written, kinds)).decode("latin-1") or "(?!)"
        self._unusual: Final = re.compile(rf"{_BLANK}*+(?:{written})(?:$|{_BLANK}*+(?:\[|%5[bB]))")
        self.account: Final = account
        self.secret: Final = secret
        self.grant: Final = grant
        self.address: Final = address

    def kind_of_escaped(self, name: str) -> str | None:
        """Return the kind of a field by its name as sent, percent-encoded; None for a field of no kind.

        Raises `Unreadable` as `kind_of` does, and for too long a name. Only names that could match are decoded.
        """
        if len(name) > NAME_CHARS_MAX:
            raise Unreadable(400, "field_name_too_long")
        match = self._unusual.match(name)
        if match is None:
            return None
        return self.kind_of(unquote_plus(match[0]))

    def kind_of(self, name: str) -> str | None:
        """Return the kind of a field (`account`, `secret` …) by its decoded name; None for a field of no kind.

        Raises `Unreadable` for `username[]` and `username[0]`.

        Some parsers turn those into lists or merge them into the plain name; the reader here would not count them.
        """
        kind = self.kinds.get(name)
        if kind is None and "[" in name and (base := self.kinds.get(name.partition("[")[0].strip())):
            raise Unreadable(400, f"{base}_bracketed")
        return kind


def form_names(all_fields: Iterable[Fields], *, grant: bool = False, override: bool = False) -> Names:
    """Merge the field names of several form encodings: alternatives of one are alternatives of all.

    `override`: also read a method override among the fields.
    """
    kinds: dict[str, str] = {}
    for fields in all_fields:
        kinds.update({".".join(path): ACCOUNT for path in fields.account})
        kinds.update({".".join(path): SECRET for path in fields.secret})
        kinds.update({".".join(path): NEW_SECRET for path in fields.new_secret})
        kinds.update({".".join(path): ADDRESS for path in fields.address})
    account, secret = ACCOUNT in kinds.values(), SECRET in kinds.values()
    if grant:
        kinds["grant_type"] = GRANT
    if override:
        kinds.setdefault(OVERRIDE_FIELD, METHOD)
    return Names(kinds, account, secret, grant, ADDRESS in kinds.values())


@final
class Mention:
    """Find fields with these names (or `name[...]`) in bytes, as any query string parser would.

    64 KiB of only `%&` take some 0.1 ms: fields are examined only if the bytes contain a name, decoded or not, and no
    more fields than any parser accepts.
    """

    __slots__ = ("_at_start", "_inside", "_names", "_starts")

    def __init__(self, names: Iterable[str]) -> None:
        listed = sorted(names)
        self._names: Final = [name.encode() for name in listed]
        self._starts: Final = [
            start for name in self._names for start in (name[:1], b"%%%02x" % name[0], b"%%%02X" % name[0])
        ]
        every = b"|".join(_written(name) for name in listed) or b"(?!)"
        field = rb"(?:" + every + rb")(?=[=&;[]|%5[bB]|$)(?:=(?P<value>[^&;]*))?"
        self._at_start: Final = re.compile(field, re.DOTALL)
        # Older parsers split fields at `;` as well (python-multipart before 0.0.30, Python before 3.9.2).
        self._inside: Final = re.compile(rb"[&;]" + field, re.DOTALL)

    def search(self, text: bytes) -> bool:
        """Whether text contains a field with one of the names, or too many fields to examine."""
        if not self._may_stand_in(text):
            return False
        if _has_too_many_fields(text) or self._at_start.match(text) is not None:
            return True
        return self._inside.search(text) is not None

    def finditer(self, text: bytes) -> Iterator[re.Match[bytes]]:
        """All fields in a text with one of the names. Raises `Unreadable` (413) if the text has too many fields."""
        if not self._may_stand_in(text):
            return iter(())
        if _has_too_many_fields(text):
            raise Unreadable(413, "too_many_fields")
        first = self._at_start.match(text)
        return chain((first,) if first is not None else (), self._inside.finditer(text))

    def _may_stand_in(self, text: bytes) -> bool:
        if _PERCENT in text:
            if not any(start in text for start in self._starts):  # cheaper than decoding 64 KiB of other content
                return False
            text = _decoded(text)
        return any(name in text for name in self._names)


def _has_too_many_fields(text: bytes) -> bool:
    return text.count(b"&") + text.count(b";") >= FIELDS_MAX


# A number: `bytes.__contains__` first tries bytes as one, and the error costs a thousand steps.
_PERCENT: Final = ord("%")

# Quoted-printable is percent-encoding with another sign, and the standard library decodes it in C. Line ends have a
# meaning there, but no name contains one.
_SWAPPED: Final = bytes.maketrans(b"%=\r\n", b"=%\0\0")


def _decoded(text: bytes) -> bytes:
    """Percent-decode in linear time; `=` and text after a stray `%` may differ, but no name contains these."""
    return a2b_qp(text.translate(_SWAPPED))


def unquoted(value: bytes) -> bytes:
    """Percent-decode as `unquote_to_bytes` does, leaving a stray `%` as it is; linear time for any value."""
    if _PERCENT not in value:
        return value
    if _STRAY.search(value) is not None:
        value = _STRAY.sub(b"%25", value)
    # Every `%` begins an escape now, and every `=` is written as one.
    return a2b_qp(value.replace(b"=", b"%3D").replace(b"%", b"="))


_STRAY: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def _written(name: str) -> bytes:
    """A pattern that matches a name with any of its characters escaped."""
    return b"".join(rb"(?:%b|(?i:%%%02x))" % (re.escape(bytes([byte])), byte) for byte in name.encode())


def credentials(
    found: dict[str, str], *, account: bool, secret: bool, address: bool = False, ascii_only: bool = False
) -> Credentials:
    """Make `Credentials` of the values found, by kind. Raises `Unreadable` if one is missing, empty or too long.

    `account`, `secret`, `address`: whether the door requires it; otherwise it becomes "".

    `ascii_only`: the request's charset is us-ascii, and parsers differ about bytes beyond it.
    """
    typed = found.get(ACCOUNT) if account else ""
    tried = found.get(SECRET) if secret else ""
    chosen, place = found.get(NEW_SECRET, ""), found.get(ADDRESS, "")
    if (account and not typed) or (secret and not tried) or typed is None or tried is None:
        _refuse_missing(ACCOUNT if account and not typed else SECRET, found)
    # The application may find one where no reader of the door does, and send a thief what was proved for the account.
    if address and not place:
        _refuse_missing(ADDRESS, found)
    if ascii_only and not (typed.isascii() and tried.isascii() and chosen.isascii()):
        raise Unreadable(415, "charset")
    if len(typed) > ACCOUNT_CHARS_MAX or len(place) > ACCOUNT_CHARS_MAX:
        raise Unreadable(400, "account_too_long")
    if place and has_name_in_front(place):
        raise Unreadable(400, "address_ambiguous")
    if _is_too_long(tried) or _is_too_long(chosen):
        raise Unreadable(400, "secret_too_long")
    return Credentials(typed, tried, chosen, place)


def _is_too_long(secret: str) -> bool:
    # Encoded only if it could be too long: no character takes more than four bytes.
    return len(secret) * 4 > SECRET_BYTES_MAX and len(secret.encode()) > SECRET_BYTES_MAX


def _refuse_missing(kind: str, found: dict[str, str]) -> NoReturn:
    # An attempt without an account would skip the account's limit; without a secret it is no attempt.
    raise Unreadable(400, f"{kind}_empty" if kind in found else f"{kind}_missing")
