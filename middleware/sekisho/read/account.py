"""The canonical account: one name for all spellings that frameworks and applications treat as equal.

Lists of leaked pairs, step-ups and known devices' buckets use it. Attempt limits use the limit key, which folds more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NoReturn
from unicodedata import category, combining, normalize

from sekisho.model import Unreadable
from sekisho.read.collation import limit_key, unmarked
from sekisho.read.names import ACCOUNT_CHARS_MAX
from sekisho.read.parsed_names import (
    IN_ASCII,
    UUID_DIGITS,
    as_number,
    as_prepared,
    as_uuid,
    has_name_in_front,
    with_readable_domain,
)

if TYPE_CHECKING:
    from sekisho.model import Attempt

Resolver = Callable[[str], str | None]
"""Maps an account as the application reads it to the application's own id; to `""` or `None` if it knows none.

Called up to three times per attempt, in the event loop: it may read memory, but must not block.
"""

_ROUNDS_MAX: Final = 4  # two suffice for all of Unicode 14

_PIECE_CHARS: Final = 56
_MARKS_MAX: Final = 30  # in a row, as UAX 15 bounds them for streams: sorting a thousand takes a millisecond
# An iota subscript without a vowel, an Arabic vowel sign without a letter: some databases read a letter or a blank,
# others ignore it, so that one name would be two accounts. No real account name contains one.
_STANDS_ALONE: Final = re.compile("[\u0345\u037a\ufc5e-\ufc63\ufe70\ufe72\ufe74\ufe76\ufe78\ufe7a\ufe7c\ufe7e]")

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # categories Cc and Cs
# Invisible characters by category (Cf in Unicode 15.1) or property (Default_Ignorable_Code_Point, UAX 44): joiners,
# fillers, direction marks, variation selectors, tags. A fixed list, so that all Python versions fold alike.
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
    """Domains whose mail provider delivers several spellings to one mailbox. Lower case; default: none."""

    domains_ignoring_dots: frozenset[str] = frozenset()
    domains_with_plus: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.domains_ignoring_dots or self.domains_with_plus)

    def folded(self, account: str) -> str:
        """Fold `a.b+shop@x` to `ab@x` if the domain is listed; never to an empty local part."""
        local, at, domain = account.rpartition("@")
        if domain in self.domains_with_plus:
            local = local.partition("+")[0] or local
        if domain in self.domains_ignoring_dots:
            local = local.replace(".", "") or local
        return local + at + domain


_NO_POLICY: Final = MailPolicy()
_ID: Final = "id\0"  # no account in a request holds a NUL
_TUPLE: Final = "tuple\0"


def canonical(account: str, *, policy: MailPolicy = _NO_POLICY) -> str:
    """Fold to NFKC and case, drop invisible characters and blanks at the ends, and merge blanks inside.

    Homoglyphs stay distinct: no application treats a Cyrillic `а` as a Latin one.

    Raises:
        Unreadable: for control characters (`account_controls`), for surrogates (`not_unicode`), for marks without a
            base letter or over 30 in a row and for an address with a name in front (`account_ambiguous`), for a
            folded account over the limit (`account_too_long`), and for an account without any character left
            (`account_empty`): all of those would share one counter.
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
    if text.endswith(">") and has_name_in_front(text):
        raise Unreadable(400, "account_ambiguous")
    return policy.folded(text) if policy else text


def _folded(account: str) -> str:
    if _CONTROLS.search(account):
        _refuse(account)
    if len(account) > _PIECE_CHARS:
        _refuse_unfolding(account)
    if _STANDS_ALONE.search(account) and _STANDS_ALONE.search(normalize("NFC", account)):
        raise Unreadable(400, "account_ambiguous")
    # Folded text may compose, and composed text may fold again: repeat until nothing changes.
    for _ in range(_ROUNDS_MAX):
        before, account = account, _folded_once(account)
        if account == before:
            break
    return account


def _folded_once(account: str) -> str:
    text = normalize("NFKC", normalize("NFKC", account).casefold())
    return " ".join(text.translate(_UNSEEN).split())


def _refuse_unfolding(account: str) -> None:
    """Refuse an account that would be too long when folded, or slow to fold, before folding it."""
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


