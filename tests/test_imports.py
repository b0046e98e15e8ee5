"""No two modules import each other, not even by way of others.

Import-linter holds the layers between rooms; it does not look for circles within a room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.modules import circles, graph, sources

if TYPE_CHECKING:
    import ast
    from pathlib import Path


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return sources()


def test_no_module_imports_itself_at_run_time(trees: dict[str, ast.Module]) -> None:
    """No module imports itself by way of others when the package runs, imports within functions included."""
    assert circles(graph(trees, types_too=False)) == []


def test_no_module_imports_itself_for_types(trees: dict[str, ast.Module]) -> None:
    """Nor do they with the imports for types: values that two modules share live in a third one."""
    assert circles(graph(trees, types_too=True)) == []


def test_the_graph_is_not_empty(trees: dict[str, ast.Module]) -> None:
    """The graph has the imports of a module, those for types, and the packages around what is imported."""
    edges, with_types = graph(trees, types_too=False), graph(trees, types_too=True)

    assert {"sekisho.control.sockets", "sekisho.control"} <= edges["sekisho.wiring.exchanges"]
    assert "sekisho.wiring.process" not in edges["sekisho.wiring.event_loop"]
    assert "sekisho.wiring.process" in with_types["sekisho.wiring.event_loop"]


PARTS = {
    "__init__": "",
    "a": "from house.b import B",
    "b": "def b():\n    from house import c",
    "c": "if True:\n    import house.a",
    "d": "if TYPE_CHECKING:\n    from house.e import E\nelse:\n    from house.a import A",
    "e": "import house.d",
    "f.__init__": "from house.f.g import G",
    "f.g": "from house.f import H",
}


@pytest.mark.parametrize(
    ("types_too", "expected"),
    [
        (False, [["house.a", "house.b", "house.c"], ["house.f", "house.f.g"]]),
        (True, [["house.a", "house.b", "house.c"], ["house.d", "house.e"], ["house.f", "house.f.g"]]),
    ],
)
def test_a_circle_is_found(tmp_path: Path, types_too: bool, expected: list[list[str]]) -> None:
    """A circle is found through functions and conditions, and one for types where types count."""
    folder = tmp_path / "house"
    (folder / "f").mkdir(parents=True)
    for name, source in PARTS.items():
        (folder / f"{name.replace('.', '/')}.py").write_text(source)

    assert circles(graph(sources(folder), types_too=types_too)) == expected
