"""Chance that can be asked again: number i of a purpose is always the same, and nothing is stored.

Fifty million attempts stream through a constant amount of memory because account, password and address of each
are reckoned from its number, in any order, on any machine.
"""

from __future__ import annotations

from hashlib import blake2b
from math import gcd
from struct import Struct

_WORDS = Struct("<8Q")
WORD = 1 << 64


class Draw:
    """Eight independent 64-bit words for every number, by keyed BLAKE2b (RFC 7693): one hash for all eight."""

    __slots__ = ("_keyed",)

    def __init__(self, seed: int, purpose: str) -> None:
        key = seed.to_bytes(16, "big", signed=True)
        self._keyed = blake2b(key=key, person=purpose.encode().ljust(16, b"\0"), digest_size=64)

    def words(self, number: int) -> tuple[int, ...]:
        """Eight words, each evenly spread over 0 to 2^64 - 1."""
        asked = self._keyed.copy()
        asked.update(number.to_bytes(8, "big"))
        return _WORDS.unpack(asked.digest())


class Walk:
    """A visit to every number below `size`, once, in an order the seed decides, without a list of them.

    Step i stands at `start + i * stride (mod size)`, with a stride that has no factor in common with `size`; after
    `size` steps it comes round again.
    """

    __slots__ = ("_size", "_start", "_stride")

    def __init__(self, draw: Draw, size: int) -> None:
        start, stride, *_ = draw.words(size)
        self._size = size
        self._start = start % size
        self._stride = _coprime(stride % size, size)

    def __call__(self, step: int) -> int:
        return (self._start + step * self._stride) % self._size


def _coprime(candidate: int, size: int) -> int:
    # Far from both ends, or neighbours would be visited one after the other.
    stride = max(1, size // 4 + candidate // 2)
    while gcd(stride, size) != 1:
        stride += 1
    return stride


def nth(share_ppm: int, step: int) -> int | None:
    """Which one of its kind step `step` is, if `share_ppm` of a million steps are of that kind; else `None`.

    Exact for every prefix: among the first n steps, `⌊n * share⌋` are of the kind.
    """
    before = step * share_ppm // 1_000_000
    return before if (step + 1) * share_ppm // 1_000_000 > before else None
