"""The reader of corpus files: what a worker holds.

The file is mapped and not read, so that all workers of a machine share one copy of it in the page cache, start at
once, and can be given a new one while they run. Nothing outside the standard library is imported here, and nothing
is built: a worker never pays for numpy.

Builds write a new file and rename it over the old one, so what is mapped never changes. Never write into a corpus
file in place: pages that a truncation takes away answer with SIGBUS, which ends the process. `live.py` looks once a
second and lets go of such a file, which makes the gap small but cannot close it.
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PIECE: Final = 2**20  # entries looked at in one go while verifying: some 40 MiB as Python numbers

Path = str | os.PathLike[str]
Answer = TypeVar("Answer")


class Corpus:
    """A corpus file, mapped.

    Attributes:
        header: what the file says of itself.
        find: takes a digest of 8 bytes or more (SHA-1 of a password; the keyed digest of a pair) and gives its
            prevalence class, 1 to 16, or 0 for one that is not in the file. Safe from any thread; no I/O but page
            faults; some 0.4 us when warm. Raises `CorpusError` where it meets damage.
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
        """Map the file at `path` after a look at its header and its size; the payload is left to `verify`.

        Raises:
            CorpusError: it cannot be read, is damaged, not of this `kind`, or made under another key.
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
        ) as error:  # not there, not ours to read, larger than the machine maps
            raise CorpusError(f"{os.fspath(path)}: {_reason(error)}") from error

    @property
    def format(self) -> int:
        """See `Header`."""
        return self.header.format

    def finder(self, damaged: Callable[[], Answer]) -> Callable[[bytes], int | Answer]:
        """As `find`; where it meets damage it answers what `damaged` returns."""
        return _finder(self._mapped, self.header, damaged)

    def verify(self, progress: Progress | None = None) -> None:
        """Read the whole file again: the checksum, the index and the order of the entries in each bucket.

        Raises:
            CorpusError: something differs from what was built.
        """
        try:
            with opened(self._path) as file:
                _verify(file, progress or Silent())
        except CorpusError as error:
            raise CorpusError(f"{os.fspath(self._path)}: {error}") from None
        except OSError as error:
            raise CorpusError(f"{os.fspath(self._path)}: {_reason(error)}") from error


def opened(path: Path) -> BinaryIO:
    """A file to be read, without waiting for it.

    Opening a FIFO waits for whoever writes to it, and what a device answers never ends: neither is a corpus, and a
    worker that waits answers nobody.

    Raises:
        CorpusError: it is no regular file.
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
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
"""Device, inode, size and times of change (ns): what tells one file from the next of the same name."""


def identify(found: os.stat_result) -> Identity:
    """What `found` shares with nothing but itself, unchanged: a copy may set its mtime back, but not its ctime."""
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _open(cls: type[Corpus], path: Path, file: BinaryIO, kind: str | None, key_id: str | None) -> Corpus:
    found = os.fstat(file.fileno())
    header = _sound(file, found.st_size)
    if kind is not None and header.kind != kind:
        raise CorpusError(f"it holds {header.kind}, not {kind}")
    if key_id is not None and header.key_id != key_id:
        raise CorpusError("it was made under another key: build it again under the key of today")
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
    # A page that a crash left full of zeros would answer "absent". Only `verify` reads them all; these two are cheap.
    first, last = (int.from_bytes(mapped[at : at + ENTRY_BYTES], "little") for at in _ends(header))
    if (first, last) != (0, header.entries):
        raise CorpusError("its index is damaged: build the file again, or copy it again from where it is whole")


def _ends(header: Header) -> tuple[int, int]:
    return header.layout.index_at, header.layout.end - ENTRY_BYTES


def _advise(mapped: mmap.mmap, header: Header) -> None:
    # A look-up touches one page of entries: reading ahead would throw others out for nothing. The index is small
    # and every look-up needs it.
    if hasattr(mapped, "madvise"):
        start = header.layout.index_at // mmap.PAGESIZE * mmap.PAGESIZE
        mapped.madvise(mmap.MADV_RANDOM, 0, start)
        mapped.madvise(mmap.MADV_WILLNEED, start, header.layout.end - start)


def _raise_damaged() -> NoReturn:
    raise CorpusError("the file is damaged: build it again, or copy it again from where it is whole")


def _finder(mapped: mmap.mmap, header: Header, damaged: Callable[[], Answer]) -> Callable[[bytes], int | Answer]:
    """A closure and not a method: half of a look-up would go into finding `self`'s attributes."""
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
        except IndexError:  # a bucket that ends behind the last entry
            return damaged()
        return 0 if at <= end else damaged()  # or ends before it begins

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
    """Whether any number and its follower are out of order, a piece at a time."""
    return any(any(map(falls, piece, islice(piece, 1, None))) for piece in _pieces(numbers))


def _pieces(numbers: memoryview[int]) -> Iterator[list[int]]:
    for start in range(0, len(numbers), _PIECE):
        yield numbers[start : start + _PIECE + 1].tolist()


def _verify_piece(entries: memoryview[int], index: memoryview[int], start: int) -> None:
    piece = entries[start : start + _PIECE + 1].tolist()
    falls = set(compress(count(start + 1), map(ge, piece, islice(piece, 1, None))))
    # Entries rise within a bucket, so wherever they fall a bucket must begin.
    first, last = bisect_left(index, start), bisect_left(index, start + len(piece))
    if not falls <= set(index[first:last].tolist()):
        raise CorpusError("its entries are not in order: build the file again")
