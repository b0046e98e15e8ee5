"""Download the hashes of all passwords that Have I Been Pwned knows: 16^5 ranges, one gzip file each, into a folder.

All ranges are fetched, so the service learns no password. It needs some 50 GB of disk and, on an ordinary line, an hour
or more. Interrupt it at any time, and run it again to continue; run it next month to fetch only changed ranges. If the
service asks for a pause, the command waits.

Exit code: 0 if all ranges are there; 1 if some are missing or it had to stop. Existing ranges are not fetched twice.
"""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.cli.corpus.common import tidily
from sekisho.cli.progress import amount, drawing
from sekisho.cli.usage import within
from sekisho.corpus.fetch import SOURCE_URL, FetchError, FetchPace, fetch

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from sekisho.corpus.fetch import FetchReport

__all__ = ["arguments", "run"]

_PACE = FetchPace()
_DIGITS = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", help="the folder for the ranges; created if it is missing")
    parser.add_argument("--url", default=SOURCE_URL, help="a mirror of the range API [%(default)s]")
    parser.add_argument(
        "--connections",
        type=within(1, 16),
        default=_PACE.connections,
        metavar="N",
        help="connections to the service at once [%(default)s]",
    )
    parser.add_argument(
        "--requests",
        type=within(1, 256),
        default=_PACE.requests,
        metavar="N",
        help="under way at once over all connections; fewer where the service says that it is too much [%(default)s]",
    )
    parser.add_argument(
        "--only",
        type=_beginning,
        metavar="HEX",
        help="only the ranges that begin with these digits, to try it out: `00` is 4,096 of them",
    )


def _beginning(text: str) -> str:
    if not re.fullmatch(f"[0-9A-Fa-f]{{1,{_DIGITS}}}", text):
        raise ValueError
    return text


_beginning.__name__ = "beginning (1 to 5 hex digits)"  # argparse puts it into "invalid … value"


def run(args: argparse.Namespace) -> int:
    try:
        with tidily():
            report = _fetched(args)
    except FetchError as error:
        if args.json and error.report is not None:
            print(json.dumps(_figures(error.report, str(error)), indent=2))
        raise
    print(json.dumps(_figures(report), indent=2) if args.json else _told(report, args))
    return 0


def _fetched(args: argparse.Namespace) -> FetchReport:
    try:
        with drawing() as progress:
            return asyncio.run(
                fetch(
                    Path(args.folder),
                    url=args.url,
                    prefixes=_prefixes(args.only) if args.only else None,
                    pace=replace(_PACE, connections=args.connections, requests=args.requests),
                    progress=progress,
                )
            )
    except KeyboardInterrupt:
        print("Interrupted. Run it again to resume.", file=sys.stderr)
        raise


def _prefixes(beginning: str) -> Iterator[str]:
    left = _DIGITS - len(beginning)
    return (f"{beginning}{number:0{left}X}" if left else beginning for number in range(16**left))


def _figures(report: FetchReport, problem: str = "") -> dict[str, object]:
    return {
        "complete": not problem,
        "problem": problem,
        "fetched": report.fetched,
        "unchanged": report.unchanged,
        "kept": report.kept,
        "failed": {failure.prefix: failure.reason for failure in report.failed},
        "bytes": report.bytes,
    }


def _told(report: FetchReport, args: argparse.Namespace) -> str:
    ranges = report.fetched + report.unchanged + report.kept
    return (
        f"{args.folder}: all {ranges:,} ranges. {report.fetched:,} were fetched ({amount(report.bytes, 'B')}), "
        f"{report.unchanged:,} had not changed, {report.kept:,} were there from the last run.\n"
        f"Next: sekisho corpus build {'--partial ' if args.only else ''}passwords.corpus {shlex.quote(args.folder)}"
    )
