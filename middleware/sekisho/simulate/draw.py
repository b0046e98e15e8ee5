"""Reproducible randomness: the words of a purpose and a number are always the same, and nothing is stored.

Account, password and address of each attempt are computed from its number, in any order, on any machine. So fifty
million attempts stream through constant memory.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import pairwise
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
        """Eight words, each uniform over 0 to 2^64 - 1."""
        asked = self._keyed.copy()
        asked.update(number.to_bytes(8, "big"))
        return _WORDS.unpack(asked.digest())


class Walk:
    """A permutation of the numbers below `size`, in an order given by the seed, without a list of them.

    A bijective mix of the next power of two (odd multiplications and xor-shifts), repeated while the result is outside:
    at most twice on average. An arithmetic progression would correlate with other periods, and give three addresses of
    three hundred all the right passwords. After `size` steps it repeats.
    """

    __slots__ = ("_factors", "_mask", "_shift", "_size")

    def __init__(self, draw: Draw, size: int) -> None:
        bits = max(2, (size - 1).bit_length())
        self._size = size
        self._mask = (1 << bits) - 1
        self._shift = bits // 2
        self._factors = tuple((word | 1, other) for word, other in pairwise(draw.words(size)[:4]))

    def __call__(self, step: int) -> int:
        place = step % self._size
        while (place := self._mixed(place)) >= self._size:
            pass
        return place

    def _mixed(self, place: int) -> int:
        for factor, offset in self._factors:
            place = (place * factor + offset) & self._mask
            place ^= place >> self._shift
        return place


def nth(share_ppm: int, step: int) -> int | None:
    """Return how many steps before `step` are of a kind, if `step` is of that kind too; else `None`.

    `share_ppm`: how many of a million steps are of the kind.

    Exact for every prefix: among the first n steps, `⌊n * share⌋` are of the kind.
    """
    before = step * share_ppm // 1_000_000
    return before if (step + 1) * share_ppm // 1_000_000 > before else None
