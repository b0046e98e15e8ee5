"""Which names a door's account and secret go by, and the checks that every encoding shares.

An attempt is only worth counting when the guard and the application agree on who is meant. So whatever two
parsers could read in two ways is refused here, with a word for the metrics and without a word of the request.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from itertools import chain
from typing import TYPE_CHECKING, Final, NoReturn, final
from urllib.parse import unquote_plus

from sekisho.model import Credentials, Unreadable
from sekisho.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sekisho.model import Fields

ACCOUNT = "account"
SECRET = "secret"  # noqa: S105 - the kind of a field
NEW_SECRET = "new_secret"  # noqa: S105 - the same
GRANT = "grant_type"
METHOD = "method"  # another than the request's own

OVERRIDE_FIELD = "_method"

_BLANK = r"(?:\s|\+|%20|%0[9a-dA-D]|%1[c-fC-F])"  # what `str.strip` takes off

ACCOUNT_CHARS_MAX = 1_024  # four times the longest e-mail address there can be
SECRET_BYTES_MAX = 4_096  # a password hash reads every byte of it: CVE-2013-1443
NAME_CHARS_MAX = 1_024  # of a field with an escape, a blank or a bracket in its name; ours have 64, each escaped
FIELDS_MAX = 1_000  # what Starlette's and Django's parsers stop at


@final
class Names(Value):
    """The names one form reads: `kinds` maps each to what it holds; the flags say what the door wants at all.

    `mention` finds any of the names in bytes.
    """

    __slots__ = ("_unusual", "account", "grant", "kinds", "mention", "secret")

    def __init__(
        self,
        kinds: dict[str, str],
        account: bool,
        secret: bool,
        grant: bool,
    ) -> None:
        self.kinds: Final = kinds
        self.mention: Final = mention_of(kinds)
        written = b"|".join(map(_written, kinds)).decode("latin-1") or "(?!)"
        self._unusual: Final = re.compile(rf"{_BLANK}*+(?:{written})(?:$|{_BLANK}*+(?:\[|%5[bB]))")
        self.account: Final = account
        self.secret: Final = secret
        self.grant: Final = grant

    def kind_of_escaped(self, name: str) -> str | None:
        """As `kind_of`, of a name as it was sent. Only what could be one of ours is decoded."""
        if len(name) > NAME_CHARS_MAX:
            raise Unreadable(400, "field_name_too_long")
        match = self._unusual.match(name)
        if match is None:
            return None
        return self.kind_of(unquote_plus(match[0]))

    def kind_of(self, name: str) -> str | None:
        """What an unusual, already decoded name holds. Raises `Unreadable` for `username[]` and `username[0]`.

        Some parsers turn those into lists or fold them into the plain name; ours would not see them.
        """
        kind = self.kinds.get(name)
        if kind is None and "[" in name and (base := self.kinds.get(name.partition("[")[0].strip())):
            raise Unreadable(400, f"{base}_bracketed")
        return kind


def form_names(all_fields: Iterable[Fields], *, grant: bool = False, override: bool = False) -> Names:
    """What the given form encodings read, together: alternatives of one are alternatives of all.

    `override`: a method among the fields matters as well.
    """
    kinds: dict[str, str] = {}
    for fields in all_fields:
        kinds.update({".".join(path): ACCOUNT for path in fields.account})
        kinds.update({".".join(path): SECRET for path in fields.secret})
        kinds.update({".".join(path): NEW_SECRET for path in fields.new_secret})
    account, secret = ACCOUNT in kinds.values(), SECRET in kinds.values()
    if grant:
        kinds["grant_type"] = GRANT
    if override:
        kinds.setdefault(OVERRIDE_FIELD, METHOD)
    return Names(kinds, account, secret, grant)


@final
class Mention:
    """Finds fields of some names (or `name[...]`) in bytes, read as a query string by any parser.

    64 KiB of nothing but `%&` take some 0.1 ms: where no name stands at all, decoded or not, no field is looked at, and
    where one does, no more fields than any parser takes.
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
        # Older parsers part fields at `;` as well (python-multipart before 0.0.30, Python before 3.9.2).
        self._inside: Final = re.compile(rb"[&;]" + field, re.DOTALL)

    def search(self, text: bytes) -> bool:
        """Whether there is any such field, or there are so many others that nobody can tell."""
        if not self._may_stand_in(text):
            return False
        if _has_too_many_fields(text) or self._at_start.match(text) is not None:
            return True
        return self._inside.search(text) is not None

    def finditer(self, text: bytes) -> Iterator[re.Match[bytes]]:
        """All such fields. Raises `Unreadable`, 413, where there are too many others."""
        if not self._may_stand_in(text):
            return iter(())
        if _has_too_many_fields(text):
            raise Unreadable(413, "too_many_fields")
        first = self._at_start.match(text)
        return chain((first,) if first is not None else (), self._inside.finditer(text))

    def _may_stand_in(self, text: bytes) -> bool:
        if b"%" in text:
            if not any(start in text for start in self._starts):  # cheaper than to decode 64 KiB of something else
                return False
            text = _decoded(text)
        return any(name in text for name in self._names)


