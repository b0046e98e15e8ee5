"""Errors about invalid command lines; they never repeat what was typed.

argparse repeats the invalid argument. Some commands handle passwords: a password typed in place of a file would appear
in every log of a command's errors.
"""

from __future__ import annotations

import argparse
import re
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NoReturn

from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Misused", "Parser", "VersionAction", "within"]

# argparse's own texts, up to the quoted argument. Names of arguments come from the parser, not from the user.
_SAID = re.compile(
    r"the following arguments are required: .*"
    r"|one of the arguments .* is required"
    r"|argument [^:]+: (?:expected [a-z ]+|not allowed with argument .*|invalid [^:']+|ignored explicit argument)"
    r"|unrecognized arguments",
    re.DOTALL,
)
_TYPE = re.compile(r": invalid ((?:number|beginning) .*) value\s*$")


class Misused(SekishoError):  # noqa: N818 - a state of the command line, not of the program
    """The command line is invalid: exit code 2. The text repeats no part of it."""


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` whose errors name options and repeat no argument."""

    def __init__(self, prog: str, description: str | None, epilog: str = "") -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            # A script with the abbreviation `--par` would break when a second option begins with it.
            allow_abbrev=False,
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse, except for `-hunter2`: Python 3.13 would read `-h`, print the help and report success."""
        given = sys.argv[1:] if args is None else list(args)
        if any(each.startswith("-h") and len(each) > 2 for each in given):
            self.error("unrecognized arguments: ")
        return super().parse_known_args(given, namespace)

    def error(self, message: str) -> NoReturn:
        """Exit with code 2, printing argparse's message without the user's text."""
        said = _SAID.match(message)
        text = _TYPE.sub(r": wants a \1", said.group()) if said else "this command line was not understood"
        self.refuse(text if text == message else f"{text} (not repeated here: it might be a password)")

    def refuse(self, text: str) -> NoReturn:
        """Exit with code 2, printing the usage and this text."""
        super().error(text)


class VersionAction(argparse.Action):
    """Print the installed version and exit. The version is looked up only when this option is used."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib import metadata  # noqa: PLC0415 - a third of the time in which a command starts

        hot_path = find_spec("sekisho.pipeline")
        compiled = hot_path is not None and (hot_path.origin or "").endswith(".so")
        print(f"sekisho {metadata.version('sekisho')} ({'compiled' if compiled else 'not compiled'})")
        parser.exit()


def within(least: int, most: int) -> Callable[[str], int]:
    """A type for argparse: a whole number within bounds, both included."""

    def number(text: str) -> int:
        if not least <= (value := int(text)) <= most:
            raise ValueError
        return value

    number.__name__ = f"number from {least:,} to {most:,}"  # argparse puts it into "invalid … value"
    return number
