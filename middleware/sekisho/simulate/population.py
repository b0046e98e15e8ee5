"""The account owners: their user names, passwords, addresses and browsers."""

from __future__ import annotations

from base64 import b32encode
from functools import lru_cache
from ipaddress import IPv4Address

from sekisho.simulate.browsers import BROWSERS
from sekisho.simulate.draw import WORD, Draw, Walk
from sekisho.simulate.words import first_names, last_names, leaked_passwords

# 240.0.0.0/4 is reserved and not routed (RFC 1112): a simulation's log contains no real address.
_HOMES = int(IPv4Address("240.0.0.0"))
_HOMES_SIZE = 1 << 27

_NUMBERS = 100_000_000


class Population:
    """`owners` accounts, numbered from 0. Numbers from `owners` on are accounts that do not exist.

    The first `reusing` owners use a password that leaked elsewhere, drawn by Zipf's law (Wang et al., 2017);
    attackers' lists have it with their name. Every fifth of them has a unique password that was stolen only recently:
    no list of leaked passwords has it. The other owners have unique passwords. User names do not show the kind of an
    account.

    Raises `ValueError` unless there are between 1 and 50 million owners.
    """

    __slots__ = ("_home", "_number", "_words", "owners", "reusing")

    def __init__(self, owners: int, seed: int = 0, *, reusing_share: float = 0.1) -> None:
        if not 1 <= owners <= _NUMBERS // 2:
            raise ValueError("owners must be between 1 and 50 million")
        self.owners = owners
        self.reusing = round(owners * reusing_share)
        # Name, password and browser of one owner are read in sequence and come from one draw: cache the last.
        self._words = lru_cache(1)(Draw(seed, "owner").words)
        self._number = Walk(Draw(seed, "owner number"), _NUMBERS)
        self._home = Walk(Draw(seed, "owner home"), _HOMES_SIZE)

    def account(self, index: int) -> str:
        """A user name; different for each of the first 100 million indices."""
        first, last, *_ = self._words(index)
        firsts, lasts = first_names(), last_names()
        return f"{firsts[first % len(firsts)]}.{lasts[last % len(lasts)]}{self._number(index)}"

    def password(self, owner: int) -> str:
        """The owner's password."""
        *_, rank, own = self._words(owner)
        if self.is_listed(owner):
            return zipf_password(rank)
        return b32encode(own.to_bytes(8, "big")).decode().rstrip("=").lower()

    def is_listed(self, owner: int) -> bool:
        """Whether lists of leaked passwords contain the owner's password."""
        return owner < self.reusing and owner % 5 != 0

    def mistyped(self, owner: int) -> str:
        """The owner's typo: the password with its last letter doubled."""
        password = self.password(owner)
        return password + password[-1]

    def home(self, owner: int) -> str:
        """The owner's own stable address; no two owners share one."""
        return str(IPv4Address(_HOMES + self._home(owner)))

    def browser(self, owner: int) -> str:
        """The `User-Agent` that the owner sends."""
        return BROWSERS[self._words(owner)[2] % len(BROWSERS)]

    def share(self, owner: int) -> float:
        """A fixed uniform number from 0 to 1: the fraction `x` of all owners has one below `x`."""
        return self._words(owner)[3] / WORD


def zipf_password(word: int) -> str:
    """A leaked password, the one of rank r about 1/r times as likely as the first."""
    passwords = leaked_passwords()
    return passwords[int(len(passwords) ** (word / WORD)) - 1]
