"""`sekisho …`: one module of this package for each command.

A command is a module with two functions, named in `COMMANDS`; it is imported when it is asked for, so that none pays
for what another needs:

    def arguments(parser: argparse.ArgumentParser) -> None   # beside `--json`, which every command has
    def run(args: argparse.Namespace) -> int                 # the exit code
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "Command", "main"]

FAILED = 1
MISUSED = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells count


class Command(NamedTuple):
    """A command: one line of help, and the extra that must be installed for it (empty: none)."""

    help: str
    extra: str = ""


COMMANDS = {
    "demo": Command("attack a log-in service over HTTP, without the guard and with it", extra="demo"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code: 0, 1 (it failed), 2 (it was misused), 130 (interrupted)."""
    # A command's own `--help` belongs to its own parser: only what stands before its name is read here.
    parser = _parser()
    given = parser.parse_args(argv)
    if given.command is None:
        parser.print_help(sys.stderr)
        return MISUSED
    try:
        return _run(given.command, given.rest)
    except SekishoError as error:
        sys.stderr.write(f"sekisho {given.command}: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:{width}}  {command.help}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="sekisho",
        description="A checkpoint in front of a log-in: everyone can travel, nobody passes unexamined.",
        epilog=f"commands:\n{commands}\n\n`sekisho COMMAND --help` says more of one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="…", help="what the command takes")
    return parser


def _run(name: str, rest: Sequence[str]) -> int:
    try:
        command = import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as missing:
        if not COMMANDS[name].extra or (missing.name or "sekisho").partition(".")[0] == "sekisho":
            raise
        extra = COMMANDS[name].extra
        sys.stderr.write(f"sekisho {name} needs {missing.name}: pip install 'sekisho[{extra}]'\n")
        return MISUSED
    parser = argparse.ArgumentParser(
        prog=f"sekisho {name}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON, and nothing else")
    command.arguments(parser)
    return int(command.run(parser.parse_args(rest)))
