"""Reads a file of events that is being written: its newest lines, and those that come."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO, Final

from sekisho.record.lines import LINE_CHARS_MAX, LineError, decode, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sekisho.record.events import Event

LATE_US: Final = 60_000_000
"""Workers write a line within seconds of its event, and so not in the order of all events."""
_TIME: Final = b'"time":"'
_TIME_BYTES: Final = 20  # to the second
_NEAR_BYTES: Final = 65_536


class EventTail:
    """The events of a file, also after it was renamed (logrotate) and another took its place.

    `unread`: the number of lines that are no events.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = path.open("rb")
        self._part = b""  # of a line whose end is not written yet
        self.unread = 0

    @property
    def done(self) -> float:
        """How much of the file was read or passed over: 0 to 1."""
        size = os.fstat(self._file.fileno()).st_size if self._file is not None else 0
        return self._file.tell() / size if self._file is not None and size else 1.0

    def skip_to_last(self, size: int) -> None:
        """Go to the last part of the file, of this many bytes, behind the end of a line."""
        if self._file is not None and self._file.seek(0, os.SEEK_END) > size:
            self._file.seek(-size, os.SEEK_END)
            self._file.readline()
        elif self._file is not None:
            self._file.seek(0)

    def skip_before(self, at_us: int) -> None:
        """Go to a line before the events of this Unix time, as near as is cheap: a file of a year is not read."""
        if self._file is None:
            return
        wanted = time_text(max(0, at_us - LATE_US))[:_TIME_BYTES].encode()
        low, high = 0, self._file.seek(0, os.SEEK_END)
        while high - low > _NEAR_BYTES:
            middle = (low + high) // 2
            if self._time_after(self._file, middle) < wanted:
                low = middle
            else:
                high = middle
        self._file.seek(low)
        if low:
            self._file.readline(LINE_CHARS_MAX + 1)

    @staticmethod
    def _time_after(file: BinaryIO, at: int) -> bytes:
        """The time of the first whole line behind a place; of a line without one, the latest of all."""
        file.seek(at)
        file.readline(LINE_CHARS_MAX + 1)
        line = file.readline(LINE_CHARS_MAX + 1)
        found = line.find(_TIME)
        return line[found + len(_TIME) :][:_TIME_BYTES] if found >= 0 else b"~"

    def more(self) -> Iterator[tuple[Event, bytes]]:
        """Yield each event that was written since the last call, with its line, also of a new file at the path."""
        yield from self._rest()
        if self._was_replaced():
            yield from self._rest()  # written before the writers had noticed
            self.close()
            self._part = b""
        if self._file is None and self._path.exists():
            self._file = self._path.open("rb")
            yield from self._rest()

    def _rest(self) -> Iterator[tuple[Event, bytes]]:
        # Bounded: a line without an end must not fill the memory.
        while self._file is not None and (read := self._file.readline(LINE_CHARS_MAX + 1)):
            self._part += read
            if self._part.endswith(b"\n") or len(self._part) > LINE_CHARS_MAX:
                line, self._part = self._part, b""
                yield from self._line(line)

    def _line(self, line: bytes) -> Iterator[tuple[Event, bytes]]:
        try:
            event = decode(line)
        except LineError:
            self.unread += 1
            return
        if event is not None:
            yield event, line

    def _was_replaced(self) -> bool:
        if self._file is None:
            return False
        here = os.fstat(self._file.fileno())
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return True
        return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino) or there.st_size < self._file.tell()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
