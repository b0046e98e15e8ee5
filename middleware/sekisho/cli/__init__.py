"""`sekisho …`: one module of this package for each command.

A command is a module with these functions, listed in `COMMANDS`. It is imported only when it runs, so that no command
needs another's packages:

    def arguments(parser: argparse.ArgumentParser) -> None   # beside `--json`, which every command has
    def run(args: argparse.Namespace) -> int                 # the exit code
    def interrupted(args: argparse.Namespace) -> str         # what Ctrl-C may leave; only where something is changed

Or it is a package with its own `COMMANDS`: `sekisho corpus build` is `sekisho.cli.corpus.build`.
"""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho import interrupted
from sekisho.cli.output import OutputLost, ReaderGone, standard_output
from sekisho.cli.usage import Misused, Parser, VersionAction
from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["COMMANDS", "Command", "main", "parser_of"]

FAILED = 1
MISUSED = 2
INTERRUPTED = interrupted.CODE
READER_GONE = 141  # 128 + SIGPIPE


class Command(NamedTuple):
    """A command: one line of help, and the extra that it needs (empty: none)."""

    help: str
    extra: str = ""


COMMANDS: Mapping[str, Command] = {
    "demo": Command("attack a log-in service over HTTP, without the guard and with it", extra="demo"),
    "simulate": Command("owners and attackers before the whole guard, on simulated time", extra="demo"),
    "check": Command("try the doors of an application with invented log-ins: are its rules of success good?"),
    "doctor": Command("examine a deployment (secret, store, proxies, files): each mistake, and the line to write"),
    "mode": Command("show the mode, or switch all workers: enforce, monitor, off"),
    "posture": Command("show whether strangers' log-ins look like an attack, or force a posture for a time"),
    "deny": Command("networks that are refused: show them, add one, remove one"),
    "allow": Command("networks without address limits, for a time: show them, add one, remove one"),
    "look": Command("an account, an address or a device: its counters, why it is refused, and what ends it"),
    "unblock": Command("clear the counters of an account, an address or a device, so that its owner gets in"),
    "takeover": Command("report that an account was taken over: it is asked for a proof"),
    "campaigns": Command("attacks in the events: hostile log-ins grouped by what they share"),
    "report": Command("accounts that an attack has entered, to close them; shared addresses where owners are refused"),
    "export": Command("print everything that is stored about an account"),
    "forget": Command("remove everything that is stored about an account"),
    "feed": Command("give refused addresses to what stands in front: nftables, HAProxy, nginx, CrowdSec, Cloudflare"),
    "audit": Command("the audit: verify its lines, open sealed names, read the stream, create a key"),
    "console": Command("a page that shows what happens at the doors, and what is in force", extra="console"),
    "tail": Command("the events file, live and filtered"),
    "settings": Command("the settings in force, where each came from; secrets are hidden"),
    "policy": Command("policies before they are in force: check one, or compare two"),
    "completion": Command("completion of commands for bash, zsh or fish"),
    "corpus": Command("files of leaked passwords and pairs: fetch, build, show and check them"),
    "owners": Command("the database of owners and factors: tables, lost factors, new secrets"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Returns the exit code: 0, 1 (failed), 2 (misused), 130 (interrupted), 141 (nobody reads the output any more).
    """
    about = "A checkpoint in front of a log-in: everyone can travel, nobody passes unexamined."
    try:
        with standard_output():
            return _choose(COMMANDS, argv, prog="sekisho", package=__name__, about=about)
    except ReaderGone:
        return READER_GONE
    except OutputLost as error:
        return _say("sekisho", str(error), FAILED)


def _choose(
    commands: Mapping[str, Command], argv: Sequence[str] | None, *, prog: str, package: str, about: str | None
) -> int:
    # A command's own parser handles its `--help`: only arguments before its name are read here.
    parser = _parser(commands, prog, about)
    given = parser.parse_args(argv)
    if given.command is None:
        parser.print_help(sys.stderr)
        return MISUSED
    if given.command not in commands:
        near = get_close_matches(given.command, commands, n=1)
        parser.refuse(f"there is no such command{f'; did you mean {near[0]}?' if near else ''}")
    try:
        return _run(commands[given.command], given.rest, f"{prog} {given.command}", f"{package}.{given.command}")
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser(commands: Mapping[str, Command], prog: str, about: str | None) -> Parser:
    width = max(map(len, commands))
    listed = "\n".join(f"  {name:{width}}  {command.help}" for name, command in commands.items())
    parser = Parser(prog, about, epilog=f"commands:\n{listed}\n\n`{prog} COMMAND --help` says more of one.")
    parser.add_argument(
        "--version", action=VersionAction, nargs=0, help="print the version, and whether it is compiled"
    )
    parser.add_argument("command", nargs="?", metavar="COMMAND", help="one of the commands below")
    parser.add_argument("rest", nargs="...", metavar="…", help="arguments of the command")
    return parser


def parser_of(prog: str, module: Any) -> Parser:
    """Make the parser of a command. `prog`: the words that call it; `module`: the command's module."""
    parser = Parser(prog, module.__doc__)
    parser.add_argument("--json", action="store_true", help="print the result as JSON, and nothing else")
    module.arguments(parser)
    return parser


def _run(command: Command, argv: Sequence[str], prog: str, name: str) -> int:
    try:
        module = import_module(name)
    except ModuleNotFoundError as missing:
        if not command.extra or (missing.name or "sekisho").partition(".")[0] == "sekisho":
            raise
        from sekisho.settings.extras import installing  # noqa: PLC0415 - no command needs all settings to start

        sys.stderr.write(f"{prog} needs {missing.name}: {installing(command.extra)}\n")
        return MISUSED
    if hasattr(module, "COMMANDS"):
        return _choose(module.COMMANDS, argv, prog=prog, package=name, about=module.__doc__)
    return _executed(module, prog, argv)


def _executed(module: Any, prog: str, argv: Sequence[str]) -> int:
    args = None
    try:
        interrupted.raise_again()
        args = parser_of(prog, module).parse_args(argv)
        return int(module.run(args))
    except KeyboardInterrupt:
        return _interrupted(prog, module, args)
    except ReaderGone:
        raise
    except (SekishoError, OSError) as error:
        return _say(prog, _text(error), MISUSED if isinstance(error, Misused) else FAILED)


def _interrupted(prog: str, module: Any, args: Any) -> int:
    # The operator must learn what may be done in part.
    done = module.interrupted(args) if args is not None and hasattr(module, "interrupted") else ""
    return _say(prog, f"interrupted: {done}", INTERRUPTED) if done else INTERRUPTED


def _text(error: SekishoError | OSError) -> str:
    if isinstance(error, SekishoError):
        return str(error)
    # A full disk or a file without permission must not print a traceback.
    return ": ".join(str(part) for part in (error.filename, error.strerror) if part) or "failed"


def _say(prog: str, text: str, code: int) -> int:
    sys.stderr.write(f"{prog}: {text}\n")
    return code
