"""The sources of a corpus of passwords: hashes with counts, a folder of ranges, plain passwords.

Each source yields records block by block, and states beforehand what it knows of them. Damaged, truncated or unsorted
input is an error that names the file and the line: a corpus that silently lacks half of the leaks would be trusted for
years.
"""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import dataclass
from hashlib import sha1
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np

from sekisho.breach.header import ENTRIES_MAX, CorpusError
from sekisho.corpus.reading import (
    CHUNK_BYTES,
    GZIP_MAGIC,
    bytes_of,
    chunks,
    is_gzip,
    lines,
    name_of,
    unmarked,
)
from sekisho.corpus.records import Records, make
from sekisho.corpus.rows import COUNT_DIGITS_MAX, Damage, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sekisho.breach.progress import Progress
    from sekisho.corpus.rows import Words

RANGES: Final = 16**5
RANGE_BYTES_MAX: Final = 2**24  # two hundred times a range of today
SHA1_BYTES: Final = 20
HASH_DIGITS: Final = 2 * SHA1_BYTES
PREFIX_DIGITS: Final = 5

_ROW_BYTES_MAX: Final = HASH_DIGITS + len(":\r\n") + COUNT_DIGITS_MAX
_PACKED_ROW_BYTES: Final = 18  # compressed size of 35 random hex digits and a count
_GAP_MAX: Final = 40  # a gap of so many mean distances has a chance of e**-40
_MISSING_NAMED: Final = 5
_RANGE_NAME: Final = re.compile(r"([0-9A-F]{5}|[0-9a-f]{5})(\.txt)?(\.gz)?")
_HEX: Final = re.compile(rb"\$HEX\[((?:[0-9A-Fa-f]{2})*)\]")


class Source(Protocol):
    """An input that records can be made from."""

    @property
    def name(self) -> str:
        """The name for errors and progress: a path, or `standard input`."""

    @property
    def ordered(self) -> bool:
        """Whether the source's records come sorted."""

    @property
    def repeatable(self) -> bool:
        """Whether the source can be read a second time."""

    def records_min(self) -> int:
        """Return a lower bound of the number of records; 0 if it is unknown before reading."""

    def records(self, progress: Progress) -> Iterator[Records]:
        """Yield all records, in blocks. Raises `CorpusError` if the input cannot be read."""


@dataclass(frozen=True, slots=True)
class Hashes:
    """Text of `SHA1:count`, as Have I Been Pwned publishes it: 40 hex digits of either case, LF or CRLF.

    Attributes:
        path: a file; `None` for standard input.
        ordered: the input is sorted by hash, which is checked. Then one pass is enough.
        partial: sorted hashes may end before the last prefixes; otherwise that means that the file was truncated.
    """

    path: Path | None
    ordered: bool = True
    partial: bool = False

    @property
    def name(self) -> str:
        return name_of(self.path)

    @property
    def repeatable(self) -> bool:
        return bytes_of(self.path) is not None

    def records_min(self) -> int:
        size = bytes_of(self.path)
        return size // _ROW_BYTES_MAX if self.path and size and not is_gzip(self.path) else 0

    def records_about_max(self) -> int:
        """Return an estimated upper bound of the number of records, even if the file is compressed."""
        size = bytes_of(self.path)
        return ENTRIES_MAX if size is None else size // _PACKED_ROW_BYTES + 1

    def records(self, progress: Progress) -> Iterator[Records]:
        last, taken, line = np.uint64(0), 0, 0
        for block in lines(chunks(self.path, progress), self.name):
            heads, records = self._parsed(block.data, block.first)
            if self.ordered:
                self._ensure_rising(np.concatenate(([last], heads)), block.first)
            last, taken, line = heads[-1], taken + len(heads), block.first + len(heads) - 1
            yield records
        if self.ordered and not self.partial:
            self._ensure_whole(int(last), taken, line)

    def _parsed(self, data: bytes, first: int) -> tuple[Words, Records]:
        try:
            rows = parse(data, HASH_DIGITS)
        except Damage as found:
            raise CorpusError(f"{self.name}, line {first + found.row}: {found.problem}") from None
        heads = rows.first << np.uint64(32) | rows.second
        return heads, _counted(heads, rows.counts)

    def _ensure_rising(self, heads: Words, first: int) -> None:
        falls = heads[1:] < heads[:-1]
        if falls.any():
            line = first + int(falls.argmax())
            raise CorpusError(
                f"{self.name}, line {line}: is not sorted by hash from here: build it as unsorted, which takes longer"
            )

    def _ensure_whole(self, last: int, taken: int, line: int) -> None:
        # Digests are distributed evenly. A download that stopped at the end of a line is detected only here.
        if taken and (2**64 - last) * taken > _GAP_MAX * 2**64:
            raise CorpusError(
                f"{self.name}, line {line}: ends at {last / 2**64:.1%} of all hashes, so it was cut short: "
                "get the whole file again, or say that it is partial"
            )


