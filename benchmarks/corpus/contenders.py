"""What a user would pick instead, each as its own documentation builds and asks it, with every open choice made for
speed.

All are handed digests that are ready (nobody parses text), in sorted order, which the sorted ones and SQLite like best.
All are asked with the 20 bytes of a SHA-1, which is what a log-in has in its hands.
"""

from __future__ import annotations

import json
import mmap
import sqlite3
from bisect import bisect_left
from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import numpy as np
import redis
from pyfusefilter import Fuse8, Fuse16
from pyfusefilter._xorfilter import ffi, lib
from rbloom import Bloom

from benchmarks.corpus import synthetic
from sekisho.breach.corpus_file import Corpus
from sekisho.corpus import records
from sekisho.corpus.writer import write_sorted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.corpus.synthetic import Synthetic

Find = Callable[[bytes], object]

_DIGEST = synthetic.DIGEST_BYTES
_BATCH = 10_000
_head_of = Struct(">Q").unpack_from
_two_of = Struct(">QQ").unpack_from


class Leak(NamedTuple):
    """The data that all are built from: heads, digests (rows of 20 bytes) and counts, sorted by digest."""

    heads: synthetic.Heads
    digests: NDArray[np.uint8]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, source: Synthetic) -> Leak:
        heads = np.concatenate(list(source.ordered()))
        return cls(heads, synthetic.digests(heads), synthetic.counts(heads))

    def rows(self) -> Iterator[tuple[bytes, int]]:
        """Digests as Python has them, each with its count."""
        for start in range(0, len(self.heads), _BATCH):
            some = self.digests[start : start + _BATCH].view(f"V{_DIGEST}").ravel().tolist()
            yield from zip(some, self.counts[start : start + _BATCH].tolist(), strict=True)


class Contender(Protocol):
    """A way to ask whether a digest is in a leak.

    Attributes:
        prevalence: whether it tells how often a password was seen.
        exact: whether it never finds an absent digest (but for two digests alike in 64 bits).
        mapped: whether it answers from a file as it lies on disk, so that workers share one copy.
        shared: how workers come by it, in words.
        needs: its requirements beside Python.
    """

    name: str
    prevalence: bool
    exact: bool
    mapped: bool
    shared: str
    needs: str

    def build(self, leak: Leak, folder: Path) -> int:
        """Make it in `folder`; the bytes that it takes there, or in its server."""

    def open(self, folder: Path) -> Find:
        """Open as a worker does: the result answers true for digests in the leak."""


class Sekisho:
    name = "sekisho corpus"
    prevalence, exact, mapped = True, False, True
    shared, needs = "mapped file", "–"

    def build(self, leak: Leak, folder: Path) -> int:
        write_sorted(folder / "sekisho.corpus", [records.make(leak.heads, leak.counts)], kind="passwords")
        return _size(folder / "sekisho.corpus")

    def open(self, folder: Path) -> Find:
        return Corpus.open(folder / "sekisho.corpus").find


class SortedDigests:
    """Whole digests in a file, `bisect` over it: a few lines, and exact."""

    name = "sorted digests + bisect"
    prevalence, exact, mapped = False, True, True
    shared, needs = "mapped file", "–"

    def build(self, leak: Leak, folder: Path) -> int:
        leak.digests.tofile(folder / "digests")
        return _size(folder / "digests")

    def open(self, folder: Path) -> Find:
        rows = _Rows(_mapped(folder / "digests"))
        count = len(rows)

        def is_leaked(digest: bytes) -> bool:
            return (at := bisect_left(rows, digest)) < count and rows[at] == digest

        return is_leaked


class _Rows:
    """A mapped file as a sequence of digests."""

    def __init__(self, mapped: mmap.mmap) -> None:
        self._mapped = mapped

    def __len__(self) -> int:
        return len(self._mapped) // _DIGEST

    def __getitem__(self, at: int) -> bytes:
        return self._mapped[at * _DIGEST : at * _DIGEST + _DIGEST]


