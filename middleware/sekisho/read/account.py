"""The canonical account: one name for all spellings that frameworks and applications take for one.

Lists of leaked pairs, step-ups and known devices' lanes go by it. Attempt limits go by the limit key, which folds more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, NoReturn
from unicodedata import category, combining, normalize

from sekisho.model import Unreadable
from sekisho.read.collation import limit_key, unmarked
from sekisho.read.names import ACCOUNT_CHARS_MAX

if TYPE_CHECKING:
    from sekisho.model import Attempt

Resolver = Callable[[str], str | None]
"""From an account as the application reads it to the application's own id of it; to `""` or `None` where it knows none.

Called up to three times for an attempt, in the event loop: it looks into memory, or not at all.
"""

_ROUNDS_MAX = 4  # two suffice for all of Unicode 14

_PIECE_CHARS = 56
_MARKS_MAX = 30  # in a row, as UAX 15 bounds them for streams: putting a thousand in their order takes a millisecond
# An iota below no vowel, an Arabic vowel sign above no letter: a letter or a blank to some databases and nothing to
# others, so that one name is two accounts. Nobody's holds one.
_STANDS_ALONE = re.compile("[\u0345\u037a\ufc5e-\ufc63\ufe70\ufe72\ufe74\ufe76\ufe78\ufe7a\ufe7c\ufe7e]")

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # categories Cc and Cs
# What cannot be seen, by category (Cf in Unicode 15.1) or property (Default_Ignorable_Code_Point, UAX 44): joiners,
# fillers, marks of direction, variation selectors, tags. A list, so that workers of any Python fold alike.
_UNSEEN: dict[int, None] = dict.fromkeys(
    (
        0x00AD,
        0x034F,
        *range(0x0600, 0x0606),
        0x061C,
        0x06DD,
        0x070F,
        *range(0x0890, 0x0892),
        0x08E2,
        *range(0x115F, 0x1161),
        *range(0x17B4, 0x17B6),
        *range(0x180B, 0x1810),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        0x3164,
        *range(0xFE00, 0xFE10),
        0xFEFF,
        0xFFA0,
        *range(0xFFF0, 0xFFFC),
        0x110BD,
        0x110CD,
        *range(0x13430, 0x13440),
        *range(0x1BCA0, 0x1BCA4),
        *range(0x1D173, 0x1D17B),
        *range(0xE0000, 0xE1000),
    )
)


@dataclass(frozen=True, slots=True)
class MailPolicy:
    """Where mail providers deliver several spellings to one person. Domains in lower case; default: nowhere."""

    domains_ignoring_dots: frozenset[str] = frozenset()
    domains_with_plus: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.domains_ignoring_dots or self.domains_with_plus)

    def folded(self, account: str) -> str:
        """`a.b+shop@x` as `ab@x`, as far as the domain is listed; never an empty name."""
        local, at, domain = account.rpartition("@")
        if domain in self.domains_with_plus:
            local = local.partition("+")[0] or local
        if domain in self.domains_ignoring_dots:
            local = local.replace(".", "") or local
        return local + at + domain


_NO_POLICY = MailPolicy()
_ID = "id\0"  # no account that was typed holds a NUL


def canonical(account: str, *, policy: MailPolicy = _NO_POLICY) -> str:
    """NFKC, case folded, without what cannot be seen; blanks at the ends dropped, those inside made one.

    Homoglyphs stay apart: no application takes a Cyrillic `а` for a Latin one.

    Raises:
        Unreadable: for control characters (`account_controls`), for surrogates (`not_unicode`), for marks above nothing
            or by the dozen (`account_ambiguous`), for what is longer than any account once it is folded
            (`account_too_long`), and for an account that is empty, or nothing but what is dropped (`account_empty`):
            all of those would share one counter.
    """
    if account.isascii():
        if not account.isprintable():
            _refuse(account)
        text = account.lower()
        if " " in text:
            text = " ".join(text.split())
    else:
        text = _folded(account)
    if not text:
        raise Unreadable(400, "account_empty")
    return policy.folded(text) if policy else text


def _folded(account: str) -> str:
    if _CONTROLS.search(account):
        _refuse(account)
    if len(account) > _PIECE_CHARS:
        _refuse_unfolding(account)
    if _STANDS_ALONE.search(account) and _STANDS_ALONE.search(normalize("NFC", account)):
        raise Unreadable(400, "account_ambiguous")
    # Folding can bring forth what composes, and composing what folds: until nothing changes.
    for _ in range(_ROUNDS_MAX):
        before, account = account, _folded_once(account)
        if account == before:
            break
    return account


def _folded_once(account: str) -> str:
    text = normalize("NFKC", normalize("NFKC", account).casefold())
    return " ".join(text.translate(_UNSEEN).split())


def _refuse_unfolding(account: str) -> None:
    """Refuse what would be too long once it is folded, or slow to fold, before that has been paid for."""
    chars = 0
    for start in range(0, len(account), _PIECE_CHARS):
        chars += len(normalize("NFKC", account[start : start + _PIECE_CHARS]))
        if chars > ACCOUNT_CHARS_MAX:
            raise Unreadable(400, "account_too_long")
    if b"\1" * (_MARKS_MAX + 1) in bytes(map(bool, map(combining, account))):
        raise Unreadable(400, "account_ambiguous")


def _refuse(account: str) -> NoReturn:
    if any(category(char) == "Cs" for char in account):
        raise Unreadable(400, "not_unicode")
    raise Unreadable(400, "account_controls")


class Accounts:
    """The canonical account under a site's policy and resolver."""

    __slots__ = ("_policy", "_resolver")

    def __init__(self, policy: MailPolicy = _NO_POLICY, resolver: Resolver | None = None) -> None:
        self._policy = policy
        self._resolver = resolver

    @property
    def listed(self) -> Callable[[Attempt], str]:
        """How lists of leaked pairs call the account of an attempt: they know no site's policy and no resolver."""
        if self._resolver is None and not self._policy:
            return attrgetter("canonical")
        return lambda attempt: canonical(attempt.account) if attempt.account else ""

    def canonical(self, account: str) -> str:
        """The account, whatever it was spelled like. Raises `Unreadable` as `canonical` does, and as the resolver does.

        Ids that the resolver gives stand in a space of their own, or whoever registers a user name that is somebody
        else's e-mail address or id could lock them out (CVE-2022-39229).
        """
        text = canonical(account, policy=self._policy)
        if self._resolver is None:
            return text
        # First as the application would look it up; then folded, for the spellings that only the application forgives;
        # then without marks, for those that only its database does.
        known = self._resolver(account)
        if not known:
            known = self._resolver(text)
        if not known and not text.isascii() and (plain := unmarked(text)) != text:
            known = self._resolver(plain)
        return f"{_ID}{known}" if known else text

    @staticmethod
    def limit_key(canonical: str) -> str:
        """What attempts at a canonical account are counted under, where that is another name; else empty.

        See `sekisho.read.collation`. Ids are nobody's spelling.

        Raises:
            Unreadable: nothing is left of it (`account_empty`): all such accounts would share one counter.
        """
        if canonical.startswith(_ID):
            return ""
        key = limit_key(canonical)
        if not key and canonical:
            raise Unreadable(400, "account_empty")
        return "" if key == canonical else key
