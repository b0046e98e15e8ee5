"""The blast radius beside what bots have entered: the numbers come from whole runs, and can fail."""

from __future__ import annotations

import pytest
from rich.console import Console

from benchmarks.blast_radius import POLICIES, SCENARIOS, named, table
from sekisho.simulate.laboratory import packaged, read_scenario
from sekisho.simulate.laboratory.policy import policies


@pytest.mark.parametrize(("scenario", "scale", "share"), [("7pay-reset", 0.3, 1.0), ("one-per-address", 0.04, 0.0)])
def test_accounts_are_named_where_addresses_repeat(scenario: str, scale: float, share: float) -> None:
    """An address of an attacker with twenty failures leads to the accounts that it entered; one for each, to none."""
    found = named(read_scenario(scenario, packaged()[scenario]).scaled(scale), "default", 1)
    assert found.entered > 3
    assert (found.named, found.known, found.others) == (share * found.entered, 0, 0)


def test_what_is_played_exists() -> None:
    assert set(SCENARIOS) <= packaged().keys()
    assert set(POLICIES) <= policies().keys()


def test_the_table_has_a_row_for_each_scenario_and_policy() -> None:
    console = Console(record=True, width=160)
    console.print(table({"7pay, default": [1_204, 4, 3, 2]}))
    (row,) = [line for line in console.export_text().splitlines() if "7pay" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["7pay, default", "1,204", "4", "3", "2"]
