"""Print refused addresses as JSON lines, for programs of your own.

  sekisho feed json
  {"do": "refuse", "network": "203.0.113.7", "until": 1767225630.5}
  {"do": "release", "network": "203.0.113.7"}

A network is an IPv4 address or an IPv6 /64; `until` is Unix time. A later line for the same network replaces the
earlier one. The first lines are the addresses that are refused now.

Exit code: 0 when it is stopped, or after --once; 1 if the feed fails; 2 if the command line is wrong.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from sekisho.cli.feed import common
from sekisho.feed.fronts.json_lines import JsonLines

if TYPE_CHECKING:
    import argparse

__all__ = ["arguments", "run"]


def arguments(parser: argparse.ArgumentParser) -> None:
    common.arguments(parser)


def run(args: argparse.Namespace) -> int:
    # One value instead of lines, as `--json` promises.
    write = _nowhere if args.once and args.json else partial(print, flush=True)
    return common.run(args, JsonLines(write, time.time), is_output=True)


def _nowhere(_: str) -> None:
    """Drop a line."""
