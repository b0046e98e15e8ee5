"""Writes corpus files from sorted records in one pass.

A file is written without a name, or under a temporary one, beside the file that it will replace. It is synced, and only
then renamed over the old one. So a build that dies leaves the old file intact, and workers that have mapped the old
file keep it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from contextlib import contextmanager, suppress
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from sekisho.breach.header import (
    CLASS_BITS,
    ENTRIES_MAX,
    ENTRY_BYTES,
    FORMAT,
    FORMAT_BY_LIMIT_KEY,
    HEADER_BYTES,
    RATE_MAX,
    SUFFIX_BITS,
    CorpusError,
    Header,
    bits_for,
    refuse_big_endian,
)
from sekisho.breach.progress import Progress, Silent, amount
from sekisho.corpus.records import NONE, PIECE, Records, merge, whole
from sekisho.files import read_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SAMPLE: Final = 2**20  # sorted records after which the last head predicts the total, to 0.1%

_SUFFIX: Final = np.uint64(2**SUFFIX_BITS - 1)
_CLASS: Final = np.uint64(2**CLASS_BITS - 1)
_CLASS_BITS: Final = np.uint64(CLASS_BITS)


class TooDenseError(CorpusError):
    """The input has far more entries than expected, so too many absent digests would be found.

    Attributes:
        entries: the number of entries: expect so many next time.
    """

    def __init__(self, entries: int) -> None:
        self.entries = entries
        super().__init__(
            f"far more entries than foreseen: false positives would be above {RATE_MAX:g}; "
            f"build it as unsorted, or say that {entries} are expected"
        )


def write_sorted(
    output: str | os.PathLike[str],
    blocks: Iterable[Records],
    *,
    kind: str,
    key_id: str = "",
    expected: int | None = None,
    most: int = ENTRIES_MAX,
    built: int | None = None,
    progress: Progress | None = None,
) -> Header:
    """Write a corpus of records that come sorted by head, in blocks of any size; equal heads become one entry.

    `expected` is the approximate number of entries. If it is unknown, it is estimated from the reach of the first
    million records, since digests are distributed evenly, but at most as `most`. A wrong number costs time or space,
    and never gives a wrong answer. `built` is Unix time in seconds; now by default.

    Raises:
        CorpusError: there are no records, there is no room, or the disk fails; `TooDenseError`.
        ValueError: the heads do not rise.
    """
    refuse_big_endian()
    target = Path(os.path.realpath(output))  # a link stays, and its target is replaced
    stamp = int(time.time()) if built is None else built
    telling = progress or Silent()
    if expected is None:
        expected, blocks = _foresee(iter(blocks), most)
    ensure_room(target.parent, Header(kind, expected, bits_for(expected), stamp, key_id, "").layout.end)
    with replacing(target) as file:
        entries = _Entries(file, bits_for(expected), blocks)
        if entries.bits > bits_for(entries.entries) + 1:
            telling.begin("packing", ENTRY_BYTES * entries.entries, "B")
            entries = _Entries(file, bits_for(entries.entries), _read_back(file, entries, telling))
        telling.begin("syncing", None, "B")
        form = FORMAT_BY_LIMIT_KEY if kind == "pairs" else FORMAT
        return entries.finish(Header(kind, entries.entries, entries.bits, stamp, key_id, entries.checksum(), form))


@contextmanager
def replacing(output: Path) -> Iterator[IO[bytes]]:
    """Yield a file that replaces `output` if the block succeeds, and is removed if it fails. Raises `CorpusError`."""
    passing = output.with_name(f".{output.name}.{secrets.token_hex(4)}.part")
    try:
        with _unnamed(output.parent) or passing.open("x+b") as file:
            try:
                _share(file.fileno())  # workers run as another user, and leaked passwords are no secret
                yield file
                file.flush()
                os.fsync(file.fileno())
                _name(file, passing)
                passing.replace(output)
            finally:
                passing.unlink(missing_ok=True)
        _sync_folder(output.parent)
    except OSError as error:
        raise CorpusError(f"{output}: cannot be written: {error.strerror}") from error


def _share(descriptor: int) -> None:
    if hasattr(os, "fchmod"):  # files of Windows have other rights
        os.fchmod(descriptor, 0o644)


def _unnamed(folder: Path) -> IO[bytes] | None:
    """Open a file without a name, so that a killed process leaves nothing behind; `None` if that is not supported."""
    with suppress(AttributeError, OSError):
        descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o644)
        if os.path.samestat(os.fstat(descriptor), os.stat(f"/proc/self/fd/{descriptor}")):  # noqa: PTH116 - not a path
            return os.fdopen(descriptor, "w+b")
        os.close(descriptor)
    return None


def _name(file: IO[bytes], passing: Path) -> None:
    if passing.exists():
        return
    # Only linkat(2) follows the link in /proc, and Python calls it only for a folder's descriptor.
    descriptors = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.link(str(file.fileno()), passing, src_dir_fd=descriptors, follow_symlinks=True)
    finally:
        os.close(descriptors)


def _sync_folder(folder: Path) -> None:
    # Without it, a power failure may restore the old name. Some file systems refuse it; the rename is valid anyway.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def ensure_room(folder: Path, needed_bytes: int) -> None:
    """Check the free space of a folder's file system. Raises `CorpusError` if the file to write would not fit."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise CorpusError(f"{folder}: cannot be written to: {error.strerror}") from error
    if free < needed_bytes:
        raise CorpusError(
            f"{folder}: {amount(free, 'B')} are free, and some {amount(needed_bytes, 'B')} are needed: make room"
        )


