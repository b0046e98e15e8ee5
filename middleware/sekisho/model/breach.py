"""The exposure of a password, and of an account and password pair, in leaks."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

PREVALENCE_MAX = 16


class Pair(IntEnum):
    """Whether combination lists hold the pair: not at all, with a variant of the password, or exactly."""

    ABSENT = 0
    VARIANT = 1
    EXACT = 2


class Exposure(NamedTuple):
    """The exposure of one attempt's password. `None` means *could not tell*, never clean.

    Attributes:
        password: its prevalence class: 0 if it is in no list; `k` from 1 to 16 if it was seen between `2**(k-1)` and
            `2**k - 1` times in leaks; class 16 has no upper bound.
        pair: see `Pair`.
    """

    password: int | None = None
    pair: Pair | None = None

    def is_breached(self, prevalence_min: int) -> bool:
        """Whether the password has leaked at least as often as `prevalence_min` (a class), or with this account."""
        return (self.password or 0) >= prevalence_min or self.pair is Pair.EXACT

    def worst(self, other: Exposure) -> Exposure:
        """The worse of two sources, for each attribute. *Could not tell* never overrides an answer."""
        if other is UNKNOWN:
            return self
        return Exposure(
            other.password if _is_worse(other.password, self.password) else self.password,
            other.pair if _is_worse(other.pair, self.pair) else self.pair,
        )


def _is_worse(one: int | None, than: int | None) -> bool:
    return one is not None and (than is None or one > than)


UNKNOWN = Exposure()
"""No source was asked, or none could answer."""


def prevalence(count: int) -> int:
    """The prevalence class of a password that was seen `count` times."""
    return min(count.bit_length(), PREVALENCE_MAX)
