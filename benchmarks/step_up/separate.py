"""Whether two series of times can be told apart, by an attacker who has as many of them as we do.

Two tests, of half the level each: Mann-Whitney (is one slower?) and Kolmogorov-Smirnov (is one of another shape?).
Both go by ranks: one long pause of the machine is one value, not the mean.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from math import erfc, exp, sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

ALPHA = 0.001


class Separation(NamedTuple):
    """The chance of such a difference between series of one kind, for each test."""

    p_slower: float
    p_shape: float

    @property
    def separated(self) -> bool:
        return 2 * min(self) <= ALPHA


def separation(one: Sequence[float], other: Sequence[float]) -> Separation:
    """Series of a hundred values or more: both tests go by their limits."""
    return Separation(mann_whitney(one, other), kolmogorov_smirnov(one, other))


def auc(one: Sequence[float], other: Sequence[float]) -> float:
    """How often a value of `one` is the larger of a pair, ties by half: 0.5 where nothing can be told."""
    below = sorted(other)
    wins = sum(bisect_left(below, value) + bisect_right(below, value) for value in one)
    return wins / (2 * len(one) * len(other))


def shares(one: int, of_one: int, other: int, of_other: int) -> float:
    """The chance of such a difference between two shares of one kind: two-sided, by the normal limit."""
    whole = (one + other) / (of_one + of_other)
    variance = whole * (1 - whole) * (1 / of_one + 1 / of_other)
    return erfc(abs(one / of_one - other / of_other) / sqrt(2 * variance)) if variance else 1.0


def mann_whitney(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sided, by the normal limit, corrected for ties."""
    m, n = len(one), len(other)
    counts, own = Counter(one) + Counter(other), Counter(one)
    below, rank_sum, ties = 0, 0.0, 0
    for value in sorted(counts):
        count = counts[value]
        rank_sum += own[value] * (below + (count + 1) / 2)
        ties += count**3 - count
        below += count
    variance = m * n / 12 * (m + n + 1 - ties / ((m + n) * (m + n - 1)))
    distance = abs(rank_sum - m * (m + n + 1) / 2)
    return erfc(distance / sqrt(2 * variance)) if variance else 1.0


def kolmogorov_smirnov(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sided, by Kolmogorov's limit; with ties it errs on the side of *not separated*."""
    a, b = sorted(one), sorted(other)
    gap = max(abs(bisect_right(a, v) / len(a) - bisect_right(b, v) / len(b)) for v in {*a, *b})
    scaled = gap * sqrt(len(a) * len(b) / (len(a) + len(b)))
    if scaled < 0.3:  # the series converges slowly there, to one
        return 1.0
    terms = ((1.0 if k % 2 else -1.0) * exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * sum(terms)))