def _foresee(blocks: Iterator[Records], most: int) -> tuple[int, Iterator[Records]]:
    """Estimate the number of entries from the first million; return it and all the blocks."""
    seen, taken = [NONE], 0
    for block in blocks:
        seen.append(block)
        taken += len(block)
        if taken >= _SAMPLE:
            share = (int(block[-1]) + 1) / 2**64
            return min(int(taken / share), max(taken, most), ENTRIES_MAX), chain(seen, blocks)
    return taken, iter(seen)


class _Entries:
    """Writes entries to a file as they come, and counts them for the index.

    The blocks may be read from the same file meanwhile, because no entry moves towards the end.
    """

    def __init__(self, file: IO[bytes], bits: int, blocks: Iterable[Records]) -> None:
        self.bits = bits
        self.entries = 0
        self.index: npt.NDArray[np.uint32] = np.zeros(2**bits + 1, np.uint32)
        self._file = file
        self._digest = blake2b(digest_size=32)
        self._drop = np.uint64(64 - bits - SUFFIX_BITS)
        file.seek(HEADER_BYTES)
        for block in whole(blocks, int(self._drop)):
            self._put(merge(block))
        np.cumsum(self.index, dtype=np.uint32, out=self.index)

    def checksum(self) -> str:
        """Return the digest of entries and index. Writes the index, which comes last."""
        self._write(self.index)
        return self._digest.hexdigest()

    def finish(self, header: Header) -> Header:
        """Write the header before the entries, and truncate the file if more entries were expected."""
        if not self.entries:
            raise CorpusError("there is nothing in the input to make a corpus from")
        if header.false_positive_rate > RATE_MAX:
            raise TooDenseError(self.entries)
        self._file.truncate(header.layout.end)
        self._file.seek(0)
        self._file.write(header.render())
        return header

    def _put(self, records: Records) -> None:
        cells, classes = _cells(records, self._drop)
        self.entries += len(cells)
        if self.entries > ENTRIES_MAX:
            raise CorpusError(f"more than {ENTRIES_MAX} entries do not fit into one file: leave the rarest out")
        buckets = cells >> np.uint64(SUFFIX_BITS)
        starts = np.flatnonzero(np.diff(buckets, prepend=~buckets[:1]))
        self.index[buckets[starts] + np.uint64(1)] += np.diff(starts, append=len(buckets)).astype(np.uint32)
        self._write(((cells & _SUFFIX) << _CLASS_BITS | classes).astype(np.uint32))

    def _write(self, numbers: npt.NDArray[np.uint32]) -> None:
        self._digest.update(numbers.data)
        self._file.write(numbers.data)


def _cells(records: Records, drop: np.uint64) -> tuple[Records, Records]:
    """Return the stored part of the heads, each once, and their classes: of colliding passwords, the higher one."""
    cells = records >> drop
    starts = np.flatnonzero(np.diff(cells, prepend=~cells[:1]))
    if len(starts) == len(cells):
        return cells, records & _CLASS
    return cells[starts], np.maximum.reduceat(records & _CLASS, starts)


def _read_back(file: IO[bytes], written: _Entries, progress: Progress) -> Iterator[Records]:
    """Yield the entries of an unfinished file as records again; they are exact enough for an index of fewer bits."""
    file.flush()
    index = written.index
    for start in range(0, written.entries, PIECE):
        size = min(PIECE, written.entries - start)
        raw = read_at(file.fileno(), ENTRY_BYTES * size, HEADER_BYTES + ENTRY_BYTES * start)
        entries = np.frombuffer(raw, np.uint32).astype(np.uint64)
        buckets = np.searchsorted(index, np.arange(start, start + size), side="right").astype(np.uint64) - np.uint64(1)
        cells = buckets << np.uint64(SUFFIX_BITS) | entries >> _CLASS_BITS
        progress.advance(ENTRY_BYTES * size)
        yield cells << np.uint64(64 - written.bits - SUFFIX_BITS) | entries & _CLASS
