"""Chance that can be asked again: number i of a purpose is always the same, and nothing is stored.

Fifty million attempts stream through a constant amount of memory because account, password and address of each
are reckoned from its number, in any order, on any machine.
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
        """Eight words, each evenly spread over 0 to 2^64 - 1."""
        asked = self._keyed.copy()
        asked.update(number.to_bytes(8, "big"))
        return _WORDS.unpack(asked.digest())


class Walk:
    """A visit to every number below `size`, once, in an order the seed decides, without a list of them.

    A bijective mix of the next power of two (odd multiplications and xor-shifts), asked again where it leads outside:
    at most twice on average. No plain arithmetic progression, which would keep step with whatever else is periodic and
    give three addresses of three hundred all the right passwords. After `size` steps it comes round again.
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
    """Which one of its kind step `step` is, if `share_ppm` of a million steps are of that kind; else `None`.

    Exact for every prefix: among the first n steps, `⌊n * share⌋` are of the kind.
    """
    before = step * share_ppm // 1_000_000
    return before if (step + 1) * share_ppm // 1_000_000 > before else None
