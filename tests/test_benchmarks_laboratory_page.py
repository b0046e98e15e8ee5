"""Which rows of the laboratory's page are no longer what the code plays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.laboratory_page import PAGE, POLICIES, SCENARIOS, differences, main, rows

if TYPE_CHECKING:
    import pytest


def test_the_page_has_a_row_for_each_scenario_and_policy() -> None:
    found = rows(PAGE.read_text())
    assert {(scenario, policy) for scenario in SCENARIOS for policy in POLICIES} <= set(found)
    assert found["weak-apart", "default"].startswith("| default | 1-5 | 180 |")


def test_a_row_that_has_become_another_is_shown() -> None:
    """A row of which nothing is known counts as another."""
    now = {("a", "x"): "| x | 1-5 | 2 |", ("a", "y"): "| y | 1-5 | 3 |", ("b", "x"): "| x | 1-5 | 4 |"}
    before = {("a", "x"): "| x | 1-5 | 2 |", ("a", "y"): "| y | 1-5 | 9 |"}
    assert list(differences(now, before)) == [
        "a, y\n  page | y | 1-5 | 9 |\n  now  | y | 1-5 | 3 |",
        "b, x\n  page has no such row\n  now  | x | 1-5 | 4 |",
    ]


def test_a_row_is_played_again(capsys: pytest.CaptureFixture[str]) -> None:
    """The cheapest row, a model of another limiter. It changes with its traffic, and not with the guard."""
    assert main(["strong-bank", "--policy", "django-axes"]) == 0
    assert capsys.readouterr().out == "1 of 1 rows are as docs/laboratory.md has them\n"
