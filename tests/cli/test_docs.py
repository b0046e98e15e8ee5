"""The commands in `docs/corpus.md` and the messages that it quotes are real."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from sekisho.cli.corpus import COMMANDS
from sekisho.cli.usage import Parser

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "corpus.md").read_text()
TYPED = re.findall(r"sekisho corpus (\w+)((?: [^`'\n&|]+)?)", PAGE)


def test_the_page_shows_every_command() -> None:
    """The page shows every command."""
    assert {name for name, _ in TYPED} == set(COMMANDS)


@pytest.mark.parametrize("line", [(name, rest) for name, rest in TYPED if rest.strip()])
def test_every_line_of_the_page_is_understood(line: tuple[str, str]) -> None:
    """Every command line of the page is parsed without an error."""
    name, rest = line
    parser = Parser(name, "")
    parser.add_argument("--json", action="store_true")
    import_module(f"sekisho.cli.corpus.{name}").arguments(parser)
    given = ["FILE", *shlex.split(rest)] if rest.strip() == "--json" else shlex.split(rest)
    parser.parse_args(given)


@pytest.mark.parametrize("said", re.findall(r"^\| `… ([^`]+)` \|", PAGE, re.MULTILINE))
def test_what_is_explained_is_what_is_said(said: str) -> None:
    """Messages explained on the page are those that the commands print, for users who search for them."""
    package = REPOSITORY / "middleware" / "sekisho"
    sources = [path for part in ("cli", "breach", "corpus") for path in (package / part).rglob("*.py")]
    assert any(said in path.read_text() for path in sources)
