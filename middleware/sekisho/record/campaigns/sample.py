"""Counts distinct keys, and compares two sets, from a sample of bounded size.

The k smallest hashes of a set, by Bar-Yossef and others: "Counting Distinct Elements in a Data Stream" (RANDOM 2002).
Up to k keys the number is exact; beyond, its standard error is about 1/√(k - 2).
"""

from __future__ import annotations

from heapq import heappush, heappushpop
from typing import Final

SAMPLE_MAX: Final = 256
"""The standard error of a number is 6%."""

_SPAN: Final = 1 << 64


def hash_of(digest: str) -> int:
    """The hash of a key, read from its first 16 hexadecimal digits. For a shorter key: a number above all hashes."""
    return int(digest[:16], 16) if len(digest) >= 16 else _SPAN


class Sample:
    """The smallest hashes of the keys that were added. Keys are keyed digests in hex: their first half is the hash."""

    def __init__(self, most: int = SAMPLE_MAX) -> None:
        self._most: Final = most
        self._heap: list[int] = []  # negative, so that the greatest hash is first
        self._kept: set[int] = set()

    def add(self, digest: str) -> None:
        """Add a key of at least 16 hexadecimal digits; others are left out."""
        value = hash_of(digest)
        if value in self._kept or value == _SPAN:
            return
        if len(self._heap) < self._most:
            heappush(self._heap, -value)
        elif value < -self._heap[0]:
            self._kept.discard(-heappushpop(self._heap, -value))
        else:
            return
        self._kept.add(value)

    @property
    def kept(self) -> frozenset[int]:
        """The hashes in the sample.

        Samples of two sets choose alike: a key of both sets that one sample holds is in the other as well, unless the
        other is full of smaller hashes.
        """
        return frozenset(self._kept)

    def __contains__(self, value: object) -> bool:
        """Whether a hash is in the sample."""
        return value in self._kept

    def __len__(self) -> int:
        """How many distinct keys were added, about."""
        if len(self._heap) < self._most:
            return len(self._heap)
        return round((self._most - 1) * _SPAN / (-self._heap[0] + 1))

    def likeness(self, other: Sample) -> float:
        """The share of their keys that two sets have in common (Jaccard), about: from 0 to 1."""
        smallest = sorted(self._kept | other._kept)[: self._most]
        both = self._kept & other._kept
        return sum(value in both for value in smallest) / len(smallest) if smallest else 0.0
