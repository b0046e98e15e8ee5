"""`docs/map.md` agrees with the tree: rooms, layers, files to edit, and the steps of its walks."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.modules import PACKAGE, sources

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
MAP = (ROOT / "docs/map.md").read_text("utf-8")
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Step(NamedTuple):
    """Attributes:
    function: dotted, below `sekisho`.
    caller: the number of the step that calls it; 0 where that is no step.
    called_back: through something handed in earlier.
    """

    function: str
    caller: int
    called_back: bool

    @property
    def room(self) -> str:
        return self.function.partition(".")[0]


def section(title: str) -> str:
    """The text below a heading, up to the next one of its level."""
    return MAP.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith(("| Room", "| Step", "| To add")):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def walks() -> dict[str, dict[int, Step]]:
    found: dict[str, dict[int, Step]] = {}
    for part in section("Walks").split("\n### ")[1:]:
        steps = found[part.partition("\n")[0]] = {}
        for number, function, by, _ in rows(part):
            digits = re.match(r"\d+", by)
            steps[int(number)] = Step(function.strip("`"), int(digits[0]) if digits else 0, "called back" in by)
    return found


def layers() -> list[list[str]]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    return [row.split(" | ") for row in contracts[0]["layers"]]


WALKS = walks()
DEPTH = {name.strip("()"): depth for depth, row in enumerate(layers()) for name in row}


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return sources()


def test_every_room_is_on_the_map() -> None:
    """Every folder and every file beside them is in the table, and nothing else is."""
    listed = {cells[0].strip("`") for cells in rows(section("Rooms"))}
    folders = {f"{path.relative_to(PACKAGE)}/" for path in PACKAGE.rglob("*") if holds_sources(path)}
    files = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}

    assert listed == folders | files


def holds_sources(path: Path) -> bool:
    return path.is_dir() and path.name != "__pycache__" and any(one.is_file() for one in path.iterdir())


def test_the_picture_shows_the_layers() -> None:
    """The picture has the layers that import-linter holds, in their order."""
    picture = section("Layers").partition("```text\n")[2].partition("```")[0].splitlines()
    drawn = [re.split(r" {2,}", line)[0].split(" | ") for line in picture]

    assert drawn == layers()


def test_what_a_change_edits_exists() -> None:
    """Every file that a change begins in exists."""
    named = [
        name
        for cells in rows(section("Where a change goes"))
        for name in re.findall(r"`([\w./-]+/[\w./-]*|\w+\.py)`", cells[1])
    ]

    assert len(named) > 40
    assert [name for name in named if not ((PACKAGE / name).exists() or (ROOT / name).exists())] == []


def test_what_the_code_names_exists() -> None:
    """A file that a docstring or a comment names in backquotes is there, under the end of its path that they write."""
    places = [ROOT / name for name in ("middleware", "tests", "benchmarks", "examples", "docs")]
    paths = [path.relative_to(ROOT) for place in places for path in place.rglob("*.*")] + [Path("pyproject.toml")]
    ends = {"/".join(path.parts[at:]) for path in paths for at in range(len(path.parts))}
    named = {
        (str(path), name)
        for path in paths
        if path.suffix == ".py"
        for name in re.findall(r"`([\w./-]+\.(?:py|lua|md|css|html|js|toml))`", (ROOT / path).read_text("utf-8"))
    }

    assert len(named) > 40
    assert {(path, name) for path, name in named if name not in ends} == set()


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
def test_a_walk_enters_each_room_once(walk: dict[int, Step]) -> None:
    """The numbers are in order, and the steps of each room stand together."""
    entered = [step.room for number, step in walk.items() if number == 1 or walk[number - 1].room != step.room]

    assert [*walk] == list(range(1, len(walk) + 1))
    assert len(entered) == len(set(entered))
    assert len(entered) > 4


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
def test_a_walk_goes_down_the_layers(walk: dict[int, Step]) -> None:
    """A call stays in its room or goes down; a step that goes up is marked as called back."""
    up = [
        step.function
        for step in walk.values()
        if step.caller and not step.called_back
        if (caller := walk[step.caller]).room != step.room and DEPTH[caller.room] >= DEPTH[step.room]
    ]

    assert up == []


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
def test_each_step_is_called_where_the_walk_says(walk: dict[int, Step], trees: dict[str, ast.Module]) -> None:
    """Every function exists, and the function that calls it names it."""
    found = {number: function_of(step.function, trees) for number, step in walk.items()}
    uncalled = [
        step.function
        for step in walk.values()
        if step.caller and not step.called_back and called_name(step.function) not in names_in(found[step.caller])
    ]

    assert uncalled == []


def function_of(dotted: str, trees: dict[str, ast.Module]) -> Function:
    """A function, method or class by its dotted name below `sekisho`."""
    parts = dotted.split(".")
    length = max(number for number in range(1, len(parts)) if f"sekisho.{'.'.join(parts[:number])}" in trees)
    node: ast.Module | Function = trees[f"sekisho.{'.'.join(parts[:length])}"]
    for name in parts[length:]:
        matching = [one for one in node.body if isinstance(one, Function) and one.name == name]
        assert matching, f"there is no {dotted}"
        node = matching[-1]  # the last of overloads
    assert isinstance(node, Function)
    return node


def called_name(dotted: str) -> str:
    """The name that a caller writes: of the class, where it makes one."""
    *_, owner, name = dotted.split(".")
    return owner if name == "__init__" else name


def names_in(node: ast.AST) -> set[str]:
    written = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
    return written | {child.attr for child in ast.walk(node) if isinstance(child, ast.Attribute)}


def test_a_walk_that_lies_is_found(trees: dict[str, ast.Module]) -> None:
    """A function that does not exist, or is not called there, does not pass."""
    with pytest.raises(AssertionError, match=r"there is no pipeline\.Guard\.wander"):
        function_of("pipeline.Guard.wander", trees)
    assert "render" in names_in(function_of("asgi.refuser.Refuser.answer", trees))
    assert "render" not in names_in(function_of("asgi.endpoint.Endpoint._try", trees))