class SortedHeads:
    """The first 64 bits of each digest, so that `bisect` stays in C."""

    name = "sorted 64-bit heads + bisect"
    prevalence, exact, mapped = False, True, True
    shared, needs = "mapped file", "–"

    def build(self, leak: Leak, folder: Path) -> int:
        leak.heads.tofile(folder / "heads")
        return _size(folder / "heads")

    def open(self, folder: Path) -> Find:
        heads = memoryview(_mapped(folder / "heads")).cast("Q")
        count = len(heads)

        def is_leaked(digest: bytes) -> bool:
            (head,) = _head_of(digest)
            return (at := bisect_left(heads, head)) < count and heads[at] == head

        return is_leaked


class _Fuse:
    """The classes of pyfusefilter, given hex digits: they hash any input as text."""

    prevalence, exact, mapped = False, False, False
    shared, needs = "no: a copy each", "pyfusefilter"
    name: str
    _filter: Any

    def build(self, leak: Leak, folder: Path) -> int:
        made = self._filter([digest.hex() for digest, _ in leak.rows()])
        path = folder / self._filter.__name__
        path.write_bytes(made.serialize())
        return _size(path)

    def open(self, folder: Path) -> Find:
        held = self._filter.deserialize((folder / self._filter.__name__).read_bytes())

        def is_leaked(digest: bytes) -> bool:
            return bool(held.contains(digest.hex()))

        return is_leaked


class FuseOf8(_Fuse):
    name = "binary fuse, 8 bits"
    _filter = Fuse8


class FuseOf16(_Fuse):
    name = "binary fuse, 16 bits"
    _filter = Fuse16


