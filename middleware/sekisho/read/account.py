"""The one name that all spellings of an account are counted under.

Canonical counts, exact grants: folding too much merges two counters and nothing else, while folding too little gives
every spelling that the application forgives guesses of its own. So this folds more than applications do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, NoReturn
from unicodedata import category, normalize

from sekisho.model import Unreadable

if TYPE_CHECKING:
    from sekisho.model import Attempt

Resolver = Callable[[str], str]
"""From an account as the application reads it to the application's own id of it, or to `""` where it knows none.

Called once per attempt, in the event loop: it looks into memory, or not at all.
"""

_ROUNDS_MAX = 4  # two suffice for all of Unicode 14
# Default_Ignorable_Code_Point (UAX 44) beyond category Cf: joiners, fillers, variation selectors, reserved tags.
_IGNORABLE = frozenset(
    map(
        chr,
        (
            0x034F,
            *range(0x115F, 0x1161),
            *range(0x17B4, 0x17B6),
            *range(0x180B, 0x1810),
            0x2065,
            0x3164,
            *range(0xFE00, 0xFE10),
            0xFFA0,
            *range(0xFFF0, 0xFFF9),
            *range(0xE0000, 0xE1000),
        ),
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


def canonical(account: str, *, policy: MailPolicy = _NO_POLICY) -> str:
    """NFKC, case folded, without what cannot be seen; blanks at the ends dropped, those inside made one.

    Homoglyphs stay apart: no application takes a Cyrillic `а` for a Latin one.

    Raises:
        Unreadable: for control characters (`account_controls`), for surrogates (`not_unicode`), and for an account
            that is empty, or nothing but what is dropped (`account_empty`): all of those would share one counter.
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
    if any(category(char) in {"Cc", "Cs"} for char in account):
        _refuse(account)
    # Folding can bring forth what composes, and composing what folds: until nothing changes.
    for _ in range(_ROUNDS_MAX):
        before, account = account, _folded_once(account)
        if account == before:
            break
    return account


def _folded_once(account: str) -> str:
    text = normalize("NFKC", normalize("NFKC", account).casefold())
    seen = "".join(char for char in text if char not in _IGNORABLE and category(char) != "Cf")
    return " ".join(seen.split())


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
        """What this account is counted under. Raises `Unreadable` as `canonical` does, and what the resolver raises.

        Ids that the resolver gives stand in a space of their own, or whoever registers a user name that is somebody
        else's e-mail address or id could lock them out (CVE-2022-39229).
        """
        text = canonical(account, policy=self._policy)
        if self._resolver is None:
            return text
        # First as the application would look it up; then folded, for the spellings that only the application forgives.
        known = self._resolver(account) or self._resolver(text)
        return f"id\0{known}" if known else text
