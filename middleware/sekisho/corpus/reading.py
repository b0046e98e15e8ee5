"""Reads the bytes of an input (a file, a pipe or standard input, gzip or not) in pieces.

No error contains any of the content, since each line may be a password. Errors name the file and the line.
"""

from __future__ import annotations

import gzip
import io
import stat
import sys
import time
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import numpy as np

from sekisho.breach.header import CorpusError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from typing_extensions import Buffer  # in collections.abc from 3.12 on; not imported at run time

    from sekisho.breach.progress import Progress

CHUNK_BYTES: Final = 2**20  # some 23,000 hashes, whose columns fit into a core's cache
LINE_BYTES_MAX: Final = 2**16  # bounds the memory for a line without an end

GZIP_MAGIC: Final = b"\x1f\x8b"

_TELL_EVERY_S: Final = 0.1
_LF: Final = 10


class InputLines(NamedTuple):
    """Whole lines, each with its LF, and the number of the first line, counted from 1."""

    data: bytes
    first: int


def name_of(path: Path | None) -> str:
    return "standard input" if path is None else str(path)


def bytes_of(path: Path | None) -> int | None:
    """Return the stored size of a file; `None` if it is unknown before the end. Raises `CorpusError`."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror}") from error
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def is_gzip(path: Path) -> bool:
    """Whether the first bytes are gzip's, since names are unreliable."""
    with _opened(path) as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC


def chunks(path: Path | None, progress: Progress) -> Iterator[bytes]:
    """Yield the content of a file (`None`: of standard input) in pieces of a MiB; gzip is detected and decompressed.

    `progress` receives the bytes as they are stored, compressed or not.

    Raises:
        CorpusError: the file cannot be read, or its gzip is damaged or truncated.
    """
    progress.begin(f"reading {name_of(path)}", bytes_of(path), "B")
    with _opened(path) as file:
        told = _Told(file, progress)
        buffered = io.BufferedReader(told, CHUNK_BYTES)
        try:
            packed = buffered.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
            reading = gzip.GzipFile(fileobj=buffered, mode="rb") if packed else buffered
            while chunk := reading.read(CHUNK_BYTES):
                yield chunk
        except EOFError as error:
            raise CorpusError(f"{name_of(path)}: its gzip is cut short: get the whole file again") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise CorpusError(f"{name_of(path)}: its gzip is damaged: get the file again") from error
        except OSError as error:
            raise CorpusError(f"{name_of(path)}: {error.strerror}") from error
        told.tell_progress()


def lines(pieces: Iterable[bytes], name: str) -> Iterator[InputLines]:
    """Yield the same bytes in whole lines, without a byte order mark. A missing last line end is added.

    Raises:
        CorpusError: an endless line, or text in UTF-16, as PowerShell writes it.
    """
    held, number = b"", 1
    for piece in _unmarked(pieces, name):
        data = held + piece
        if end := data.rfind(b"\n") + 1:
            yield InputLines(data[:end], number)
            number += int(np.count_nonzero(np.frombuffer(data, np.uint8, end) == _LF))  # ten times as fast as `count`
        held = data[end:]
        if len(held) > LINE_BYTES_MAX:
            raise CorpusError(f"{name}, line {number}: longer than {LINE_BYTES_MAX} bytes: this is no such list")
    if held:
        yield InputLines(held + b"\n", number)


def unmarked(first: bytes, name: str) -> bytes:
    """Return a text's first bytes without the byte order mark. Raises `CorpusError` for UTF-16.

    `name`: of the input, for the error.
    """
    if first.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise CorpusError(f"{name}: is in UTF-16: convert it to UTF-8")
    return first.removeprefix(BOM_UTF8)


def _unmarked(pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
    pieces = iter(pieces)
    first = b""
    while len(first) < len(BOM_UTF8) and (piece := next(pieces, b"")):
        first += piece
    yield unmarked(first, name)
    yield from pieces


@contextmanager
def _opened(path: Path | None) -> Iterator[io.BufferedIOBase]:
    if path is None:
        if sys.stdin is None:
            raise CorpusError("standard input is closed")
        yield cast("io.BufferedIOBase", sys.stdin.buffer)
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror}") from error
    with file:
        yield file


class _Told(io.RawIOBase):
    """A file that reports its progress some times a second."""

    def __init__(self, file: io.BufferedIOBase, progress: Progress) -> None:
        self._file = file
        self._progress = progress
        self._untold = 0
        self._tell_at_s = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        # One system call at a time: while `read` waited for a pipe to fill a megabyte, Ctrl-C would have no effect.
        size = self._file.readinto1(buffer)
        self._untold += size
        if time.monotonic() >= self._tell_at_s:
            self.tell_progress()
        return size

    def tell_progress(self) -> None:
        self._progress.advance(self._untold)
        self._untold = 0
        self._tell_at_s = time.monotonic() + _TELL_EVERY_S
