"""Standard output that may be lost: its reader goes away (`… | head`), its disk is full, or it is closed."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["OutputLost", "ReaderGone", "many", "printable", "standard_output"]


def printable(text: str) -> str:
    """Return a text for a terminal: one with control characters, or ones that turn the line around, is escaped."""
    return text if text.isprintable() else ascii(text)


def many(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 account`, `2,000 accounts`. `plural`: where an `s` does not make it."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


class ReaderGone(BrokenPipeError):  # noqa: N818 - `… | head` is no error
    """The reader of standard output has seen enough."""


class OutputLost(SekishoError):  # noqa: N818 - a state of the terminal or the disk, not of the program
    """Standard output cannot be written."""

    def __init__(self, why: str | None) -> None:
        super().__init__(
            f"standard output cannot be written: {why or 'failed'} (changes are made before anything is printed, so "
            "they are made)"
        )


class Output:
    """A text stream whose errors are told from those of other files. `stream` does all else."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lost: ReaderGone | OutputLost | None = None

    def write(self, text: str) -> int:
        with self._told():
            return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if isinstance(self._lost, ReaderGone):
            raise self._lost  # argparse passes over the first one
        if self._lost is None:  # the other is said once
            with self._told():
                self._stream.flush()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._lost = ReaderGone() if isinstance(error, BrokenPipeError) else OutputLost(error.strerror)
            raise self._lost from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def standard_output() -> Iterator[None]:
    """A context in which writing to standard output raises `ReaderGone` or `OutputLost`, at its end at the latest.

    Where standard output or standard error is closed, its text is dropped.
    """
    before = sys.stdout, sys.stderr
    streams = [stream or Path(os.devnull).open("w", encoding="utf-8") for stream in before]  # noqa: SIM115 - for the process
    output = Output(streams[0])
    sys.stdout, sys.stderr = cast("Any", output), cast("Any", streams[1])
    try:
        try:
            yield
        finally:
            output.flush()
    finally:
        _drop_unwritten(streams[0])
        sys.stdout, sys.stderr = before


def _drop_unwritten(stream: IO[str]) -> None:
    """Where text is left that cannot be written, write it nowhere: Python would try again, and print a traceback."""
    try:
        stream.flush()
    except OSError:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
