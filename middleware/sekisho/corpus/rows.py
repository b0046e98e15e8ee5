"""Rows of `hash:count`, a million bytes at once: what stands between a billion hashes and an afternoon.

Eight characters are worked on as one 64-bit number, in columns over all rows of a block. Python sees a row only when
one is damaged, to say which and how. Some 12 million rows a second on one core; a loop over them reaches one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.corpus.records import Counts

COUNT_DIGITS_MAX: Final = 10  # more often than there are people with ten accounts each, nobody was counted

Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.intp]

_U = np.uint64
_LF, _CR, _COLON = 10, 13, 58
_WORD = 8  # characters


def _each(byte: int) -> np.uint64:
    """A word of eight times this byte."""
    return _U(int.from_bytes(bytes([byte]) * _WORD, "little"))


class Rows(NamedTuple):
    """What the rows of a block hold: the first and second eight hex digits, as numbers, and the counts."""

    first: Words
    second: Words
    counts: Counts


class Damage(Exception):  # noqa: N818 - a finding, which the caller gives a name and a line
    """A row that is none.

    Attributes:
        row: its place in the block, from 0.
        problem: what is wrong with it, in words that hold nothing of it.
    """

    def __init__(self, row: int, problem: str) -> None:
        self.row = row
        self.problem = problem
        super().__init__(f"row {row}: {problem}")


def parse(data: bytes, digits: int) -> Rows:
    """Read a block of rows, each `digits` (16 or more) hex digits, a colon, a count, and LF or CRLF.

    Raises:
        Damage: the first row that is anything else.
    """
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw == _LF)
    starts = np.concatenate(([0], ends[:-1] + 1))
    ends -= raw[ends - 1] == _CR
    lengths = ends - starts - digits - 1  # of the counts
    if lengths.min() < 1 or lengths.max() > COUNT_DIGITS_MAX or (raw[starts + digits] != _COLON).any():
        raise _damage(data, digits)
    words = np.ndarray((len(data) - _WORD + 1,), np.uint64, data, strides=(1,))
    bad = np.zeros(len(starts), np.uint64)
    heads = [_hex(words[starts + at], bad) for at in _cover(digits)]
    counts = _counts(words[ends - _WORD], lengths, bad)
    if bad.any():
        raise _damage(data, digits)
    for row in np.flatnonzero(lengths > _WORD):
        counts[row] = _long(data, digits, int(starts[row] + digits + 1), int(ends[row]))
    return Rows(_number(heads[0]), _number(heads[1]), counts)


def _cover(digits: int) -> Sequence[int]:
    """Where to read words, so that every digit is in one at least."""
    return (*range(0, digits - _WORD, _WORD), digits - _WORD)


def _hex(words: Words, bad: Words) -> Words:
    """The eight digits' values, a byte each; marks the words that hold anything but hex digits in `bad`."""
    letters = (words >> _U(6)) & _each(1)
    values = (words & _each(15)) + letters * _U(9)
    # 0x3_ for digits, 0x4_ or 0x6_ for letters,
    bad |= (words & (_each(0xF0) - (letters << _U(5)))) ^ (_each(0x30) + (letters << _U(4)))
    # and of those, 0 to 9 for digits, 10 to 15 for letters.
    bad |= ((values + _each(6)) ^ (letters << _U(4)) | values) & _each(0x10)
    return values


def _number(values: Words) -> Words:
    """Eight values of four bits as one number of 32, the first at its top."""
    pairs = (values << _U(4) | values >> _U(8)) & _U(0x00FF00FF00FF00FF)
    fours = (pairs << _U(8) | pairs >> _U(16)) & _U(0x0000FFFF0000FFFF)
    return (fours << _U(16) | fours >> _U(32)) & _U(0xFFFFFFFF)


def _counts(words: Words, lengths: Places, bad: Words) -> Counts:
    """The number that the last `lengths` characters of each word are; marks what is none in `bad`."""
    kept = ~_U(0) << (_U(8) * (_U(_WORD) - np.minimum(lengths, _WORD).astype(np.uint64)))
    values = (words ^ _each(0x30)) & kept
    bad |= (((values & _each(0x7F)) + _each(0x76)) | values) & _each(0x80)
    pairs = (values * _U(10) + (values >> _U(8))) & _U(0x00FF00FF00FF00FF)
    fours = (pairs * _U(100) + (pairs >> _U(16))) & _U(0x0000FFFF0000FFFF)
    return ((fours * _U(10_000) + (fours >> _U(32))) & _U(0xFFFFFFFF)).astype(np.int64)


def _long(data: bytes, digits: int, start: int, end: int) -> int:
    """A count of more digits than a word: rare enough to be read as what it is."""
    if not data[start:end].isdigit():
        raise _damage(data, digits)
    return int(data[start:end])


def _damage(data: bytes, digits: int) -> Damage:
    """The first row of a block that is none."""
    hashed = re.compile(rb"[0-9A-Fa-f]{%d}(?![0-9A-Fa-f])" % digits)
    for row, line in enumerate(data.split(b"\n")[:-1]):
        if not hashed.match(line):
            return Damage(row, f"does not begin with {digits} hex digits")
        count = line.removesuffix(b"\r")[digits:]
        if not count.startswith(b":"):
            return Damage(row, "has no colon and count after its hash")
        if not count[1:].isdigit():
            return Damage(row, "has no number for a count")
        if len(count) > 1 + COUNT_DIGITS_MAX:
            return Damage(row, "has a count beyond any that can be")
    raise AssertionError("a block was called damaged, and no row is")
