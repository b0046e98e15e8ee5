"""The folder of a download: a gzip file for each range, and a small SQLite index of finished ranges.

A download that is killed at any moment can be resumed. A file appears complete (written under another name, then
renamed), and its row afterwards. A row counts only if its file has the size that it names; that also detects the empty
files that a power failure leaves after a rename. The kernel locks the index while a download runs, so no stale lock
survives a kill.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from array import array
from typing import TYPE_CHECKING

from sekisho.breach.progress import amount
from sekisho.corpus.fetch.answer import RangeAnswer, gzipped
from sekisho.corpus.fetch.failure import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

RANGES = 16**5
INDEX_NAME = "fetched.sqlite3"
RESUME_SECONDS_MAX = 24 * 3600  # after a longer interruption, all ranges are requested again; most answers are 304

_OUR_FILE = re.compile(r"[0-9A-F]{5}\.gz")
_OUR_LEFTOVER = re.compile(r"[0-9A-F]{5}\.gz\.part")
_RANGE_FILE = re.compile(r"[0-9A-Fa-f]{5}(\..*)?")
_RANGE_BYTES_ESTIMATE = 44 * 1024  # 1,900 rows of 39 bytes are 74 kB of text; gzip leaves 56% of hex digits
_BLOCK_BYTES = 4096  # a file takes whole blocks
_ROW_BYTES = 100  # in the index
_ROWS_PER_COMMIT = 4096
_SECONDS_PER_COMMIT = 5.0  # the most that a kill may lose; each commit waits for the disk

_SCHEMA = """
create table if not exists ranges (
    number integer primary key, -- the five hex digits
    bytes integer not null, -- of the file
    validator text not null, -- ETag or Last-Modified; '' where the server told neither
    fetch integer not null -- the last one that brought or confirmed it
);
create table if not exists fetches ( -- one row
    source text not null, -- where all ranges are from
    fetch integer not null, -- the latest
    started real -- in Unix seconds; null once it is finished
);
"""
_UPSERT = "insert or replace into ranges (number, bytes, validator, fetch) values (?, ?, ?, ?)"


class Folder:
    """A folder of ranges, locked for this download until `close`."""

    def __init__(self, path: Path, index: sqlite3.Connection, now: Callable[[], float]) -> None:
        """Use `Folder.open`."""
        self._path = path
        self._index = index
        self._now = now
        self._bytes = _bytes_of_files(path)
        self._known = bytearray(RANGES)  # 1: file and row agree, so a conditional request is enough
        self._fetch = 0
        self._pending: list[tuple[int, int, str, int]] = []
        self._committed = now()

    @classmethod
    def open(cls, path: Path, source: str, now: Callable[[], float]) -> Folder:
        """Create the folder if it is missing, lock it, and read its state.

        `now`: Unix time in seconds.

        Raises:
            FetchError: another download is using the folder; it has ranges of another source or another program; its
                index is damaged.
        """
        path.mkdir(parents=True, exist_ok=True)
        index = _open_index(path / INDEX_NAME, source)
        try:
            return cls(path, index, now)
        except BaseException:
            index.close()
            raise

    def begin(self, numbers: Iterable[int]) -> Sequence[int]:
        """Return the numbers of the ranges to request: all but those that an interrupted download stored within a day.

        Raises:
            FetchError: the disk has no room for them.
        """
        self._fetch = self._resumed() or self._begun()
        done = bytearray(RANGES)
        for number, size, fetch in self._index.execute("select number, bytes, fetch from ranges"):
            self._known[number] = self._bytes[number] == size
            done[number] = self._known[number] and fetch == self._fetch
        left = array("I", (number for number in numbers if not done[number]))
        self._ensure_room(left)
        return left

    def validator(self, number: int) -> str:
        """Return the validator (`ETag` or `Last-Modified`) of a stored range; empty if the range is not stored."""
        if not self._known[number]:
            return ""
        (validator,) = self._index.execute("select validator from ranges where number = ?", (number,)).fetchone()
        return str(validator)

    def keep(self, number: int, answer: RangeAnswer) -> None:
        """Check the answer for a range and store it as a file, completely or not at all.

        Raises:
            Damaged: the answer is not a whole range.
            OSError: the file cannot be written.
        """
        content = gzipped(answer)
        final = self._path / f"{number:05X}.gz"
        part = f"{final}.part"
        with open(part, "wb") as file:  # noqa: PTH123 - runs a million times; pathlib would be half of the cost
            file.write(content)
        os.replace(part, final)  # noqa: PTH105 - the same
        self._bytes[number] = len(content)
        self._note(number, answer.validator)

    def confirm(self, number: int, validator: str) -> None:
        """Record that the server reported the stored range as unchanged."""
        self._note(number, validator)

    def finish(self) -> None:
        """Record that no range is missing: the next download asks for all ranges again, and gets only changed ones."""
        self._commit()
        self._index.execute("update fetches set started = null")

    def close(self) -> None:
        """Write pending rows and release the lock. An unfinished download can be resumed."""
        try:
            self._commit()
        finally:
            self._index.close()

    def _note(self, number: int, validator: str) -> None:
        self._pending.append((number, self._bytes[number], validator, self._fetch))
        if len(self._pending) >= _ROWS_PER_COMMIT or not 0 <= self._now() - self._committed < _SECONDS_PER_COMMIT:
            self._commit()

    def _commit(self) -> None:
        self._index.execute("begin")
        self._index.executemany(_UPSERT, self._pending)
        self._index.execute("commit")
        self._pending.clear()
        self._committed = self._now()

    def _resumed(self) -> int | None:
        """Return the interrupted download, if it is recent enough."""
        fetch, started = self._index.execute("select fetch, started from fetches").fetchone()
        recent = started is not None and 0 <= self._now() - started < RESUME_SECONDS_MAX
        return int(fetch) if recent else None

    def _begun(self) -> int:
        """Start a new download."""
        self._index.execute("update fetches set fetch = fetch + 1, started = ?", (self._now(),))
        (fetch,) = self._index.execute("select fetch from fetches").fetchone()
        return int(fetch)

    def _ensure_room(self, left: Sequence[int]) -> None:
        new = sum(not self._bytes[number] for number in left)
        there = RANGES - self._bytes.count(0)
        mean = sum(self._bytes) // there if there else _RANGE_BYTES_ESTIMATE
        needed = new * (-(-mean // _BLOCK_BYTES) * _BLOCK_BYTES + _ROW_BYTES)
        free = shutil.disk_usage(self._path).free
        if needed > free:
            raise FetchError(
                f"{self._path}: {new} ranges need about {amount(needed, 'B')} there, {amount(free, 'B')} are free. "
                "Give a folder on a larger disk."
            )
        self._ensure_names(new)

    def _ensure_names(self, new: int) -> None:
        # A disk with enough free bytes may lack a million free inodes.
        if not hasattr(os, "statvfs"):  # Windows, whose file systems need no inodes
            return
        found = os.statvfs(self._path)
        if found.f_files and found.f_favail < new:
            raise FetchError(
                f"{self._path}: {new} files are needed there, the file system has room for {found.f_favail} (inodes). "
                "Give a folder on another disk."
            )


def _open_index(path: Path, source: str) -> sqlite3.Connection:
    index = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        _lock(index)
        _claim(index, path.parent, source)
    except sqlite3.OperationalError as error:
        index.close()
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise FetchError(f"{path.parent}: another fetch is at work there. Wait for it, or end it.") from None
        raise FetchError(f"{path}: {error}.") from None
    except sqlite3.DatabaseError as error:
        index.close()
        raise FetchError(f"{path}: {error}. Delete it and run again; every range is fetched anew then.") from None
    except BaseException:
        index.close()
        raise
    return index


def _lock(index: sqlite3.Connection) -> None:
    index.execute("pragma locking_mode = exclusive")
    index.execute("begin exclusive")  # held until the file is closed, regardless of commits
    index.executescript(_SCHEMA)


def _claim(index: sqlite3.Connection, folder: Path, source: str) -> None:
    # An ETag is valid only at the server that gave it; and a mix of a mirror and the service is no corpus.
    row = index.execute("select source from fetches").fetchone()
    if row is None:
        index.execute("insert into fetches (source, fetch) values (?, 0)", (source,))
    elif row[0] != source:
        raise FetchError(f"{folder}: holds ranges of {row[0]}. Give another folder, or the same source again.")


def _bytes_of_files(path: Path) -> array[int]:
    """Return the size of each range's file, 0 for none. Removes files that a kill left incomplete."""
    sizes = array("I", [0]) * RANGES
    with os.scandir(path) as entries:
        for entry in entries:
            if _OUR_FILE.fullmatch(entry.name):
                sizes[int(entry.name[:5], 16)] = entry.stat().st_size
            elif _OUR_LEFTOVER.fullmatch(entry.name):
                os.unlink(entry.path)  # noqa: PTH108 - an entry is no Path
            elif _RANGE_FILE.fullmatch(entry.name):
                # The builder would read it in addition to ours, or instead of it.
                raise FetchError(f"{path}: {entry.name} is another program's. Give a folder of its own.")
    return sizes
