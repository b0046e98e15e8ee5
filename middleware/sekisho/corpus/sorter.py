"""Sorts more records than memory holds: writes sorted runs to an unnamed file, then merges all runs.

The file is in the output's folder, because it may be as large, and `/tmp` is often in memory. It has no name, so
nothing remains of it, however this process ends.
"""

from __future__ import annotations

import os
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from sekisho.breach.header import CorpusError, Header
from sekisho.breach.progress import Progress, Silent
from sekisho.corpus.records import NONE, Records, carry, whole
from sekisho.corpus.writer import TooDenseError, write_sorted
from sekisho.files import read_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

MEMORY_BYTES: Final = 128 * 2**20
RECORD_BYTES: Final = 8

_READ_MIN: Final = 4096  # records; reads below 32 KiB cost more than they gain


class Sorter:
    """Takes records in any order and number, and writes their corpus.

    `memory_bytes` is the size of the part that is sorted in memory. Beside it the process needs some 60 MiB, and an
    eighth of a byte for each byte of the output.
    """

    def __init__(self, output: str | os.PathLike[str], *, memory_bytes: int = MEMORY_BYTES) -> None:
        self._output = Path(os.path.realpath(output))
        self._capacity = max(memory_bytes // RECORD_BYTES, 1)
        self._buffer: Records = NONE
        self._filled = 0
        self._bounds = [0]  # of the runs, in records
        try:
            self._file = tempfile.TemporaryFile(dir=self._output.parent, buffering=0)  # noqa: SIM115 - closed with this
        except OSError as error:
            raise CorpusError(f"{self._output}: cannot be written: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._buffer = NONE
        self._file.close()

    def add(self, records: Records) -> None:
        """Add records in any order."""
        while len(records):
            if not len(self._buffer):
                self._buffer = np.empty(self._capacity, np.uint64)
            taken = records[: self._capacity - self._filled]
            self._buffer[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            records = records[len(taken) :]
            if self._filled == self._capacity:
                self._spill()

    def write(
        self,
        *,
        kind: str,
        key_id: str = "",
        expected: int | None = None,
        built: int | None = None,
        progress: Progress | None = None,
    ) -> Header:
        """Write a corpus file of all added records, and return its header. See `write_sorted` for the arguments."""

        def attempt(expected: int | None) -> Header:
            blocks = self.blocks(progress or Silent())
            return write_sorted(
                self._output,
                blocks,
                kind=kind,
                key_id=key_id,
                expected=expected,
                most=self._bounds[-1] + self._filled,
                built=built,
                progress=progress,
            )

        try:
            return attempt(expected)
        except TooDenseError as error:
            return attempt(error.entries)

    def blocks(self, progress: Progress) -> Iterator[Records]:
        """Yield all added records in sorted blocks. `progress` receives the bytes merged. May be called again."""
        if len(self._bounds) == 1:
            self._buffer[: self._filled].sort()
            yield self._buffer[: self._filled]
            return
        self._spill()
        self._buffer = NONE
        progress.begin("merging", RECORD_BYTES * self._bounds[-1], "B")
        for block in self._merged():
            yield block
            progress.advance(RECORD_BYTES * len(block))

    def _spill(self) -> None:
        run = self._buffer[: self._filled]
        run.sort()
        end = self._bounds[-1]
        # A password that fills whole lists becomes a few records here; otherwise the merge would have to hold all of
        # them.
        for block in map(carry, whole([run])):
            self._append(block)
            end += len(block)
        self._filled = 0
        if end > self._bounds[-1]:
            self._bounds.append(end)

    def _append(self, block: Records) -> None:
        left = block.data.cast("B")
        try:
            while len(left):
                left = left[self._file.write(left) :]
        except OSError as error:
            raise CorpusError(f"{self._output.parent}: cannot be written to: {error.strerror}") from error

    def _merged(self) -> Iterator[Records]:
        share = max(self._capacity // 2 // (len(self._bounds) - 1), _READ_MIN)
        runs = [_Run(self._file.fileno(), *bounds, share) for bounds in pairwise(self._bounds)]
        while runs:
            for run in runs:
                run.refill()
            # Records still on disk come after the last record that was read of their run. So up to the lowest of those,
            # all records are in memory, however uneven the runs are.
            limit = min((run.front[-1] for run in runs if run.more), default=np.uint64(2**64 - 1))
            block = np.concatenate([run.take(limit) for run in runs])
            block.sort()
            yield block
            runs = [run for run in runs if run.more or len(run.front)]


class _Run:
    """A sorted part of the file, of which the front is in memory."""

    def __init__(self, descriptor: int, start: int, end: int, share: int) -> None:
        self.front: Records = NONE
        self._descriptor = descriptor
        self._next = start
        self._end = end
        self._share = share

    @property
    def more(self) -> bool:
        """Whether a part of the run is not in memory yet."""
        return self._next < self._end

    def refill(self) -> None:
        if not self.more or len(self.front) > self._share // 2:
            return
        size = min(self._share - len(self.front), self._end - self._next)
        raw = read_at(self._descriptor, RECORD_BYTES * size, RECORD_BYTES * self._next)
        if len(raw) != RECORD_BYTES * size:
            raise CorpusError("temporary data of the sorting cannot be read back")
        self.front = np.concatenate((self.front, np.frombuffer(raw, np.uint64)))
        self._next += size

    def take(self, limit: np.uint64) -> Records:
        """Remove and return all records up to `limit`."""
        cut = np.searchsorted(self.front, limit, side="right")
        taken, self.front = self.front[:cut], self.front[cut:]
        return taken