@dataclass(frozen=True, slots=True)
class Plain:
    """Passwords, one a line; each line counts once. `path` is `None` for standard input.

    They are hashed as the bytes in the file: nearly all are UTF-8, and passwords in another encoding may well be typed
    in it. `$HEX[...]`, hashcat's form of passwords that a line cannot hold, is decoded. Empty lines are skipped.
    """

    path: Path | None

    @property
    def name(self) -> str:
        return name_of(self.path)

    @property
    def ordered(self) -> bool:
        return False

    @property
    def repeatable(self) -> bool:
        return bytes_of(self.path) is not None

    def records_min(self) -> int:
        return 0

    def records(self, progress: Progress) -> Iterator[Records]:
        for block in lines(chunks(self.path, progress), self.name):
            passwords = filter(None, block.data.replace(b"\r\n", b"\n").split(b"\n"))
            if b"$HEX[" in block.data:
                passwords = filter(None, map(_unhexed, passwords))
            yield of_passwords(passwords)


def of_passwords(passwords: Iterable[bytes]) -> Records:
    """Make records of passwords, each seen once, in the order in which they come."""
    digests = b"".join([sha1(password, usedforsecurity=False).digest() for password in passwords])
    heads = np.frombuffer(digests, np.uint8).reshape(-1, SHA1_BYTES)[:, :8]
    return make(np.ascontiguousarray(heads).view(">u8").ravel().astype(np.uint64), np.ones(len(heads), np.int64))


def _unhexed(password: bytes) -> bytes:
    found = _HEX.fullmatch(password)
    return bytes.fromhex(found[1].decode()) if found else password


