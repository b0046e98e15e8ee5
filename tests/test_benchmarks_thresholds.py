"""The thresholds beside others: how values are compared, and when another one is called better."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from benchmarks.thresholds.__main__ import added
from benchmarks.thresholds.compare import Counts, any_more, judged, sign_p, verdict
from benchmarks.thresholds.grid import SCALES, SEEDS, THRESHOLDS
from benchmarks.thresholds.page import page, rows
from benchmarks.thresholds.play import Cell, cells, constants_set, played
from sekisho.detect import watch
from sekisho.judge import familiarity
from sekisho.judge.posture import DoorPosture, Segment
from sekisho.ledger import history
from sekisho.model import AskedFrom, Policy
from sekisho.simulate.laboratory import Results, packaged
from sekisho.simulate.laboratory.kept import KeptRuns
from sekisho.simulate.laboratory.policy import policies

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


HELD_US, LATELY_US = 30 * history.CREDIT_US, 8 * history.EARNED_US
LIKELIER_OF_ANYBODY = 127 | 1 << 7 | 1 << 14
"""A history of 127 log-ins, one of them from here, with another browser and at another hour: a score of 65."""


def runs(*taken: int, asked: int = 5) -> list[Counts]:
    return [Counts(each, 10, 0, asked, 0) for each in taken]


def test_the_seeds_are_not_those_that_are_reported() -> None:
    """Chosen on 101 to 120, reported on 1 to 5."""
    assert list(SEEDS) == list(range(101, 121))


def test_every_threshold_can_be_played() -> None:
    """Scenarios, policies and constants exist; the present value sets nothing."""
    for threshold in THRESHOLDS:
        assert set(threshold.scenarios) <= SCALES.keys() & packaged().keys()
        assert threshold.policy in policies()
        assert threshold.values[0][1:] == ({}, {})
        for name in (name for value in threshold.values for name in value.constants):
            module, _, attribute = name.rpartition(".")
            assert hasattr(import_module(module), attribute)
    assert len(set(cells())) == len(cells()) == sum(len(each.scenarios) * len(each.values) for each in THRESHOLDS)


def test_a_constant_is_put_back() -> None:
    """Also after an error: the next run has the present value."""
    with suppress(KeyError), constants_set({"sekisho.judge.familiarity.SCORE_MAX": 7.0}):
        assert vars(familiarity)["SCORE_MAX"] == 7.0
        raise KeyError
    assert vars(familiarity)["SCORE_MAX"] == 1.0


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("price of an attempt over an address's limit", lambda: history.credit_left((LATELY_US, 0), 0)),
        (
            "successes lately that make an address one of many owners",
            lambda: history.is_shared((0, LATELY_US), 0),
        ),
        ("credit of an address, at most", lambda: history.credited((HELD_US, 0), 0)[0] == HELD_US),
        ("score of a familiar stranger, at most", lambda: familiarity.is_familiar(LIKELIER_OF_ANYBODY)),
        (
            "accounts tried in vain from a network that is quiet in an alarm, at most",
            lambda: Policy(factors=True).at_quiet_network(AskedFrom(own_network=True)).familiar_accounts_max > 4,
        ),
        (
            "score of a network from which it is not quiet in an alarm",
            lambda: bool(watch._raised(DoorPosture(networks={b"netw": Segment(5.0)})).loud),
        ),
    ],
)
def test_a_value_takes_effect(name: str, counts: Callable[[], bool]) -> None:
    """The guard's own functions decide otherwise with another value: no module has the constant copied."""
    values = next(each.values for each in THRESHOLDS if each.name == name)
    decided = set()
    for value in values:
        with constants_set(value.constants):
            decided.add(counts())
    assert decided == {True, False}


def test_the_sign_test_needs_fifteen_of_twenty() -> None:
    """Binomial, two-sided: 15 of 20 are 4.1%, 14 of 20 are 11.5%; no difference is certain chance."""
    assert (round(sign_p(15, 5), 3), round(sign_p(14, 6), 3), sign_p(0, 0)) == (0.041, 0.115, 1.0)


