"""A laboratory that was cut off goes on: no run is played twice."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sekisho.simulate.laboratory import Results, packaged, read_scenario
from sekisho.simulate.laboratory.kept import KeptRuns, run_key
from sekisho.simulate.laboratory.results import CopyUse, OwnerCounts

if TYPE_CHECKING:
    from pathlib import Path

SEVEN = read_scenario("7pay", packaged()["7pay"])


def results() -> Results:
    found = Results(
        attempts=7,
        right=Counter(sent=2),
        attempts_of=Counter({"0 weak": 7}),
        reached_of=Counter({"0": 1}),
        alarms=[1.5],
        by_kind={"at home": OwnerCounts(log_ins=3)},
    )
    found.take("sent", 5)
    found.resets_for("forgotten").begun = 2
    found.copies_of(CopyUse("aged", "calm", "elsewhere", "copy alone")).used = 4
    return found


def never() -> Results:
    pytest.fail("played again")


def test_a_kept_run_is_not_played_again(tmp_path: Path) -> None:
    """Results and the time they took come back from the file, as they were, with the code that was played."""
    path = tmp_path / "kept.jsonl"
    KeptRuns(path, "abc123").played("a", results, iter([1.0, 3.5]).__next__)
    assert KeptRuns(path, "def456").played("a", never, lambda: 0.0) == (results(), 2.5, "abc123")


def test_a_run_that_was_kept_before_resets_and_copies_were_counted_is_read(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    KeptRuns(path).played("a", results, lambda: 0.0)
    line = json.loads(path.read_text())
    del line["results"]["resets"], line["results"]["copies"]
    path.write_text(json.dumps(line))
    assert KeptRuns(path).played("a", never, lambda: 0.0).results == replace(results(), resets={}, copies={})


def test_a_line_that_was_cut_off_is_played_again(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    path.write_text('{"run": "a", "took_s": 1, "resu')
    assert KeptRuns(path).played("a", results, lambda: 0.0) == (results(), 0.0, "")


def test_another_run_has_another_key() -> None:
    """Every parameter, every setting and the seed make another run."""
    settings = {"step_up": "attack"}
    keys = {
        run_key(SEVEN, "p", settings, 1),
        run_key(SEVEN, "p", settings, 2),
        run_key(SEVEN, "p", {"step_up": "always"}, 1),
        run_key(SEVEN, "q", settings, 1),
        run_key(SEVEN.scaled(0.5), "p", settings, 1),
    }
    assert len(keys) == 5


def test_a_run_is_played_once_in_one_command(tmp_path: Path) -> None:
    """A run that two tables share, such as that of a threshold's present value, is played for the first of them."""
    kept = KeptRuns(tmp_path / "kept.jsonl")
    kept.played("a", results, lambda: 0.0)
    assert kept.played("a", never, lambda: 0.0).results == results()