def _counted(heads: Words, counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Records:
    """Make records of the rows without padding: the service adds rows with count 0."""
    real = counts > 0
    return make(heads, counts) if real.all() else make(heads[real], counts[real])


@dataclass(frozen=True, slots=True)
class Ranges:
    """A folder of answers of the range API: a file for each five hex digits, with rows `35 hex digits:count`.

    Files are named `00000` to `FFFFF` (or in small letters), with or without `.txt` and `.gz`; other files are ignored.
    Rows with count 0 are padding. Ranges may be missing or empty only if `partial` is set.
    """

    path: Path
    partial: bool = False

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def ordered(self) -> bool:
        return True

    @property
    def repeatable(self) -> bool:
        return True

    def records_min(self) -> int:
        return 0

    def records_about_max(self) -> int:
        """Return an estimated upper bound of the number of records, even if the files are compressed."""
        # A complete set is distributed evenly: its beginning is enough for an estimate, without the size of each file.
        return self._listed().bytes // _PACKED_ROW_BYTES + 1 if self.partial else ENTRIES_MAX

    def records(self, progress: Progress) -> Iterator[Records]:
        listed = self._listed()
        progress.begin(f"reading {self.path}", listed.bytes, "B")
        for batch in _batches(self._range(number, style) for number, style in enumerate(listed.styles) if style):
            yield _parsed_ranges(batch)
            progress.advance(sum(found.stored_bytes for found in batch))

    def _listed(self) -> _Listed:
        styles, size = bytearray(RANGES), 0
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    size += self._note(entry, styles)
        except OSError as error:
            raise CorpusError(f"{self.path}: {error.strerror}") from error
        self._ensure_complete(styles)
        return _Listed(styles, size)

    def _note(self, entry: os.DirEntry[str], styles: bytearray) -> int:
        """Note how a range's file is named, and return its bytes; 0 for any other file."""
        found = _RANGE_NAME.fullmatch(entry.name)
        if found is None:
            return 0
        number = int(found[1], 16)
        if styles[number]:
            raise CorpusError(f"{self.path}: range {found[1]} is there twice: remove one of the two")
        styles[number] = 1 + 4 * found[1].islower() + 2 * bool(found[2]) + bool(found[3])
        return entry.stat().st_size

    def _ensure_complete(self, styles: bytearray) -> None:
        missing = styles.count(0)
        if missing == RANGES:
            raise CorpusError(f"{self.path}: holds no range, such as 00000.gz")
        if missing and not self.partial:
            first = [number for number, style in enumerate(styles) if not style][:_MISSING_NAMED]
            names = ", ".join(f"{number:05X}" for number in first) + (", …" if missing > len(first) else "")
            raise CorpusError(
                f"{self.path}: {missing} of {RANGES} ranges are missing, the first of them {names}: "
                "fetch them, or say that the folder is partial"
            )

    def _range(self, number: int, style: int) -> _Range:
        path = self.path / _styled(number, style)
        try:
            with path.open("rb") as file:
                raw = file.read(RANGE_BYTES_MAX + 1)
        except OSError as error:
            raise CorpusError(f"{path}: {error.strerror}") from error
        data = unmarked(_gunzipped(raw, path) if raw.startswith(GZIP_MAGIC) else raw, str(path))
        if len(data) > RANGE_BYTES_MAX:
            raise CorpusError(f"{path}: is longer than {RANGE_BYTES_MAX} bytes: this is no range")
        if not data and not self.partial:
            raise CorpusError(f"{path}: is empty: delete it and fetch it again, or say that the folder is partial")
        if data and not data.endswith(b"\n"):
            data += b"\n"
        return _Range(number, path, data, len(raw))


class _Listed(NamedTuple):
    """The content of a folder: how the file of each range is named (see `_styled`; 0: none), and the total size."""

    styles: bytearray
    bytes: int


class _Range(NamedTuple):
    number: int
    path: Path
    data: bytes
    stored_bytes: int


def _styled(number: int, style: int) -> str:
    style -= 1
    stem = f"{number:05x}" if style & 4 else f"{number:05X}"
    return stem + ".txt" * bool(style & 2) + ".gz" * (style & 1)


def _gunzipped(raw: bytes, path: Path) -> bytes:
    undo = zlib.decompressobj(wbits=31)
    try:
        data = undo.decompress(raw, RANGE_BYTES_MAX + 1)
    except zlib.error:
        raise CorpusError(f"{path}: its gzip is damaged: delete it and fetch it again") from None
    if not undo.eof and len(data) <= RANGE_BYTES_MAX:
        raise CorpusError(f"{path}: its gzip is cut short: delete it and fetch it again")
    if undo.unused_data:
        raise CorpusError(f"{path}: something follows its gzip: delete it and fetch it again")
    return data


def _batches(ranges: Iterable[_Range]) -> Iterator[list[_Range]]:
    """Group ranges to blocks that are large enough for numpy."""
    batch: list[_Range] = []
    size = 0
    for found in ranges:
        batch.append(found)
        size += len(found.data)
        if size >= CHUNK_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _parsed_ranges(batch: list[_Range]) -> Records:
    data = b"".join(found.data for found in batch)
    rows_of = [found.data.count(b"\n") for found in batch]
    if not data:
        return make(np.zeros(0, np.uint64), np.zeros(0, np.int64))
    try:
        rows = parse(data, HASH_DIGITS - PREFIX_DIGITS)
    except Damage as found:
        raise _damaged_range(batch, rows_of, found) from None
    prefixes = np.repeat(np.array([found.number for found in batch], np.uint64), rows_of)
    heads = prefixes << np.uint64(44) | rows.first << np.uint64(12) | rows.second >> np.uint64(20)
    # Within a range, rows may come in any order, with padding between them.
    return np.sort(_counted(heads, rows.counts))


def _damaged_range(batch: list[_Range], rows_of: list[int], found: Damage) -> CorpusError:
    row = found.row
    for one, rows in zip(batch, rows_of, strict=True):
        if row < rows:
            return CorpusError(f"{one.path}, line {row + 1}: {found.problem}")
        row -= rows
    raise AssertionError("a damaged row lies beyond the rows")
