"""The commands in the documentation are real, and so are the messages that `docs/corpus.md` quotes."""

from __future__ import annotations

import re
import shlex
from configparser import ConfigParser
from importlib import import_module
from pathlib import Path

import pytest

from sekisho.cli.corpus import COMMANDS
from sekisho.cli.tree import nodes
from sekisho.cli.usage import Parser

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "corpus.md").read_text()
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
NODES = {node.words: node for node in nodes()}
UNFINISHED = re.compile("are required|is required|expected one argument")
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


def typed_in(page: Path) -> list[tuple[str, bool]]:
    """Command lines of a page behind `sekisho`, and whether each stands in a block, where it is whole."""
    text = page.read_text("utf-8")
    blocks = [
        block.replace("\\\n", " ")
        for block in re.findall(r"^```(?:ba|z)?sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    ]
    blocks += re.findall(r"^```(?:console|ini|text)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    whole = [found[1] for line in lines if (found := re.search(r"(?:^|[ ;(/])sekisho ([a-z][^|;&>]*)", line))]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE).replace("\n", " ")
    return [(line, True) for line in whole] + [(line, False) for line in re.findall(r"`sekisho ([a-z][^`]*)`", prose)]


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "commands.md"], ids=lambda page: page.name)
def test_every_command_line_of_every_page_is_understood(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands and options of the pages exist; in a block they are whole, in prose arguments may be left out."""
    for line, is_whole in typed_in(page):
        words = shlex.split(re.split(r"  +| #", line.replace("…", "x"))[0].rstrip(" )"))
        node = NODES.get(tuple(words[:2])) or NODES[tuple(words[:1])]
        if node.parser is None:
            assert len(words) == len(node.words), line
            continue
        try:
            node.parser.parse_args(words[len(node.words) :])
        except SystemExit:
            said = capsys.readouterr().err
            assert not is_whole, line
            assert UNFINISHED.search(said), line


def units() -> dict[str, ConfigParser]:
    """The units for systemd in all pages, by file name."""
    found = {}
    for page in PAGES:
        for block in re.findall(r"^```ini\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE):
            if named := re.match(r"# /etc/systemd/system/(\S+)\n", block):
                found[named[1]] = ConfigParser(strict=False, interpolation=None)
                found[named[1]].optionxform = str  # type: ignore[assignment,method-assign]
                found[named[1]].read_string(block)
    return found


def test_every_unit_comes_back_after_a_reboot() -> None:
    """`systemctl enable` has no effect on a unit without [Install], and says so in passing; a timer starts its own."""
    found = units()
    timed = {name.replace(".timer", ".service") for name in found if name.endswith(".timer")}

    assert {"shop.service", "sekisho-feed.service", "sekisho-corpus.timer"} <= found.keys()
    assert [name for name, unit in found.items() if "Install" not in unit and name not in timed] == []
