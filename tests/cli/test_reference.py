"""`docs/commands.md` is what the parsers say, and the examples in the help are understood."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from sekisho.cli.document import markdown
from sekisho.cli.tree import Node, nodes

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
NODES = {node.words: node for node in nodes()}


def test_the_page_is_what_the_parsers_say() -> None:
    """The page equals the parsers. Refresh it with: python -m sekisho.cli.document > docs/commands.md."""
    assert markdown() == PAGE.read_text("utf-8")


def test_every_argument_has_a_meaning() -> None:
    """Each argument and option of each command is explained."""
    silent = [(node.words, action.dest) for node in NODES.values() for action in node.actions if not action.help]
    assert not silent


def examples(node: Node) -> list[str]:
    """The command lines of a help text; what they do stands behind two spaces."""
    lines = re.findall(r"^ {2}(?:\S+ \| )?(sekisho .*)$", node.about, re.MULTILINE)
    return [re.split(r" {2,}", line)[0] for line in lines]


@pytest.mark.parametrize("line", sorted({line for node in NODES.values() for line in examples(node)}))
def test_the_examples_are_understood(line: str) -> None:
    """A line that is copied from the help is no misuse."""
    _, *words = shlex.split(line)
    node = NODES[tuple(words[:2])] if tuple(words[:2]) in NODES else NODES[(words[0],)]
    assert node.parser is not None
    node.parser.parse_args(words[len(node.words) :])
