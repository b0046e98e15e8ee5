"""Reads a file of events back into values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.record.lines import LINE_CHARS_MAX, LineError, decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from sekisho.record.events import Event


class ReplayError(LineError):
    """A line is no event.

    `number`: of the line; the first is 1.
    """

    def __init__(self, number: int, problem: str) -> None:
        self.number = number
        super().__init__(f"line {number} {problem}")


def replay(lines: BinaryIO) -> Iterator[Event]:
    """The events of a file, in the order of its lines. Empty lines, and kinds of a later release, are skipped.

    Only one line is in memory at a time, and no more than `LINE_CHARS_MAX` bytes of it. A last line without an end is
    an error: its writer may still be at it.

    Raises:
        ReplayError: a line is no event; the message names it.
    """
    for _, event in numbered(lines):
        yield event


def numbered(lines: BinaryIO) -> Iterator[tuple[int, Event]]:
    """Yield the events of a file as `replay` does, each after the number of its line; the first line is 1."""
    number = 0
    while line := lines.readline(LINE_CHARS_MAX + 1):
        number += 1
        try:
            event = _decoded(line)
        except LineError as error:
            raise ReplayError(number, str(error)) from None
        if event is not None:
            yield number, event


def _decoded(line: bytes) -> Event | None:
    if not line.endswith(b"\n"):
        raise LineError("is too long" if len(line) > LINE_CHARS_MAX else "has no end: it was cut, or is being written")
    return decode(line) if line.strip() else None
