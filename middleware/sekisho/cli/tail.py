"""Print the newest events of SEKISHO_EVENTS_FILE, and go on as they are written.

  sekisho tail                                   the newest 20
  sekisho tail --follow --kind decided --door "POST /login"
  sekisho tail --kind commanded                  what operators did, who and why
  sekisho tail --account - --follow              one account: its name is typed, or comes as a line of standard input

Without --all it looks at the last 16 MiB of the file. With --follow it goes on until Ctrl-C, also when the file is
renamed (logrotate) and another takes its place. --json prints the lines of the file as they are; docs/events.md has
their fields. Accounts and addresses are not in the file: --account and --address compare keyed digests, which needs
the service's SEKISHO_SECRET.

Exit code: 0 if the file could be read; 1 if not; 2 if the command line is wrong; 130 after Ctrl-C.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from sekisho.cli import asking, operator
from sekisho.cli.output import printable
from sekisho.cli.target import account_subject, address_subject
from sekisho.cli.usage import Misused, within
from sekisho.record.lines import DETAILS, FORMS, LINE_CHARS_MAX, SUBJECT, LineError, decode
from sekisho.settings.table import EVENTS_FILE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from sekisho.record import Event

__all__ = ["arguments", "run"]

LAST_BYTES: Final = 16 << 20
PAUSE_S: Final = 0.2
_DETAILS: Final = tuple(dict.fromkeys(("action", "command", *DETAILS)))  # the act comes first


class Filter(NamedTuple):
    """Which events are printed; an empty part lets all through."""

    kinds: frozenset[str] = frozenset()
    doors: frozenset[str] = frozenset()
    account: str = ""
    address: str = ""

    def passes(self, event: Event) -> bool:
        return (
            (not self.kinds or event.kind in self.kinds)
            and (not self.doors or event.door in self.doors)
            and (not self.account or event.subject.account == self.account)
            and (not self.address or event.subject.address == self.address)
        )


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--follow", action="store_true", help="go on with events as they are written")
    parser.add_argument(
        "--kind", action="append", default=[], choices=sorted(FORMS), help="only this kind; may be repeated"
    )
    parser.add_argument(
        "--door", action="append", default=[], metavar="DOOR", help="only this door ('POST /login'); may be repeated"
    )
    parser.add_argument("--account", metavar="NAME", help="only this account; - reads it from standard input")
    parser.add_argument("--address", metavar="ADDRESS", help="only this address (IPv6: its /64); - as above")
    parser.add_argument(
        "--lines", type=within(0, 100_000), default=20, metavar="N", help="how many to begin with (default: 20)"
    )
    parser.add_argument("--all", action="store_true", help="begin with all events of the file")
    parser.add_argument("--file", metavar="FILE", help="another file than SEKISHO_EVENTS_FILE")


def run(args: argparse.Namespace) -> int:
    named = args.file or os.environ.get(EVENTS_FILE.variable)
    if not named:
        raise Misused(
            "SEKISHO_EVENTS_FILE is not set here: run this with the environment of the service, or give --file"
        )
    with closing(EventTail(Path(named), _filter(args), _raw if args.json else _as_text)) as events:
        _show(events, args)
    if events.unread:
        sys.stderr.write(f"sekisho tail: {events.unread} lines are no events\n")
    return 0


def _show(events: EventTail, args: argparse.Namespace) -> None:
    for line in events.last(None if args.all else args.lines):
        print(line, flush=True)
    while args.follow:
        for line in events.more():
            print(line, flush=True)
        time.sleep(PAUSE_S)


def _filter(args: argparse.Namespace) -> Filter:
    account, address = args.account, args.address
    account = asking.line("account") if account == "-" else account
    address = asking.line("address") if address == "-" else address
    if account is None and address is None:
        return Filter(frozenset(args.kind), frozenset(args.door))
    settings = operator.settings()
    return Filter(
        frozenset(args.kind),
        frozenset(args.door),
        account_subject(account, settings).account if account is not None else "",
        address_subject(address, settings).address if address is not None else "",
    )


class EventTail:
    """The lines of a file that pass, as they are printed.

    `unread`: the number of lines that are no events.
    """

    def __init__(self, path: Path, wanted: Filter, shown: Callable[[Event, bytes], str]) -> None:
        self._path = path
        self._wanted = wanted
        self._shown = shown
        self._file: BinaryIO | None = path.open("rb")
        self._part = b""  # of a line whose end is not written yet
        self.unread = 0

    def last(self, count: int | None) -> Iterator[str]:
        """Yield the newest `count` lines of the file that pass the filter; all of them if `count` is None."""
        if count is None:
            yield from self.more()
        else:
            self._skip()
            yield from deque(self.more(), maxlen=count)

    def more(self) -> Iterator[str]:
        """Yield the lines that pass the filter and were written since the last call, also to a new file at the path."""
        yield from self._rest()
        if self._was_replaced():
            yield from self._rest()  # written before the writers had noticed
            self.close()
            self._part = b""
        if self._file is None and self._path.exists():
            self._file = self._path.open("rb")
            yield from self._rest()

    def _skip(self) -> None:
        """Go to the last part of the file, behind the end of a line."""
        if self._file is not None and self._file.seek(0, os.SEEK_END) > LAST_BYTES:
            self._file.seek(-LAST_BYTES, os.SEEK_END)
            self._file.readline()
        elif self._file is not None:
            self._file.seek(0)

    def _rest(self) -> Iterator[str]:
        # Bounded: a line without an end must not fill the memory.
        while self._file is not None and (read := self._file.readline(LINE_CHARS_MAX + 1)):
            self._part += read
            if self._part.endswith(b"\n") or len(self._part) > LINE_CHARS_MAX:
                line, self._part = self._part, b""
                yield from self._line(line)

    def _line(self, line: bytes) -> Iterator[str]:
        try:
            event = decode(line)
        except LineError:
            self.unread += 1
            return
        if event is not None and self._wanted.passes(event):
            yield self._shown(event, line)

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


def _raw(_: Event, line: bytes) -> str:
    return line.decode().rstrip("\n")


def _as_text(event: Event, _: bytes) -> str:
    at = datetime.fromtimestamp(event.at_us / 1e6, UTC)
    words = [f"{at:%Y-%m-%d %H:%M:%S}", *map(printable, (event.kind, event.door, " ".join(event.reasons)))]
    words += [f"{name}={_plain(getattr(event, name))}" for name in _DETAILS if getattr(event, name)]
    words += [f"{name}={_plain(getattr(event.subject, name))}" for name in SUBJECT if getattr(event.subject, name)]
    if event.times > 1:
        words.append(f"times={event.times}")
    return " ".join(filter(None, words))


def _plain(text: str) -> str:
    return ascii(text) if " " in text else printable(text)
