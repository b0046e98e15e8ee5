"""Reads corpus files in a worker.

The file is mapped, not read. So all workers of a machine share one copy in the page cache, start at once, and can
switch to a new file while they run. This module imports only the standard library and builds nothing: no worker loads
numpy.

A build writes a new file and renames it over the old one, so a mapped file never changes. Never write into a corpus
file in place: access to a page that a truncation removed raises SIGBUS, which ends the process. `reloadable_file.py`
checks the file once a second and stops using a changed one. That makes the gap small, but cannot close it.
"""

from __future__ import annotations

import mmap
import os
import stat
from bisect import bisect_left
from hashlib import blake2b
from itertools import compress, count, islice
from operator import ge, gt
from struct import Struct
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn, TypeVar

from sekisho.breach.header import (
    CLASS_BITS,
    ENTRY_BYTES,
    HEADER_BYTES,
    SUFFIX_BITS,
    CorpusError,
    Header,
    refuse_big_endian,
)
from sekisho.breach.progress import Progress, Silent
from sekisho.files import AS_IT_IS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PIECE: Final = 2**20  # entries per step of a verification: some 40 MiB as Python numbers

Path = str | os.PathLike[str]
Answer = TypeVar("Answer")


class Corpus:
    """A mapped corpus file.

    Attributes:
        header: the file's header.
        find: a function from a digest of 8 bytes or more (SHA-1 of a password, or the keyed digest of a pair) to its
            prevalence class, 1 to 16; 0 if the digest is not in the file. Safe in any thread; no I/O except page
            faults; some 0.4 µs if the pages are in memory. Raises `CorpusError` if it meets damage.
        identity: see `identify`.
    """

    __slots__ = ("_mapped", "_path", "find", "header", "identity")

    def __init__(self, path: Path, header: Header, mapped: mmap.mmap, identity: Identity) -> None:
        self._path = path
        self.header = header
        self.identity = identity
        self._mapped = mapped
        self.find: Callable[[bytes], int] = self.finder(_raise_damaged)

    @classmethod
    def open(cls, path: Path, *, kind: str | None = None, key_id: str | None = None) -> Corpus:
        """Check the header and the size of the file at `path`, and map it. Only `verify` checks the payload.

        Raises:
            CorpusError: the file cannot be read, is damaged, is not of this `kind`, or was made with another key.
        """
        refuse_big_endian()
        try:
            with opened(path) as file:
                return _open(cls, path, file, kind, key_id)
        except CorpusError as error:
            raise CorpusError(f"{os.fspath(path)}: {error}") from None
        except (
            OSError,
            OverflowError,
            ValueError,
        ) as error:  # missing, no permission, or too large to map
            raise CorpusError(f"{os.fspath(path)}: {_reason(error)}") from error

    @property
    def format(self) -> int:
        """The format number in the file's header: it tells how accounts of pairs are named."""
        return self.header.format

    def finder(self, damaged: Callable[[], Answer]) -> Callable[[bytes], int | Answer]:
        """Return a function like `find` that returns the result of `damaged` if it meets damage."""
        return _finder(self._mapped, self.header, damaged)

    def verify(self, progress: Progress | None = None) -> None:
        """Read the whole file again, and check the checksum, the index and the order of the entries in each bucket.

        Raises:
            CorpusError: a part differs from what was built.
        """
        try:
            with opened(self._path) as file:
                _verify(file, progress or Silent())
        except CorpusError as error:
            raise CorpusError(f"{os.fspath(self._path)}: {error}") from None
        except OSError as error:
            raise CorpusError(f"{os.fspath(self._path)}: {_reason(error)}") from error


