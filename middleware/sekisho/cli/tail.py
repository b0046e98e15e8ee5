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
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.cli import asking, operator
from sekisho.cli.output import printable
from sekisho.cli.target import account_subject, address_subject
from sekisho.cli.usage import Misused, within
from sekisho.record.event_tail import EventTail
from sekisho.record.lines import DETAILS, FORMS, SUBJECT
from sekisho.settings.table import EVENTS_FILE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

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
    wanted = _filter(args)
    with closing(EventTail(Path(named))) as events:
        shown = _show(events, wanted, args)
    if not shown and args.lines:
        # On standard error: with --json, standard output has events alone.
        where = "the file" if args.all else f"the last {LAST_BYTES >> 20} MiB of the file (--all looks at all of it)"
        sys.stderr.write(f"sekisho tail: no such event in {where}\n")
    if events.unread:
        sys.stderr.write(f"sekisho tail: {events.unread} lines are no events\n")
    return 0


def _show(events: EventTail, wanted: Filter, args: argparse.Namespace) -> int:
    """Print events; returns how many. With --follow it goes on until it is interrupted."""
    written, shown = _raw if args.json else _as_text, 0

    def more() -> Iterator[str]:
        return (written(event, line) for event, line in events.more() if wanted.passes(event))

    if not args.all:
        events.skip_to_last(LAST_BYTES)
    for line in more() if args.all else deque(more(), maxlen=args.lines):
        print(line, flush=True)
        shown += 1
    while args.follow:
        for line in more():
            print(line, flush=True)
        time.sleep(PAUSE_S)
    return shown


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
