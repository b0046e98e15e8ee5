"""A leak of any size that need not be stored: every line follows from a seed.

Checking a hundred million keys against a list of them would need the list. Here any process can make partition `p` of
the keys again, sorted and within milliseconds, and keys that are certain to be absent.

A key is its *head*, the first 64 bits of a digest. The other 96 bits and the count are mixed from the head, so a list
of heads in any order is a whole leak in that order. The mixer is SplitMix64 (Steele, Lea, Flood 2014) run on a counter
and not numpy's generators, whose streams may change from version to version.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Heads = NDArray[np.uint64]

DIGEST_BYTES = 20
PREVALENCE_MAX = 16
_PARTITION_KEYS = 2**17
# P(count >= c) = c ** -1.2: a mean of 5.6, half of all passwords seen once, a few seen millions of times. A tail of
# that weight is what makes counts of one to eight digits, and so lines of unequal length, as real lists have them.
_TAIL = 1.2
_COUNT_MAX = 10**8 - 1
_PRESENT, _ABSENT, _TAIL_1, _TAIL_2, _COUNT = (
    np.uint64(word)
    for word in (
        0x243F6A8885A308D3,
        0x13198A2E03707344,
        0xA4093822299F31D0,
        0x082EFA98EC4E6C89,
        0x452821E638D01377,
    )
)  # of pi: nothing up a sleeve
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Synthetic:
    """`entries` different keys in equal partitions by their top bits.

    Attributes:
        entries: how many keys; none of them has the head of another.
        seed: another seed, another leak.
    """

    entries: int
    seed: int = 7

    @property
    def partition_bits(self) -> int:
        """At least one: a shift by all 64 bits is undefined."""
        return max(1, (self.entries // _PARTITION_KEYS).bit_length())

    @property
    def partitions(self) -> int:
        return 1 << self.partition_bits

    def size(self, partition: int) -> int:
        """How many keys a partition holds."""
        each, left = divmod(self.entries, self.partitions)
        return each + (partition < left)

    def present(self, partition: int) -> Heads:
        """The heads of a partition, rising strictly."""
        low = self._draw(_PRESENT, partition, self.size(partition)) >> np.uint64(self.partition_bits)
        low.sort()
        return strictly_rising(low) | np.uint64(partition << (64 - self.partition_bits))

    def absent(self, partition: int, count: int) -> Heads:
        """Some `count` heads of a partition that are none of its keys, in no order; fewer where a draw hit a key."""
        low = self._draw(_ABSENT, partition, count) >> np.uint64(self.partition_bits)
        drawn = low | np.uint64(partition << (64 - self.partition_bits))
        return drawn[~np.isin(drawn, self.present(partition))]

    def ordered(self) -> Iterator[Heads]:
        """All keys, sorted, a partition at a time."""
        return (self.present(partition) for partition in range(self.partitions))

    def shuffled(self) -> Iterator[Heads]:
        """All keys in one random order, some at a time. Holds all heads: 8 bytes a key."""
        heads = np.concatenate(list(self.ordered()))
        np.random.default_rng(self.seed).shuffle(heads)
        return (heads[at : at + _PARTITION_KEYS] for at in range(0, self.entries, _PARTITION_KEYS))

    def sample(self, partition: int, count: int) -> Heads:
        """Up to `count` present heads, spread over a partition."""
        heads = self.present(partition)
        return heads[:: max(1, len(heads) // count)][:count]

    def _draw(self, stream: np.uint64, partition: int, count: int) -> Heads:
        start = mixed(np.array([self.seed], np.uint64) ^ stream)
        start = mixed(start ^ np.uint64(partition))
        return mixed(start + np.arange(count, dtype=np.uint64) * _GOLDEN)


def mixed(words: Heads) -> Heads:
    """SplitMix64's finaliser: different words stay different and look like chance."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def strictly_rising(ordered: Heads) -> Heads:
    """Move each repeated head of a sorted list to the next free number, in place."""
    while (same := np.flatnonzero(ordered[1:] == ordered[:-1])).size:
        ordered[same + 1] += np.uint64(1)
    return ordered


def digests(heads: Heads) -> NDArray[np.uint8]:
    """Rows of 20 bytes, as SHA-1 gives them."""
    rows = np.empty((len(heads), DIGEST_BYTES), np.uint8)
    rows[:, 0:8] = _big_endian(heads)
    rows[:, 8:16] = _big_endian(mixed(heads ^ _TAIL_1))
    rows[:, 16:20] = _big_endian(mixed(heads ^ _TAIL_2))[:, :4]
    return rows


def as_bytes(heads: Heads) -> list[bytes]:
    """The digests as Python gets them from hashlib."""
    rows: list[bytes] = digests(heads).view(f"V{DIGEST_BYTES}").ravel().tolist()
    return rows


def counts(heads: Heads) -> NDArray[np.int64]:
    """How often each password was seen."""
    chance = (mixed(heads ^ _COUNT) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return np.minimum((1.0 - chance) ** (-1 / _TAIL), _COUNT_MAX).astype(np.int64)


def classes(heads: Heads) -> NDArray[np.int64]:
    """The prevalence class of each count: its length in bits, 16 at most."""
    lengths = np.frexp(counts(heads).astype(np.float64))[1]
    return np.minimum(lengths, PREVALENCE_MAX).astype(np.int64)


def text(heads: Heads) -> bytes:
    """Lines of 40 hex digits in upper case, a colon and the count, as Have I Been Pwned publishes them."""
    seen = counts(heads)
    digits = [np.ones(len(heads), bool)]  # from the right; the last digit always stands
    while (more := seen >= 10 ** len(digits)).any():
        digits.append(more)
    lines = np.full((len(heads), 42 + len(digits)), ord("\n"), np.uint8)
    lines[:, :40] = np.frombuffer(binascii.hexlify(digests(heads).data).upper(), np.uint8).reshape(-1, 40)
    lines[:, 40] = ord(":")
    keep = np.ones(lines.shape, bool)
    for place, stands in enumerate(digits):
        column = 40 + len(digits) - place
        lines[:, column] = seen // 10**place % 10 + ord("0")
        keep[:, column] = stands
    return lines[keep].tobytes()


def _big_endian(words: Heads) -> NDArray[np.uint8]:
    return words.astype(">u8").view(np.uint8).reshape(-1, 8)
