"""All commands with their parsers, for the reference and for completion."""

from __future__ import annotations

from argparse import SUPPRESS
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from sekisho.cli import COMMANDS, parser_of

if TYPE_CHECKING:
    from argparse import Action
    from collections.abc import Iterator, Mapping

    from sekisho.cli import Command
    from sekisho.cli.usage import Parser


class Node(NamedTuple):
    """A command.

    Attributes:
        words: its name behind `sekisho`: `("corpus", "build")`.
        command: its line in the list.
        about: its description.
        parser: None for a group of commands, and where a package is missing.
    """

    words: tuple[str, ...]
    command: Command
    about: str
    parser: Parser | None

    @property
    def actions(self) -> list[Action]:
        """The command's arguments and options, without those that every command has."""
        actions = self.parser._actions if self.parser is not None else []  # noqa: SLF001 - argparse has no other list
        return [action for action in actions if action.dest not in {"help", "json"} and action.help != SUPPRESS]


def nodes(commands: Mapping[str, Command] = COMMANDS, package: str = "sekisho.cli") -> Iterator[Node]:
    """All commands, each group before its members."""
    for name, command in commands.items():
        yield from _node(package, name, command)


def _node(package: str, name: str, command: Command) -> Iterator[Node]:
    words = (*package.split(".")[2:], name)
    try:
        module = import_module(f"{package}.{name}")
    except ModuleNotFoundError as missing:
        if not command.extra or (missing.name or "sekisho").partition(".")[0] == "sekisho":
            raise
        yield Node(words, command, "", None)
        return
    group = getattr(module, "COMMANDS", None)
    parser = None if group else parser_of(" ".join(("sekisho", *words)), module)
    yield Node(words, command, (module.__doc__ or "").strip(), parser)
    yield from nodes(group or {}, f"{package}.{name}")
