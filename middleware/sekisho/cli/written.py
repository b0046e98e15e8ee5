"""Shared by `sekisho campaigns` and `sekisho report`: written events, read as often as needed and always the same."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sekisho.cli.operator import seconds
from sekisho.cli.usage import Misused
from sekisho.record import Kind
from sekisho.record.lines import LINE_CHARS_MAX, LineError, decode, time_text
from sekisho.settings.table import AUDIT, EVENTS_FILE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import BinaryIO

    from sekisho.record import Event

SINCE_MAX_S: Final = 366 * 86_400
_KINDS: Final = (Kind.SETTLED, Kind.DECIDED, Kind.STEP_UP_PROVED, Kind.STEP_UP_NOT_COMPLETED)
_MARKS: Final = tuple(f'"kind":"{kind}"'.encode() for kind in _KINDS)
_TIME: Final = b'"time":"'
_TIME_BYTES: Final = 20


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="SPAN", default="24h", help="how far back: 90m, 24h (the default), 7d")
    parser.add_argument(
        "--file",
        action="append",
        default=[],
        metavar="FILE",
        help="the audit's own lines or events, instead of the file of SEKISHO_AUDIT or SEKISHO_EVENTS_FILE; may be "
        "repeated, for files that were renamed",
    )


def written(args: argparse.Namespace) -> WrittenEvents:
    """The events that the command line names. Raises `Misused`, `OSError`."""
    since_s = time.time() - seconds(args.since, "--since", SINCE_MAX_S)
    paths = [Path(named) for named in args.file] or [_configured()]
    return WrittenEvents(paths, int(since_s))


def _configured() -> Path:
    # The audit first: it has a line for each log-in, and the event file sums up a flood.
    audit = os.environ.get(AUDIT.variable, "")
    if audit.startswith("file:"):
        return Path(audit.removeprefix("file:"))
    if named := os.environ.get(EVENTS_FILE.variable):
        return Path(named)
    raise Misused("neither a file of SEKISHO_AUDIT nor SEKISHO_EVENTS_FILE is set, and there is no --file")


class WrittenEvents:
    """Gives the events of some files since a time, in the order of the files; lines that come meanwhile are left out.

    `unread`: the number of lines that are no events, at the last reading.
    """

    def __init__(self, paths: list[Path], since_s: int) -> None:
        self._sizes = {path: path.stat().st_size for path in paths}
        self._since = time_text(since_s * 1_000_000)[:_TIME_BYTES].encode()
        self.unread = 0

    def __call__(self) -> Iterator[Event]:
        self.unread = 0
        for path, size in self._sizes.items():
            with path.open("rb") as file:
                yield from self._of(file, size)

    def _of(self, file: BinaryIO, size: int) -> Iterator[Event]:
        while file.tell() < size and (line := file.readline(LINE_CHARS_MAX + 1)):
            # Most lines are of other kinds or times: looking for bytes is cheaper than reading JSON.
            if self._is_recent(line) and any(mark in line for mark in _MARKS):
                yield from self._decoded(line)

    def _is_recent(self, line: bytes) -> bool:
        at = line.find(_TIME) + len(_TIME)
        return line[at : at + _TIME_BYTES] >= self._since

    def _decoded(self, line: bytes) -> Iterator[Event]:
        try:
            event = decode(line)
        except LineError:
            self.unread += 1
            return
        if event is not None:
            yield event


def say_unread(events: WrittenEvents, command: str) -> None:
    if events.unread:
        sys.stderr.write(f"{command}: {events.unread} lines are no events\n")


def span_text(first_us: int, last_us: int) -> str:
    """`2026-11-29 17:00 to 17:40 UTC`, or with two dates."""
    first, last = (datetime.fromtimestamp(at_us / 1e6, UTC) for at_us in (first_us, last_us))
    end = f"{last:%H:%M}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M}"
    return f"{first:%Y-%m-%d %H:%M} to {end} UTC"
