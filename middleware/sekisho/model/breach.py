"""What leaks tell of a password, and of an account and a password together."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

PREVALENCE_MAX = 16


class Pair(IntEnum):
    """What stands in combination lists: nothing, this password a little changed, or exactly this one."""

    ABSENT = 0
    VARIANT = 1
    EXACT = 2


class Exposure(NamedTuple):
    """What is known of one attempt's password. `None` is *could not tell*: never the same as clean.

    Attributes:
        password: its prevalence class: 0 in no list; `k` from 1 to 16, seen between `2**(k-1)` and `2**k - 1` times
            in leaks, 16 meaning that often or more.
        pair: see `Pair`.
    """

    password: int | None = None
    pair: Pair | None = None

    def is_breached(self, prevalence_min: int) -> bool:
        """Whether the password is known to have leaked often enough, or under this very account."""
        return (self.password or 0) >= prevalence_min or self.pair is Pair.EXACT

    def worst(self, other: Exposure) -> Exposure:
        """The worse of two sources. That one could not tell does not take back what the other knows."""
        if other is UNKNOWN:
            return self
        return Exposure(
            other.password if _is_worse(other.password, self.password) else self.password,
            other.pair if _is_worse(other.pair, self.pair) else self.pair,
        )


def _is_worse(one: int | None, than: int | None) -> bool:
    return one is not None and (than is None or one > than)


UNKNOWN = Exposure()
"""Nobody was asked, or nobody could answer."""


def prevalence(count: int) -> int:
    """The class of a password that was seen `count` times."""
    return min(count.bit_length(), PREVALENCE_MAX)
