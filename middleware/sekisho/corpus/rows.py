"""Parses rows of `hash:count`, a million bytes at once, for speed: a corpus has a billion hashes.

Eight characters are handled as one 64-bit number, in columns over all rows of a block. Python code looks at a row only
if one is damaged, to name it and its problem. One core parses some 12 million rows a second; a loop reaches one
million.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.corpus.records import Counts

COUNT_DIGITS_MAX: Final = 10  # more than ten accounts of every person alive, so no true count is longer

Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.intp]

_U = np.uint64
_LF, _CR, _COLON = 10, 13, 58
_WORD = 8  # characters


def _each(byte: int) -> np.uint64:
    """Return a word of eight times this byte."""
    return _U(int.from_bytes(bytes([byte]) * _WORD, "little"))


class Rows(NamedTuple):
    """The rows of a block: the first and second eight hex digits, as numbers, and the counts."""

    first: Words
    second: Words
    counts: Counts


class Damage(Exception):  # noqa: N818 - a finding; the caller adds file and line
    """A row is damaged.

    Attributes:
        row: its index in the block, from 0.
        problem: a description that contains nothing of the row.
    """

    def __init__(self, row: int, problem: str) -> None:
        self.row = row
        self.problem = problem
        super().__init__(f"row {row}: {problem}")


def parse(data: bytes, digits: int) -> Rows:
    """Parse a block of rows: each has `digits` (16 or more) hex digits, a colon, a count, and LF or CRLF.

    Raises:
        Damage: the first row with any other form.
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
    """Return the offsets of words that together cover every digit."""
    return (*range(0, digits - _WORD, _WORD), digits - _WORD)


def _hex(words: Words, bad: Words) -> Words:
    """Return the eight digits' values, a byte each; mark the words with other characters in `bad`."""
    letters = (words >> _U(6)) & _each(1)
    values = (words & _each(15)) + letters * _U(9)
    # 0x3_ for digits, 0x4_ or 0x6_ for letters,
    bad |= (words & (_each(0xF0) - (letters << _U(5)))) ^ (_each(0x30) + (letters << _U(4)))
    # and of those, 0 to 9 for digits, 10 to 15 for letters.
    bad |= ((values + _each(6)) ^ (letters << _U(4)) | values) & _each(0x10)
    return values


def _number(values: Words) -> Words:
    """Pack eight values of four bits into one number of 32 bits, the first at its top."""
    pairs = (values << _U(4) | values >> _U(8)) & _U(0x00FF00FF00FF00FF)
    fours = (pairs << _U(8) | pairs >> _U(16)) & _U(0x0000FFFF0000FFFF)
    return (fours << _U(16) | fours >> _U(32)) & _U(0xFFFFFFFF)


def _counts(words: Words, lengths: Places, bad: Words) -> Counts:
    """Read the last `lengths` characters of each word as a number; mark words with other characters in `bad`."""
    kept = ~_U(0) << (_U(8) * (_U(_WORD) - np.minimum(lengths, _WORD).astype(np.uint64)))
    values = (words ^ _each(0x30)) & kept
    bad |= (((values & _each(0x7F)) + _each(0x76)) | values) & _each(0x80)
    pairs = (values * _U(10) + (values >> _U(8))) & _U(0x00FF00FF00FF00FF)
    fours = (pairs * _U(100) + (pairs >> _U(16))) & _U(0x0000FFFF0000FFFF)
    return ((fours * _U(10_000) + (fours >> _U(32))) & _U(0xFFFFFFFF)).astype(np.int64)


def _long(data: bytes, digits: int, start: int, end: int) -> int:
    """Read a count that is longer than a word. Rare, so speed does not matter."""
    if not data[start:end].isdigit():
        raise _damage(data, digits)
    return int(data[start:end])


def _damage(data: bytes, digits: int) -> Damage:
    """Find the first damaged row of a block."""
    hashed = re.compile(rb"[0-9A-Fa-f]{%d}(?![0-9A-Fa-f])" % digits)
    for row, line in enumerate(data.split(b"\n")[:-1]):
        if not hashed.match(line):
            return Damage(row, f"does not begin with {digits} hex digits")
        count = line.removesuffix(b"\r")[digits:]
        if not count.startswith(b":"):
            return Damage(row, "has no colon and count after its hash")
        if not count[1:].isdigit():
            return Damage(row, "has a count that is no number")
        if len(count) > 1 + COUNT_DIGITS_MAX:
            return Damage(row, "has an impossibly large count")
    raise AssertionError("a block was called damaged, and no row is")
