"""Shared by `sekisho campaigns` and `sekisho report`: written events, read as often as needed and always the same."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sekisho.audit.stream import lines_key
from sekisho.cli.audit.common import stored
from sekisho.cli.operator import seconds, settings
from sekisho.cli.usage import Misused
from sekisho.model import SekishoError
from sekisho.record import Kind
from sekisho.record.lines import LINE_CHARS_MAX, LineError, decode, time_text
from sekisho.settings.table import AUDIT, EVENTS_FILE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from sekisho.record import Event

    Lines = Callable[[], Iterator[bytes]]

NOT_WRITTEN: Final = "network not written (SEKISHO_AUDIT_ADDRESS=prefix writes it)"
SINCE_MAX_S: Final = 366 * 86_400
LOOKED_AT: Final = 100
NOWHERE: Final = (
    "neither SEKISHO_AUDIT (a file, or redis) nor SEKISHO_EVENTS_FILE is set here: run this with the environment of "
    "the service, or give --file"
)
_ANY_KIND: Final = b'"kind":"'
_KINDS: Final = (Kind.SETTLED, Kind.DECIDED, Kind.STEP_UP_PROVED)
_MARKS: Final = tuple(f'"kind":"{kind}"'.encode() for kind in _KINDS)
_TIME: Final = b'"time":"'
_TIME_BYTES: Final = 20


class NoEvents(SekishoError):  # noqa: N818 - a state of a file
    """A file has lines, and none of them is an event."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="SPAN", default="24h", help="how far back: 90m, 24h (the default), 7d")
    add_file(parser)


def add_file(parser: argparse.ArgumentParser) -> None:
    """Add the option `--file`."""
    parser.add_argument(
        "--file",
        action="append",
        default=[],
        metavar="FILE",
        help="the audit's own lines or events, instead of SEKISHO_AUDIT (a file, or redis) or SEKISHO_EVENTS_FILE; may "
        "be repeated, for files that were renamed",
    )


def has_source(args: argparse.Namespace) -> bool:
    """Whether the command line or the environment names a file or stream of events."""
    return bool(args.file or any(os.environ.get(each.variable) for each in (AUDIT, EVENTS_FILE)))


def written(args: argparse.Namespace) -> WrittenEvents:
    """Return the events of log-ins since `--since`, of each `--file`, else of `SEKISHO_AUDIT` or `SEKISHO_EVENTS_FILE`.

    Raises `Misused` without any of these, `NoEvents` for a file of other lines, `Unreachable`, `OSError`.
    """
    since_s = time.time() - seconds(args.since, "--since", SINCE_MAX_S)
    found = paths(args)
    return WrittenEvents([_of_stream()] if found is None else list(map(_of_file, found)), int(since_s))


def paths(args: argparse.Namespace) -> list[Path] | None:
    """Each `--file`, else the file of `SEKISHO_AUDIT` or `SEKISHO_EVENTS_FILE`; None for the audit's stream in Redis.

    Raises `Misused` without any of these, `NoEvents` for a file of other lines, `OSError`.
    """
    # The audit first: it has a line for each log-in, and the event file sums up a flood.
    audit = os.environ.get(AUDIT.variable, "")
    if args.file:
        found = args.file
    elif audit.startswith("file:"):
        found = [audit.removeprefix("file:")]
    elif audit == "redis":
        return None
    elif named := os.environ.get(EVENTS_FILE.variable):
        found = [named]
    else:
        raise Misused(NOWHERE)
    for each in found:
        _ensure_events(Path(each))
    return [Path(each) for each in found]


def _ensure_events(path: Path) -> None:
    # A log of another program, or an audit in a dialect for a SIEM, must not look like a quiet day.
    first = list(islice(_lines(path, path.stat().st_size), LOOKED_AT))
    if first and not any(_ANY_KIND in line for line in first):
        raise NoEvents(f"{path}: this is no file of events, and no audit in our own dialect")


def _of_file(path: Path) -> Lines:
    """The lines that the file has now: those that come meanwhile would differ between two readings."""
    return partial(_lines, path, path.stat().st_size)


def _lines(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while file.tell() < size and (line := file.readline(LINE_CHARS_MAX + 1)):
            yield line


def _of_stream() -> Lines:
    found = settings()
    lines = stored(found, lines_key(found.namespace))
    return lambda: iter(lines)


class WrittenEvents:
    """Gives the events of some sources since a time, in their order; always the same.

    Args:
        sources: each gives its lines, as often as it is called.
        since_s: Unix time.

    Attributes:
        unread: the number of lines that are no events, at the last reading.
    """

    def __init__(self, sources: list[Lines], since_s: int) -> None:
        self._sources = sources
        self._since = time_text(since_s * 1_000_000)[:_TIME_BYTES].encode()
        self.unread = 0

    def __call__(self) -> Iterator[Event]:
        self.unread = 0
        for lines in self._sources:
            for line in lines():
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
    """Two Unix times in microseconds as text: `2026-11-29 17:00 to 17:40 UTC`, or with two dates."""
    first, last = (datetime.fromtimestamp(at_us / 1e6, UTC) for at_us in (first_us, last_us))
    end = f"{last:%H:%M}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M}"
    return f"{first:%Y-%m-%d %H:%M} to {end} UTC"
