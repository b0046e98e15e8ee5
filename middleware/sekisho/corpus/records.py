"""Records: the entries of a corpus before it is a file. Each is one number, so that numpy can sort and merge them.

A record is a `uint64`: the top 60 bits of a digest's first eight bytes, big-endian (its *head*), and in the low four
bits its class less one. The order of the numbers is the order of the digests.

Equal heads are one password that was seen more than once, so their classes are added as counts: a record of class `k`
weighs `2**(k-1)`. The sum does not depend on the order, and `carry` preserves it exactly. So a build does not depend on
the order of its inputs or on the ends of blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from sekisho.model.breach import PREVALENCE_MAX, prevalence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Records: TypeAlias = npt.NDArray[np.uint64]
Counts: TypeAlias = npt.NDArray[np.int64]

PIECE: Final = 2**20
"""Records per step: so many that numpy's call overhead vanishes, so few that temporaries stay small."""

NONE: Final[Records] = np.zeros(0, np.uint64)

_CLASS: Final = np.uint64(15)
_CLASS_BITS: Final = np.uint64(4)
_HEAD: Final = np.uint64(2**64 - 16)
_COUNT_MAX: Final = 2 ** (PREVALENCE_MAX - 1)
_THRESHOLDS: Final = 2 ** np.arange(1, PREVALENCE_MAX, dtype=np.int64)


def classes(counts: Counts) -> Records:
    """Return `prevalence(count) - 1` of each count. Counts must be at least 1."""
    return np.searchsorted(_THRESHOLDS, counts, side="right").astype(np.uint64)


def make(heads: npt.NDArray[np.uint64], counts: Counts) -> Records:
    """Return records of these heads (64 bits of a digest) and counts. Counts must be at least 1."""
    return (heads & _HEAD) | classes(counts)


def of_digests(digests: Iterable[bytes], count: int = 1) -> Records:
    """Make records of digests of 8 bytes or more, each seen `count` times."""
    heads = np.frombuffer(b"".join(digest[:8] for digest in digests), ">u8").astype(np.uint64)
    return (heads & _HEAD) | np.uint64(prevalence(count) - 1)


def carry(records: Records) -> Records:
    """Return records with the same total weight for each head, in as few as possible: at most one per head and class.

    Like a carry in binary addition, so nothing is rounded: 3 ones become a two and a one. Any weight at the highest
    class stays one record. Input and output are sorted.
    """
    starts, sums = _sums(records)
    heads = records[starts] & _HEAD
    alone = np.diff(starts, append=len(records)) == 1
    if alone.all():
        return records
    parts = [records[starts[alone]]]
    heads, sums = heads[~alone], sums[~alone]
    parts.extend(heads[sums >> bit & 1 == 1] | np.uint64(bit) for bit in range(PREVALENCE_MAX))
    return np.sort(np.concatenate(parts))


def merge(records: Records) -> Records:
    """Return one record a head, with the class of the head's total weight. The input is sorted."""
    starts, sums = _sums(records)
    if len(starts) == len(records):
        return records
    return (records[starts] & _HEAD) | classes(sums)


def _sums(records: Records) -> tuple[npt.NDArray[np.intp], Counts]:
    """Return where each head begins, and the sum of its weights, limited to the weight of the highest class."""
    heads = records >> _CLASS_BITS
    starts = np.flatnonzero(np.concatenate(([True], heads[1:] != heads[:-1]))) if len(records) else np.zeros(0, np.intp)
    if not len(starts):
        return starts, np.zeros(0, np.int64)
    sums = np.add.reduceat(np.int64(1) << (records & _CLASS).astype(np.int64), starts)
    return starts, np.minimum(sums, _COUNT_MAX)


def whole(blocks: Iterable[Records], low_bits: int = 4) -> Iterator[Records]:
    """Yield the same sorted records in blocks of some 8 MiB; records that differ only in `low_bits` share a block.

    Records that may continue in the next block are held back and carried, so a million equal ones stay a few records.

    Raises:
        ValueError: the heads do not rise.
    """
    held = NONE
    low = np.uint64(low_bits)
    for piece in _pieces(blocks):
        records = np.concatenate((held, piece))
        heads = records >> _CLASS_BITS
        if (heads[1:] < heads[:-1]).any():
            raise ValueError("records are not in order")
        cut = np.searchsorted(records >> low, records[-1] >> low)
        held = carry(np.sort(records[cut:]))
        yield records[:cut]
    yield held


def _pieces(blocks: Iterable[Records]) -> Iterator[Records]:
    for block in blocks:
        for start in range(0, len(block), PIECE):
            yield block[start : start + PIECE]
