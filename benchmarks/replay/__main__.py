"""`python -m benchmarks.replay [run|figures]`: replay two days of an attack, or write its page anew."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import arguments
from benchmarks.replay import report
from benchmarks.replay.lead import Broken, Lead, Stopped
from benchmarks.replay.plan import US, Plan
from benchmarks.tables import wide_console
from sekisho.cli.progress import drawing

if TYPE_CHECKING:
    import argparse

WORK = Path(tempfile.gettempdir()) / "sekisho-replay"


def main() -> int:
    options = _parser().parse_args()
    if options.part == "figures":
        report.write_replay_page(quick=options.scale < 1)
        return 0
    plan = None
    if not options.resume:
        start_us = int(time.time()) * US
        plan = Plan(options.scale, options.workers, options.callers, start_us, compiled=not options.plain)
    try:
        with drawing() as drawn, Lead(options.work, plan, drawn, anew=options.anew, pin=not options.unpinned) as lead:
            found = lead.replay()
    except Stopped:
        print(f"Stopped; {_again(options)} goes on where this ended.", file=sys.stderr)
        return 130
    except Broken as error:
        print(error, file=sys.stderr)
        return 1
    wide_console().print(*report.replay_tables(found))
    if options.json:
        options.json.write_text(json.dumps(found) + "\n")
    else:
        report.write_replay(found, quick=lead.plan.scale < 1)
    return 0 if report.nothing_lost(found) else 1


def _again(options: argparse.Namespace) -> str:
    return f"python -m benchmarks.replay --resume --work {options.work}"


def _parser() -> argparse.ArgumentParser:
    parser = arguments.parser(__doc__, quick="")
    parser.prog = "python -m benchmarks.replay"
    parser.add_argument("part", nargs="?", choices=["run", "figures"], default="run")
    parser.add_argument("--scale", type=float, default=1.0, help="of everything but rates; 0.02 is a first look")
    parser.add_argument("--workers", type=int, default=2, help="processes; each is pinned to a core in turn")
    parser.add_argument("--callers", type=int, default=64, help="attempts under way at once, a worker")
    parser.add_argument("--work", type=Path, default=WORK, help="where state and Redis are kept (a gigabyte or two)")
    parser.add_argument("--plain", action="store_true", help="the sources as they are, not compiled")
    parser.add_argument("--unpinned", action="store_true", help="let the kernel choose cores")
    parser.add_argument("--json", type=Path, help="where to write all that was found, and nothing else then")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--resume", action="store_true", help="go on with what is in the work folder")
    which.add_argument("--anew", action="store_true", help="forget what is in the work folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
