"""What benchmarks share: options, results, tables, pictures and pages."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import arguments, result
from benchmarks.corpus.__main__ import FUNCTIONS as CORPUS
from benchmarks.picture import PICTURES
from benchmarks.step_up.__main__ import FUNCTIONS as STEP_UP
from benchmarks.tables import markdown_table, screen_table


def test_markdown_aligns_all_columns_but_the_first_to_the_right() -> None:
    """Figures align to the right, unless the caller says otherwise."""
    assert list(markdown_table(("a", "b", "c"), [("x", "1", "2")])) == [
        "| a | b | c |",
        "|---|---:|---:|",
        "| x | 1 | 2 |",
    ]
    assert list(markdown_table(("a", "b"), [], column="---"))[1] == "|---|---|"


def test_the_screen_shows_whole_cells_and_a_line_for_an_empty_row() -> None:
    """No cell is cut off in a console of the width of an ordinary terminal."""
    console = Console(record=True, width=100)
    console.print(screen_table("title", ("what", "µs"), [("one", "1.0"), (), ("another", "22.0")]))
    lines = console.export_text().splitlines()

    assert [line for line in lines if "│" in line] == ["│ one     │  1.0 │", "│ another │ 22.0 │"]
    assert sum(line.startswith("├") for line in lines) == 1


def test_a_quick_result_does_not_replace_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quick result has a file of its own, which git ignores by its name."""
    monkeypatch.setattr(result, "RESULTS", tmp_path / "results")
    for quick in (False, True):
        kept = result.write_result("one", {"quick": quick}, quick=quick)
        assert result.read_result("one", quick=quick) == kept

    found = {path.name: json.loads(path.read_text())["quick"] for path in (tmp_path / "results").iterdir()}
    assert found == {"one.json": False, "one-quick.json": True}
    assert result.read_result("another", quick=False) is None


def test_the_page_of_a_quick_run_is_only_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A first look never lands in the documentation."""
    monkeypatch.setattr(result, "DOCS", tmp_path)
    result.write_page("page.md", ["# One", "two"], quick=True)

    assert capsys.readouterr().out == "# One\ntwo\n\n"
    assert not [*tmp_path.iterdir()]

    result.write_page("page.md", ["# One", "two"])
    assert (tmp_path / "page.md").read_text() == "# One\ntwo\n"


@pytest.mark.parametrize("stem", PICTURES)
def test_every_picture_is_drawn_from_the_kept_result(stem: str, tmp_path: Path) -> None:
    """Pictures are drawn from the same JSON that readers get."""
    kept = result.read_result(stem, quick=False)
    assert kept is not None
    PICTURES[stem](kept, tmp_path / "drawn.svg")

    assert (tmp_path / "drawn.svg").read_text().rstrip().endswith("</svg>")


@pytest.mark.parametrize(("package", "functions"), [("corpus", CORPUS), ("step_up", STEP_UP)])
def test_every_command_of_a_package_has_its_function(package: str, functions: dict[str, str]) -> None:
    """The function of a command is looked up by its name.

    The files are parsed and not imported: some import rivals that only `make bench` installs.
    """
    for part, name in functions.items():
        parsed = ast.parse((Path(arguments.__file__).with_name(package) / f"{part}.py").read_text())
        assert name in {node.name for node in parsed.body if isinstance(node, ast.FunctionDef)}


def test_only_benchmarks_with_a_first_look_take_quick() -> None:
    """`--quick` is refused where nothing would become quicker."""
    assert arguments.parser("doc").parse_args(["--quick"]).quick
    with pytest.raises(SystemExit):
        arguments.parser("doc", quick="").parse_args(["--quick"])
