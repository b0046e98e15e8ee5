"""Appends whole lines to a file that several workers share."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sekisho.files import AS_IT_IS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WRITE_BYTES_MAX: Final = 65_536
"""Bytes of one write. The kernel appends each write whole, so lines of different workers do not mix."""

_CAN_RENAME: Final = find_spec("fcntl") is not None  # not on Windows, which renames no file that is open
_FLAGS: Final[int] = os.O_WRONLY | os.O_APPEND | os.O_CREAT | AS_IT_IS | getattr(os, "O_NOCTTY", 0)


class Appender:
    """Opens its file at the first write, and again where the path leads to another file by then (logrotate).

    Args:
        path: of the file. It is created if it is missing; its folder is not.
        bytes_max: the size from which the file is renamed to `path.1`, and a new one is begun; 0: never.
        files_max: how many renamed files are kept; the oldest is removed.
    """

    def __init__(self, path: str, *, bytes_max: int = 0, files_max: int = 0) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._files_max = files_max
        self._file = -1
        self._is_torn = False

    def append(self, lines: Iterable[bytes]) -> Iterator[int]:
        """Open the file now; returns an iterator that appends the lines as `write` does. Raises `OSError`."""
        self.open()
        return self.write(lines)

    def write(self, lines: Iterable[bytes]) -> Iterator[int]:
        """Append lines, each with its end; yields the number of lines in each write. Raises `OSError`."""
        for number, block in blocks(lines):
            self._write(block)
            yield number

    def open(self) -> bool:
        """Open the file at the path, and rename a full one first.

        Returns whether it is another file than was open before.

        Raises `OSError`.
        """
        if self._file >= 0 and self._is_full():
            self._rotate()
        if self._file >= 0 and not self._is_current():
            self.close()
        if self._file >= 0:
            return False
        self._file = os.open(self._path, _FLAGS, 0o640)
        self._is_torn = False
        return True

    def close(self) -> None:
        if self._file >= 0:
            with suppress(OSError):
                os.close(self._file)
            self._file = -1

    def _is_full(self) -> bool:
        return _CAN_RENAME and self._bytes_max > 0 and os.fstat(self._file).st_size >= self._bytes_max

    def _rotate(self) -> None:
        import fcntl  # noqa: PLC0415 - Windows has none

        # Of several workers that find the file full, one gets the lock and renames; the others find another file there.
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            if not self._is_current():
                return
            for number in range(self._files_max - 1, 0, -1):
                with suppress(FileNotFoundError):
                    Path(f"{self._path}.{number}").replace(f"{self._path}.{number + 1}")
            Path(self._path).replace(f"{self._path}.1")
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _is_current(self) -> bool:
        try:
            there = Path(self._path).stat()
        except OSError:
            return False
        mine = os.fstat(self._file)
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def _write(self, block: bytes) -> None:
        # The line that a full disk cut short is ended first, so that only that line is lost.
        block = b"\n" + block if self._is_torn else block
        written = os.write(self._file, block)
        if written < len(block):
            self._is_torn = not block[:written].endswith(b"\n")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._is_torn = False


def blocks(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Join lines to blocks of at most `WRITE_BYTES_MAX` bytes; yields each block after the number of its lines."""
    block: list[bytes] = []
    size = 0
    for line in lines:
        if block and size + len(line) > WRITE_BYTES_MAX:
            yield len(block), b"".join(block)
            block, size = [], 0
        block.append(line)
        size += len(line)
    if block:
        yield len(block), b"".join(block)
