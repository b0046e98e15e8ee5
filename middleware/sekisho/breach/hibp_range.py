"""One range of leaked passwords in 8 bytes a row, and a check of its completeness.

As text a range has some 80 KB, as a dict some 300 KB; packed and sorted it has 16 KB. So a worker can cache a thousand
ranges.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX_DIGITS = 5
DIGEST_BYTES = 20  # of SHA-1

# 40 of a suffix's 140 bits are kept: another password is taken for a leaked one once in 5 * 10**8 questions.
_HEAD_BITS = 40
_HEAD_DIGITS = _HEAD_BITS // 4
_COUNT_BITS = 64 - _HEAD_BITS
_COUNT_MAX = (1 << _COUNT_BITS) - 1  # 16.7 million; more common passwords have the highest class anyway
_OVERHEAD_BYTES = 512  # of the objects around the rows, and of their place in a table

# A gap counts as a hole if its chance is below one in 10**12 genuine ranges; there are 10**6 ranges.
_HOLE_CHANCE = math.log(1e-12)


def split(digest: bytes) -> tuple[str, int]:
    """Return the first five hex digits of a SHA-1, which may be sent, and the number to look for in the answer.

    Raises `ValueError`: the digest does not have 20 bytes.
    """
    if len(digest) != DIGEST_BYTES:
        raise ValueError(f"a SHA-1 digest has {DIGEST_BYTES} bytes")
    text = digest.hex().upper()
    return text[:PREFIX_DIGITS], int(text[PREFIX_DIGITS : PREFIX_DIGITS + _HEAD_DIGITS], 16)


class PackedRange:
    """The rows of a range without its padding. Its `repr` shows no content.

    Args:
        counts: how often each suffix (35 hex digits) was seen; 0 means padding.
    """

    __slots__ = ("_rows",)

    def __init__(self, counts: Mapping[str, int]) -> None:
        packed = [
            int(suffix[:_HEAD_DIGITS], 16) << _COUNT_BITS | min(count, _COUNT_MAX)
            for suffix, count in counts.items()
            if count > 0
        ]
        self._rows = array("Q", sorted(packed))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def size_bytes(self) -> int:
        return len(self._rows) * self._rows.itemsize + _OVERHEAD_BYTES

    def count(self, head: int) -> int:
        """Return how often a password was seen, 16,777,215 at most; 0 if it is absent. `head`: see `split`."""
        place = bisect_left(self._rows, (head + 1) << _COUNT_BITS) - 1
        if place < 0 or self._rows[place] >> _COUNT_BITS != head:
            return 0
        return self._rows[place] & _COUNT_MAX

    def has_hole(self) -> bool:
        """Whether rows must be missing.

        SHA-1 distributes passwords evenly. So among the gaps between `n` sorted rows, one wider than the part `w` of
        the whole has a chance below `(n + 1) * (1 - w)**n`. If a cache or a proxy truncates an answer and corrects its
        length, the hole still shows: at 2,000 rows, a hole of 1.8%.
        """
        heads = (row >> _COUNT_BITS for row in self._rows)
        last = (1 << _HEAD_BITS) - 1
        widest = max(above - below for below, above in pairwise((0, *heads, last)))
        rows = len(self._rows)
        return math.log(rows + 1) + rows * math.log1p(-widest / (last + 1)) < _HOLE_CHANCE