def opened(path: Path) -> BinaryIO:
    """Open a regular file for reading, without blocking.

    Opening a FIFO blocks until another process writes to it, and a device may send data without end. Neither is a
    corpus, and a blocked worker answers no client.

    Raises:
        CorpusError: the file is not regular.
        OSError: the file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | AS_IT_IS)
    try:
        _ensure_regular(descriptor)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _ensure_regular(descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise CorpusError("it is no regular file")


Identity = tuple[int, int, int, int, int]
"""Device, inode, size and times of change (ns): together they distinguish successive files of one name."""


def identify(found: os.stat_result) -> Identity:
    """Return the identity of a file. A copy may restore its mtime, but not its ctime."""
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _open(cls: type[Corpus], path: Path, file: BinaryIO, kind: str | None, key_id: str | None) -> Corpus:
    found = os.fstat(file.fileno())
    header = _sound(file, found.st_size)
    if kind is not None and header.kind != kind:
        raise CorpusError(f"it holds {header.kind}, not {kind}")
    if key_id is not None and header.key_id != key_id:
        raise CorpusError("it was made with another key: build it again with the current key")
    mapped = mmap.mmap(file.fileno(), header.layout.end, access=mmap.ACCESS_READ)
    _ensure_ends(mapped, header)
    _advise(mapped, header)
    return cls(path, header, mapped, identify(found))


def _sound(file: BinaryIO, size: int) -> Header:
    header = Header.parse(file.read(HEADER_BYTES))
    if size != header.layout.end:
        raise CorpusError(
            f"it is {size} bytes long and should be {header.layout.end}: the copy was cut short, or it was written to"
        )
    return header


def _ensure_ends(mapped: mmap.mmap, header: Header) -> None:
    # After a crash, a page full of zeros would answer "absent". Only `verify` reads all pages; checking these two is
    # cheap.
    first, last = (int.from_bytes(mapped[at : at + ENTRY_BYTES], "little") for at in _ends(header))
    if (first, last) != (0, header.entries):
        raise CorpusError("its index is damaged: build the file again, or copy it again from where it is whole")


def _ends(header: Header) -> tuple[int, int]:
    return header.layout.index_at, header.layout.end - ENTRY_BYTES


def _advise(mapped: mmap.mmap, header: Header) -> None:
    # A look-up touches one page of entries, so read-ahead would only evict other pages. The index is small, and every
    # look-up needs it.
    if hasattr(mapped, "madvise"):
        start = header.layout.index_at // mmap.PAGESIZE * mmap.PAGESIZE
        mapped.madvise(mmap.MADV_RANDOM, 0, start)
        mapped.madvise(mmap.MADV_WILLNEED, start, header.layout.end - start)


def _raise_damaged() -> NoReturn:
    raise CorpusError("the file is damaged: build it again, or copy it again from where it is whole")


def _finder(mapped: mmap.mmap, header: Header, damaged: Callable[[], Answer]) -> Callable[[bytes], int | Answer]:
    """Make a closure instead of a method: a method would spend half of a look-up on reading attributes of `self`."""
    view = memoryview(mapped)
    entries: memoryview[int] = view[HEADER_BYTES : header.layout.index_at].cast("I")
    index: memoryview[int] = view[header.layout.index_at :].cast("I")
    head_of = Struct(">Q").unpack_from
    to_bucket = 64 - header.bits
    to_key = to_bucket - SUFFIX_BITS - CLASS_BITS
    suffix = ((1 << SUFFIX_BITS) - 1) << CLASS_BITS
    classes = 1 << CLASS_BITS

    def find(digest: bytes) -> int | Answer:
        head: int = head_of(digest)[0]
        bucket = head >> to_bucket
        key = head >> to_key & suffix
        end = index[bucket + 1]
        try:
            if (at := bisect_left(entries, key, index[bucket], end)) < end and (low := entries[at] ^ key) < classes:
                return low + 1
        except IndexError:  # a bucket that ends beyond the last entry
            return damaged()
        return 0 if at <= end else damaged()  # or a bucket that ends before it begins

    return find


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or "it cannot be mapped here"


def _verify(file: BinaryIO, progress: Progress) -> None:
    size = os.fstat(file.fileno()).st_size
    header = _sound(file, size)
    progress.begin("verifying", size + header.layout.index_at - 2 * HEADER_BYTES, "B")
    digest = blake2b(digest_size=32)
    while piece := file.read(ENTRY_BYTES * _PIECE):
        digest.update(piece)
        progress.advance(len(piece))
    if digest.hexdigest() != header.payload_blake2b:
        raise CorpusError("its checksum is wrong: build the file again, or copy it again from where it is whole")
    with mmap.mmap(file.fileno(), header.layout.end, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
        _verify_order(view, header, progress)


def _verify_order(view: memoryview[int], header: Header, progress: Progress) -> None:
    with view[header.layout.index_at :] as raw_index, raw_index.cast("I") as index:
        if _falls(index, gt):
            raise CorpusError("its index is not in order: build the file again")
        with view[HEADER_BYTES : header.layout.index_at] as raw, raw.cast("I") as entries:
            for start in range(0, header.entries, _PIECE):
                _verify_piece(entries, index, start)
                progress.advance(ENTRY_BYTES * min(_PIECE, header.entries - start))


def _falls(numbers: memoryview[int], falls: Callable[[int, int], bool]) -> bool:
    """Whether any two neighbours are out of order. Reads one piece at a time."""
    return any(any(map(falls, piece, islice(piece, 1, None))) for piece in _pieces(numbers))


def _pieces(numbers: memoryview[int]) -> Iterator[list[int]]:
    for start in range(0, len(numbers), _PIECE):
        yield numbers[start : start + _PIECE + 1].tolist()


def _verify_piece(entries: memoryview[int], index: memoryview[int], start: int) -> None:
    piece = entries[start : start + _PIECE + 1].tolist()
    falls = set(compress(count(start + 1), map(ge, piece, islice(piece, 1, None))))
    # Entries rise within a bucket, so at every fall a bucket must begin.
    first, last = bisect_left(index, start), bisect_left(index, start + len(piece))
    if not falls <= set(index[first:last].tolist()):
        raise CorpusError("its entries are not in order: build the file again")