def test_another_value_is_judged_by_seeds() -> None:
    """Each count by itself, and only where more seeds agree than chance explains."""
    present = runs(3, 3, 3, 3, 3, 3)
    assert judged(present, runs(2, 2, 2, 2, 2, 2, asked=9)) == {"taken": "better", "asked": "worse"}
    assert judged(present, runs(2, 2, 2, 2, 2, 3)) == {}
    assert judged(present, runs(9, 9, 9, 9, 9, 9)) == {"taken": "worse"}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([{}, {}], "no difference beyond chance"),
        ([{"taken": "better"}, {}], "clearly better"),
        ([{"lost": "worse"}], "worse"),
        ([{"taken": "better"}, {"asked": "worse"}], "a trade"),
    ],
)
def test_a_value_is_better_only_where_it_is_worse_nowhere(found: list[dict[str, str]], said: str) -> None:
    assert verdict(found) == said


def test_a_takeover_more_is_no_clear_gain() -> None:
    """Takeovers are few: one more in one of six seeds is chance to the sign test, and still no better value."""
    assert any_more(runs(0, 1, asked=5), runs(1, 1, asked=4))
    assert not any_more(runs(0, 1, asked=5), runs(1, 0, asked=4))
    assert verdict([{"asked": "better"}], more=True) == "perhaps a trade"


def _kept(by_seed: Sequence[Counts]) -> dict[str, Any]:
    return {"right": 40, "attempts": 400, "log_ins": 100, "by_seed": [list(run) for run in by_seed]}


FOUND = {
    "name": "limit of an address",
    "what": "`SEKISHO_LIMIT_IP`",
    "policy": "default",
    "values": [
        {"label": "20", "scenarios": {"7pay": _kept(runs(1, 1, 1, 1, 1, 1))}},
        {"label": "10", "scenarios": {"7pay": _kept(runs(0, 0, 0, 0, 0, 0, asked=6))}},
    ],
}


def test_a_row_shows_what_a_value_costs_and_saves() -> None:
    assert list(rows(FOUND)) == [
        ("**20**", "7pay", "6 of 40", "15.00%", "0", "30.00%", "0", "present"),
        ("10", "7pay", "0 of 40", "15.00%", "0", "36.00%", "0", "taken better, asked worse"),
    ]


def test_equal_runs_are_told_from_those_that_differ_by_chance() -> None:
    """A value on which nothing depends is another finding than one that differs in too few seeds."""

    def said(*taken: int) -> str:
        values = [{"label": "", "scenarios": {"7pay": _kept(runs(*each))}} for each in ((1, 1), taken)]
        return list(rows({"values": values}))[1][-1]

    assert (said(1, 1), said(1, 0)) == ("the same", "no difference beyond chance")


def result(*thresholds: dict[str, Any], commit: str = "c") -> dict[str, Any]:
    machine = {
        "processor": "a processor",
        "cores": 2,
        "kernel": "6",
        "python": "3",
        "commit": commit,
        "load_average_before": 0,
    }
    return {"machine": machine, "runs": 12, "took_s": 120, "seeds": [101, 102], "thresholds": list(thresholds)}


def test_what_is_added_stands_behind_what_was_there() -> None:
    """With every commit that was played, once."""
    both = added(result(FOUND, commit="a, b"), result({**FOUND, "name": "more"}, commit="b, c"))
    assert [each["name"] for each in both["thresholds"]] == ["limit of an address", "more"]
    assert (both["runs"], both["took_s"], both["machine"]["commit"], both["seeds"]) == (24, 240, "a, b, c", [101, 102])


def test_the_page_says_the_outcome_first() -> None:
    lines = list(page({"when": "today", **result(FOUND)}))
    assert "| limit of an address | 20 | **10** a trade (7pay: taken better, asked worse) |" in lines
    assert "12 runs with seeds 101 to 102: 2 minutes of a core." in lines


def test_a_played_run_is_not_played_again(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value has a run of its own, and the present one is shared by thresholds of one policy and scenario."""
    calls: list[int] = []

    def simulated(*_: object, seed: int, has_factors: bool) -> Results:
        calls.append(seed)
        return Results(attempts=len(calls))

    monkeypatch.setattr("benchmarks.thresholds.play.simulate", simulated)
    kept = KeptRuns(tmp_path / "kept.jsonl")
    for _ in range(2):
        for cell in cells():
            played(cell, 101, kept)
        kept = KeptRuns(tmp_path / "kept.jsonl")
    presents = {(THRESHOLDS[cell.threshold].policy, cell.scenario) for cell in cells() if cell.value == 0}
    assert len(calls) == len(presents) + sum(cell.value != 0 for cell in cells())
    assert played(Cell(0, 0, THRESHOLDS[0].scenarios[0]), 101, kept).results.attempts == 1
