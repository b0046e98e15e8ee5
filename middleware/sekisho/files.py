"""Files that are written completely or not at all, and how files are opened on every platform.

A full disk or a kill must not leave half of a file.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AS_IT_IS", "read_at", "replace_text"]

AS_IT_IS: Final[int] = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""For `os.open`: it does not wait for the other end of a FIFO, and no byte is translated. Windows has no FIFOs, and
ends lines with two bytes unless it is told not to."""


def replace_text(path: Path, text: str) -> None:
    """Write a text file, or replace it in one step. A terminal or a pipe (/dev/stdout) is written to.

    Raises `OSError`, which names the file; the file of before is still there then.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
        else:
            _replaced(path.resolve(), text)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def read_at(descriptor: int, size: int, at: int) -> bytes:
    """Read up to `size` bytes from byte `at` of a file, and leave its position as it is. Raises `OSError`."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, at)
    # On Windows. Only one thread uses such a descriptor.
    before = os.lseek(descriptor, 0, os.SEEK_CUR)
    try:
        os.lseek(descriptor, at, os.SEEK_SET)
        return os.read(descriptor, size)
    finally:
        os.lseek(descriptor, before, os.SEEK_SET)


def _replaced(path: Path, text: str) -> None:
    # Named by the process: two commands with one file do not write into each other's draft.
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
