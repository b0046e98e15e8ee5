"""Accounts that an operator has put under proof: of each campaign its own, until a time. Pure.

An account is named by eight bytes of the digest that events have of it: a reader of the store who lacks the secret
finds no account in them, and two accounts that are taken for each other (one in 10^16) cost an owner a question.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NAME_BYTES: Final = 8
GROUPS_MAX: Final = 128
ACCOUNTS_MAX: Final = 2_000
"""In all groups: 22 kB of the record, which each worker reads once a second."""

_NAME: Final = re.compile(r"[a-z0-9-]{1,32}")


class AskedGroup(NamedTuple):
    """Attributes:
    name: of the campaign.
    until_s: Unix time at which the accounts are no longer asked.
    accounts: 8 bytes each.
    """

    name: str
    until_s: int
    accounts: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"AskedGroup(name={self.name!r}, ...)"


def account_name(event_digest: str) -> bytes:
    """The 8 bytes that name an account in a group, made from its digest in events (32 hexadecimal digits)."""
    return bytes.fromhex(event_digest)[:NAME_BYTES]


def without_account(account: bytes, groups: Iterable[AskedGroup]) -> tuple[AskedGroup, ...]:
    """Return the groups without an account. A group that has no other account is left out."""
    left = (each._replace(accounts=tuple(one for one in each.accounts if one != account)) for each in groups)
    return tuple(each for each in left if each.accounts)


def with_group(group: AskedGroup, groups: Iterable[AskedGroup], now_s: float) -> tuple[AskedGroup, ...]:
    """Return the groups with `group` added to them.

    Accounts that a group of the same name had before stay; groups that have ended are left out. `now_s`: Unix time.
    """
    known = [each for each in groups if now_s < each.until_s]
    before = next((each.accounts for each in known if each.name == group.name), ())
    merged = group._replace(accounts=tuple(dict.fromkeys((*before, *group.accounts))))
    return (*(each for each in known if each.name != group.name), merged)


def with_told(group: AskedGroup, groups: Iterable[AskedGroup], now_s: float) -> tuple[AskedGroup, ...]:
    """Return what `with_group` returns, for groups of accounts whose owners were told.

    Where there is no room, the oldest groups are left out.
    """
    kept = with_group(group, groups, now_s)
    while len(kept) > GROUPS_MAX or sum(len(each.accounts) for each in kept) > ACCOUNTS_MAX:
        kept = kept[1:]
    return kept


def accounts_in(name: str, groups: Iterable[AskedGroup], now_s: float) -> frozenset[bytes]:
    """The accounts of the group of this name; none where it is missing or has ended."""
    return frozenset(one for each in groups if each.name == name and now_s < each.until_s for one in each.accounts)


def groups_json(groups: Iterable[AskedGroup]) -> list[list[Any]]:
    """The groups as JSON values, in the form that the control record has."""
    return [[each.name, each.until_s, b64encode(b"".join(each.accounts)).decode()] for each in groups]


def groups_of(found: object) -> tuple[AskedGroup, ...] | None:
    """Read groups of accounts, as `groups_json` writes them, from a parsed JSON value; also those that have ended.

    None if the value is no list, if one group is malformed or empty, or if it holds too many groups or accounts.
    """
    groups = [_group(each) for each in found] if isinstance(found, list) and len(found) <= GROUPS_MAX else [None]
    known = tuple(each for each in groups if each is not None)
    fits = len(known) == len(groups) and sum(len(each.accounts) for each in known) <= ACCOUNTS_MAX
    return known if fits else None


def _group(found: object) -> AskedGroup | None:
    match found:
        case [str(name), int(until_s), str(packed)] if not isinstance(until_s, bool) and _NAME.fullmatch(name):
            names = _unpacked(packed)
            return AskedGroup(name, until_s, names) if names else None
    return None


def _unpacked(packed: str) -> tuple[bytes, ...]:
    try:
        joined = b64decode(packed, validate=True)
    except ValueError:
        return ()
    if len(joined) % NAME_BYTES:
        return ()
    return tuple(joined[at : at + NAME_BYTES] for at in range(0, len(joined), NAME_BYTES))


class AskedAccounts:
    """Tells whether an account is asked for a proof, regardless of devices that were merely seen.

    Args:
        names: of the accounts.
        name_of: maps an account's canonical spelling to its name.
    """

    def __init__(self, names: frozenset[bytes], name_of: Callable[[str], bytes]) -> None:
        self._names = names
        self._name_of = name_of

    def has(self, canonical: str) -> bool:
        return bool(canonical) and self._name_of(canonical) in self._names
