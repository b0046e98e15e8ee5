"""The owners: what they are called, what they chose for a password, where they live, what they browse with."""

from __future__ import annotations

from base64 import b32encode
from functools import lru_cache
from ipaddress import IPv4Address

from sekisho.simulate.browsers import BROWSERS
from sekisho.simulate.draw import WORD, Draw, Walk
from sekisho.simulate.words import first_names, last_names, leaked_passwords

# 240.0.0.0/4 is reserved and routed nowhere (RFC 1112): a log of a simulation accuses nobody.
_HOMES = int(IPv4Address("240.0.0.0"))
_HOMES_SIZE = 1 << 27

_NUMBERS = 100_000_000


class Population:
    """`owners` accounts, numbered from 0. Numbers from `owners` on name accounts that do not exist.

    The first `reusing` owners use a password that leaked elsewhere, drawn by Zipf's law as people do (Wang et al.,
    2017); it is on attackers' lists beside their name. Every fifth of them chose one that nobody else did and that was
    stolen a moment ago: no list of leaked passwords has it. The others have one of their own. Names are drawn from the
    number, so that nothing about an account shows which kind it is.

    Raises `ValueError` unless there are between 1 and 50 million owners.
    """

    __slots__ = ("_home", "_number", "_words", "owners", "reusing")

    def __init__(self, owners: int, seed: int = 0, *, reusing_share: float = 0.1) -> None:
        if not 1 <= owners <= _NUMBERS // 2:
            raise ValueError("owners must be between 1 and 50 million")
        self.owners = owners
        self.reusing = round(owners * reusing_share)
        # Name, password and browser of one owner are asked for one after the other, and are parts of one draw.
        self._words = lru_cache(1)(Draw(seed, "owner").words)
        self._number = Walk(Draw(seed, "owner number"), _NUMBERS)
        self._home = Walk(Draw(seed, "owner home"), _HOMES_SIZE)

    def account(self, index: int) -> str:
        """A user name; different for each of the first 100 million indices."""
        first, last, *_ = self._words(index)
        firsts, lasts = first_names(), last_names()
        return f"{firsts[first % len(firsts)]}.{lasts[last % len(lasts)]}{self._number(index)}"

    def password(self, owner: int) -> str:
        """What the owner chose."""
        *_, rank, own = self._words(owner)
        if self.is_listed(owner):
            return zipf_password(rank)
        return b32encode(own.to_bytes(8, "big")).decode().rstrip("=").lower()

    def is_listed(self, owner: int) -> bool:
        """Whether the owner's password is one that lists of leaked passwords have."""
        return owner < self.reusing and owner % 5 != 0

    def mistyped(self, owner: int) -> str:
        """What the owner's fingers make of it: a letter doubled at the end."""
        password = self.password(owner)
        return password + password[-1]

    def home(self, owner: int) -> str:
        """The owner's own stable address; no two owners share one."""
        return str(IPv4Address(_HOMES + self._home(owner)))

    def browser(self, owner: int) -> str:
        """The `User-Agent` that the owner sends."""
        return BROWSERS[self._words(owner)[2] % len(BROWSERS)]

    def share(self, owner: int) -> float:
        """A number from 0 to 1 that stays the owner's: those below `x` are the fraction `x` of all owners."""
        return self._words(owner)[3] / WORD


def zipf_password(word: int) -> str:
    """A leaked password, the one of rank r about 1/r times as likely as the first."""
    passwords = leaked_passwords()
    return passwords[int(len(passwords) ** (word / WORD)) - 1]