def id_name(known: str) -> str:
    """Return the canonical name of an account whose id the site's resolver has returned. No typed name can equal it."""
    return f"{_ID}{known}"


def _of_parts(parts: list[str]) -> str:
    """The canonical name of a tuple. Each part is preceded by its length: no two tuples have the same name."""
    return _TUPLE + "".join(f"{len(part)}:{part}" for part in parts)


def _parts_of(name: str) -> list[str]:
    """The parts of a name that `_of_parts` made."""
    parts, rest = [], name.removeprefix(_TUPLE)
    while rest:
        length, _, rest = rest.partition(":")
        parts.append(rest[: int(length)])
        rest = rest[int(length) :]
    return parts


class Accounts:
    """The canonical account under a site's policy and resolver.

    Args:
        policy: folds mail addresses.
        resolver: see `Resolver`.
        parts: of how many parts the site's accounts consist: 2 for `shop/hana`; see `Door.tenant`.
    """

    __slots__ = ("_parts", "_policy", "_resolver")

    def __init__(self, policy: MailPolicy = _NO_POLICY, resolver: Resolver | None = None, *, parts: int = 1) -> None:
        self._policy = policy
        self._resolver = resolver
        self._parts = parts

    @property
    def listed(self) -> Callable[[Attempt], str]:
        """A function that returns an attempt's account as lists of leaked pairs name it.

        The lists know nothing of the site's mail policy, resolver and tenants.
        """
        if self._resolver is None and not self._policy and self._parts == 1:
            return attrgetter("canonical")
        slashes = self._parts - 1
        return lambda attempt: canonical(attempt.account.split("/", slashes)[-1]) if attempt.account else ""

    def canonical(self, account: str) -> str:
        """Return the canonical account of any spelling: the resolver's id for it if there is one, else the folded name.

        Raises `Unreadable` as the function `canonical` does, and any error of the resolver.

        The resolver's ids have their own namespace. Otherwise an attacker could register another owner's e-mail
        address or id as a user name, and lock that owner out (CVE-2022-39229).
        """
        parts = self._folded(account) if self._parts > 1 else [canonical(account, policy=self._policy)]
        text = "/".join(parts)
        if self._resolver is None:
            return text if len(parts) == 1 else _of_parts(parts)
        # First as the application looks it up; then folded, for spellings that only the application treats as equal;
        # then without marks, for those that only its database does.
        known = self._resolver(account)
        if not known:
            known = self._resolver(text)
        if not known and not text.isascii() and (plain := unmarked(text)) != text:
            known = self._resolver(plain)
        if known:
            return id_name(known)
        return text if len(parts) == 1 else _of_parts(parts)

    def _folded(self, account: str) -> list[str]:
        """The account's parts, each folded on its own. Text that no door composes is one part."""
        *tenant, name = account.split("/", self._parts - 1)
        if len(tenant) + 1 < self._parts:
            return [canonical(account, policy=self._policy)]
        return [*map(canonical, tenant), canonical(name, policy=self._policy)]

    @staticmethod
    def limit_key(canonical: str) -> str:
        """The key for counting attempts at a canonical account; empty if it is the canonical account itself.

        See `sekisho.read.collation`. Ids are not folded: they are not spellings.

        Raises:
            Unreadable: if the key would be empty (`account_empty`): all such accounts would share one counter.
        """
        if canonical.startswith(_ID):
            return ""
        if canonical.startswith(_TUPLE):
            key = _of_parts([_limit_key(part) for part in _parts_of(canonical)])
        else:
            key = _limit_key(canonical)
        return "" if key == canonical else key


def _limit_key(canonical: str) -> str:
    # Only digits and signs sort before `@`: other names are not looked at.
    key = limit_key(_readable(canonical) if IN_ASCII in canonical else canonical)
    if not key.isascii():
        key = as_prepared(key)
    if not key and canonical:
        raise Unreadable(400, "account_empty")
    if key[:1] < "@":
        key = as_number(key)
    return as_uuid(key) if len(key) >= UUID_DIGITS else key


def _readable(canonical_address: str) -> str:
    """The canonical account with a readable domain; as it is if that would be no account."""
    address = with_readable_domain(canonical_address)
    try:
        return canonical(address)
    except Unreadable:
        return canonical_address