class FuseOf24:
    """A filter of 16 bits and one of 8 over another part of the digest, on mapped files: the structure that a corpus
    of our own would have been made of, had it not been made of buckets. pyfusefilter's C is called directly.
    """

    name = "binary fuse, 16 + 8 bits, mapped"
    prevalence, exact, mapped = False, False, True
    shared, needs = "mapped file", "pyfusefilter (private API)"
    _FIELDS = (
        "Seed",
        "Size",
        "SegmentLength",
        "SegmentLengthMask",
        "SegmentCount",
        "SegmentCountLength",
        "ArrayLength",
    )

    def build(self, leak: Leak, folder: Path) -> int:
        second = leak.digests[:, 8:16].copy().view(">u8").ravel().astype(np.uint64)
        return self._one(16, leak.heads, folder) + self._one(8, second, folder)

    def open(self, folder: Path) -> Find:
        wide, narrow = self._opened(16, folder), self._opened(8, folder)
        in_wide, in_narrow = lib.binary_fuse16_contain, lib.binary_fuse8_contain

        def is_leaked(digest: bytes) -> bool:
            first, second = _two_of(digest)
            return bool(in_wide(first, wide) and in_narrow(second, narrow))

        return is_leaked

    def _one(self, bits: int, keys: synthetic.Heads, folder: Path) -> int:
        made = ffi.new(f"binary_fuse{bits}_t *")
        allocate, populate, free = (
            getattr(lib, f"binary_fuse{bits}_{verb}") for verb in ("allocate", "populate", "free")
        )
        if not (allocate(len(keys), made) and populate(ffi.from_buffer("uint64_t[]", keys), len(keys), made)):
            raise RuntimeError("the filter could not be made")
        fingerprints = ffi.buffer(made.Fingerprints, made.ArrayLength * bits // 8)
        (folder / f"fuse.{bits}").write_bytes(fingerprints)
        (folder / f"fuse.{bits}.json").write_text(json.dumps({name: getattr(made, name) for name in self._FIELDS}))
        free(made)
        return _size(folder / f"fuse.{bits}")

    def _opened(self, bits: int, folder: Path) -> Any:
        opened = ffi.new(f"binary_fuse{bits}_t *")
        for name, value in json.loads((folder / f"fuse.{bits}.json").read_text()).items():
            setattr(opened, name, value)
        held = ffi.from_buffer(f"uint{bits}_t[]", _mapped(folder / f"fuse.{bits}"))
        opened.Fingerprints = held
        _alive.append(held)  # cffi's struct does not keep what it points to
        return opened


_alive: list[Any] = []


class BloomFilter:
    """`rbloom` for one false positive in a million, with the hash function that its documentation gives for filters
    that are kept in files (SHA and the first 16 bytes; here the SHA is there already).
    """

    name = "Bloom filter (rbloom), 1e-6"
    prevalence, exact, mapped = False, False, False
    shared, needs = "no: a copy each", "rbloom"

    def build(self, leak: Leak, folder: Path) -> int:
        bloom = Bloom(len(leak.heads), 1e-6, _bloom_hash)
        bloom.update(digest for digest, _ in leak.rows())
        bloom.save(str(folder / "bloom"))
        return _size(folder / "bloom")

    def open(self, folder: Path) -> Find:
        is_leaked: Find = Bloom.load(str(folder / "bloom"), _bloom_hash).__contains__
        return is_leaked


def _bloom_hash(digest: bytes) -> int:
    return int.from_bytes(digest[:16], "big", signed=True)


class Sqlite:
    """The digest as primary key of a table WITHOUT ROWID, which is its own index; mapped, and read as immutable."""

    name = "SQLite, WITHOUT ROWID"
    prevalence, exact, mapped = True, True, True
    shared, needs = "mapped file", "–"

    def build(self, leak: Leak, folder: Path) -> int:
        with sqlite3.connect(folder / "leak.sqlite") as database:
            database.execute("pragma journal_mode = off")
            database.execute("pragma synchronous = off")
            database.execute("create table leak (digest blob primary key, count integer not null) without rowid")
            database.executemany("insert into leak values (?, ?)", leak.rows())
        database.close()
        return _size(folder / "leak.sqlite")

    def open(self, folder: Path) -> Find:
        database = sqlite3.connect(f"{(folder / 'leak.sqlite').as_uri()}?mode=ro&immutable=1", uri=True)
        database.execute(f"pragma mmap_size = {2**40}")
        execute = database.execute

        def is_leaked(digest: bytes) -> Any:
            return execute("select count from leak where digest = ?", (digest,)).fetchone()

        return is_leaked


class RedisSet:
    """One set of digests in a server of ours, asked over a unix socket, one SISMEMBER a look-up."""

    name = "Redis set, unix socket"
    prevalence, exact, mapped = False, True, False
    shared, needs = "a server", "redis-server"

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path

    def build(self, leak: Leak, folder: Path) -> int:
        del folder  # kept in the server's memory
        client = self._client()
        client.flushall()
        before = int(client.info("memory")["used_memory"])
        some: list[bytes] = []
        for digest, _ in leak.rows():
            some.append(digest)
            if len(some) == _BATCH:
                client.sadd("leak", *some)
                some.clear()
        if some:
            client.sadd("leak", *some)
        return int(client.info("memory")["used_memory"]) - before

    def open(self, folder: Path) -> Find:
        del folder
        client = self._client()
        # redis-py is typed for text and takes bytes as they are.
        return lambda digest: client.sismember("leak", cast("str", digest))

    def _client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=self._socket_path, socket_timeout=60)


def all_of(redis_socket: str) -> list[Contender]:
    """In the order of the table."""
    return [
        Sekisho(),
        FuseOf24(),
        FuseOf16(),
        FuseOf8(),
        BloomFilter(),
        SortedHeads(),
        SortedDigests(),
        Sqlite(),
        RedisSet(redis_socket),
    ]


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    mapped.madvise(mmap.MADV_RANDOM)
    return mapped


def _size(path: Path) -> int:
    return path.stat().st_size
