"""Which names a door's account and secret go by, and the checks that every encoding shares.

An attempt is only worth counting when the guard and the application agree on who is meant. So whatever two
parsers could read in two ways is refused here, with a word for the metrics and without a word of the request.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NoReturn, final

from sekisho.model import Credentials, Unreadable
from sekisho.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.model import Fields

ACCOUNT = "account"
SECRET = "secret"  # noqa: S105 - the kind of a field
NEW_SECRET = "new_secret"  # noqa: S105 - the same
GRANT = "grant_type"
METHOD = "method"  # another than the request's own

OVERRIDE_FIELD = "_method"

ACCOUNT_CHARS_MAX = 1_024  # four times the longest e-mail address there can be
SECRET_BYTES_MAX = 4_096  # a password hash reads every byte of it: CVE-2013-1443
FIELDS_MAX = 1_000  # what Starlette's and Django's parsers stop at


@final
class Names(Value):
    """The names one form reads: `kinds` maps each to what it holds; the flags say what the door wants at all.

    `mention` finds any of the names in bytes.
    """

    __slots__ = ("account", "grant", "kinds", "mention", "secret")

    def __init__(
        self,
        kinds: dict[str, str],
        account: bool,
        secret: bool,
        grant: bool,
    ) -> None:
        self.kinds: Final = kinds
        self.mention: Final = mention_of(kinds)
        self.account: Final = account
        self.secret: Final = secret
        self.grant: Final = grant

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


def mention_of(names: Iterable[str]) -> re.Pattern[bytes]:
    """What finds a field of one of these names (or `name[...]`) in bytes, read as a query string by any parser.

    Linear, whatever is searched: a body of 64 KiB that is nothing but `%&` is as quick as any other.
    """
    every = b"|".join(_written(name) for name in sorted(names)) or b"(?!)"
    # Older parsers part fields at `;` as well (python-multipart before 0.0.30, Python before 3.9.2).
    return re.compile(rb"(?:^|[&;])(?:" + every + rb")(?=[=&;[]|%5[bB]|$)(?:=(?P<value>[^&;]*))?", re.DOTALL)


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