def mention_of(names: Iterable[str]) -> Mention:
    """See `Mention`."""
    return Mention(names)


def _has_too_many_fields(text: bytes) -> bool:
    return text.count(b"&") + text.count(b";") >= FIELDS_MAX


# Quoted-printable is what percent-encoding is, with another sign: the standard library decodes it in C. The end of a
# line means something there, and is in no name.
_SWAPPED: Final = bytes.maketrans(b"%=\r\n", b"=%\0\0")


def _decoded(text: bytes) -> bytes:
    """Percent-decoded, in linear time; `=` and what follows a stray `%` may differ, which no name holds."""
    return a2b_qp(text.translate(_SWAPPED))


def unquoted(value: bytes) -> bytes:
    """Percent-decoded as `unquote_to_bytes` does it, a stray `%` for itself; linear, whatever the value is."""
    if b"%" not in value:
        return value
    if _STRAY.search(value) is not None:
        value = _STRAY.sub(b"%25", value)
    # Every `%` begins an escape now, and every `=` is written as one.
    return a2b_qp(value.replace(b"=", b"%3D").replace(b"%", b"="))


_STRAY: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def _written(name: str) -> bytes:
    """A pattern for a name with any of its characters escaped."""
    return b"".join(rb"(?:%b|(?i:%%%02x))" % (re.escape(bytes([byte])), byte) for byte in name.encode())


def credentials(found: dict[str, str], *, account: bool, secret: bool, ascii_only: bool = False) -> Credentials:
    """The values found, checked against what the door wants. Raises `Unreadable`.

    `ascii_only`: the request named us-ascii as its charset, and parsers differ about what lies beyond.
    """
    typed = found.get(ACCOUNT) if account else ""
    tried = found.get(SECRET) if secret else ""
    chosen = found.get(NEW_SECRET, "")
    if (account and not typed) or (secret and not tried) or typed is None or tried is None:
        _refuse_missing(ACCOUNT if account and not typed else SECRET, found)
    if ascii_only and not (typed.isascii() and tried.isascii() and chosen.isascii()):
        raise Unreadable(415, "charset")
    if len(typed) > ACCOUNT_CHARS_MAX:
        raise Unreadable(400, "account_too_long")
    if _is_too_long(tried) or _is_too_long(chosen):
        raise Unreadable(400, "secret_too_long")
    return Credentials(typed, tried, chosen)


def _is_too_long(secret: str) -> bool:
    # Only what could be too long is encoded to find out: no character takes more than four bytes.
    return len(secret) * 4 > SECRET_BYTES_MAX and len(secret.encode()) > SECRET_BYTES_MAX


def _refuse_missing(kind: str, found: dict[str, str]) -> NoReturn:
    # An attempt without an account would skip the account's limit; one without a secret is none.
    raise Unreadable(400, f"{kind}_empty" if kind in found else f"{kind}_missing")
