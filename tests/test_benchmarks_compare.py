"""The comparison with a kept result reports real losses and ignores noise."""

from __future__ import annotations

import json
import subprocess
import sys
from math import exp, sqrt
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import compare
from benchmarks.compare import changes, figures, ratio
from benchmarks.measure import Interval

if TYPE_CHECKING:
    from pathlib import Path


def interval(median: float, arm: float = 0.01) -> dict[str, float]:
    return {"low": median * (1 - arm), "median": median, "high": median * (1 + arm)}


def result(speed: float, cpu_us: float = 90.0, arm: float = 0.01) -> dict[str, Any]:
    """As `over_http` writes one."""
    return {
        "machine": {"processor": "p", "cores": 2, "kernel": "k", "python": "3"},
        "plan": {"rounds": 20},
        "over_fastest_peer": {"peer": "theirs", "times": interval(3 * speed, arm)},
        "variants": [
            {
                "name": "ours, allowed",
                "ours": True,
                "speed_of_bare": interval(speed, arm),
                "server_cpu_us": interval(cpu_us, arm),
                "bare_server_cpu_us": interval(30, arm),
                "p99_ms": 5.0,
                "pairs": [{"bare": {"cpu_us": 30.0}}],
            },
            {"name": "theirs", "ours": False, "speed_of_bare": interval(0.2, arm)},
        ],
    }


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, base: Any, new: Any, *options: str) -> int:
    """The exit code of the command."""
    for name, found in (("base", base), ("new", new)):
        (folder / name).write_text(json.dumps(found))
    monkeypatch.setattr(sys, "argv", ["compare", str(folder / "base"), str(folder / "new"), *options])
    try:
        compare.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_only_our_own_figures_are_compared() -> None:
    """Our own figures alone are compared: a peer's or a yardstick's says nothing about this code."""
    assert set(figures(result(0.5))) == {
        "over_fastest_peer / times",
        "variants / ours, allowed / speed_of_bare",
        "variants / ours, allowed / server_cpu_us",
    }


def test_the_arms_add_up_as_variances_do() -> None:
    """Two figures whose logarithms are known to ± 0.3 and ± 0.4 give a ratio that is known to ± 0.5."""
    changed = ratio(Interval(exp(-0.3), 1.0, exp(0.3)), Interval(exp(-0.4), 1.0, exp(0.4)))

    assert changed == pytest.approx((exp(-sqrt(0.25)), 1.0, exp(sqrt(0.25))))


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0.0, 0.5))
def test_there_and_back_is_no_change(base: float, new: float, arm: float) -> None:
    """Exchanging base and new gives the reciprocal, with its interval."""
    one, other = (Interval(**interval(each, arm)) for each in (base, new))
    there, back = ratio(one, other), ratio(other, one)

    assert there == pytest.approx((1 / back.high, 1 / back.median, 1 / back.low))


@pytest.mark.parametrize(
    ("speed", "arm", "verdict"),
    [(0.45, 0.01, "worse"), (0.55, 0.01, "better"), (0.495, 0.01, "within the noise"), (0.4, 0.3, "within the noise")],
)
def test_a_verdict_needs_more_than_the_noise(speed: float, arm: float, verdict: str) -> None:
    """A verdict needs more than the noise: ten per cent are much at one per cent precision, and nothing at thirty."""
    found = {one.name: one.verdict for one in changes(result(0.5, arm=arm), result(speed, arm=arm))}

    assert found["variants / ours, allowed / speed_of_bare"] == verdict


def test_more_microseconds_are_a_loss_and_more_speed_is_a_gain() -> None:
    """Each figure has a direction of its own."""
    found = {one.name.rpartition(" / ")[2]: one.verdict for one in changes(result(0.5, 90), result(0.6, 120))}

    assert found == {"times": "better", "speed_of_bare": "better", "server_cpu_us": "worse"}


@pytest.mark.parametrize(
    ("new", "options", "code"),
    [
        (result(0.45), ["--fail-above", "5"], 1),
        (result(0.45), ["--fail-above", "15"], 0),
        (result(0.45), [], 0),
        (result(0.40, arm=0.3), ["--fail-above", "5"], 0),
        (result(0.50, 120), ["--fail-above", "5"], 0),
        (result(0.50, 120), ["--fail-above", "5", "--absolute"], 1),
        (result(0.60), ["--fail-above", "0"], 0),
        ({"variants": []}, ["--fail-above", "5"], 2),
    ],
)
def test_the_exit_code_tells_a_loss(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, new: dict[str, Any], options: list[str], code: int
) -> None:
    """1 for more than is allowed and outside the noise, for microseconds where they are told to decide; 2: nothing."""
    assert run(monkeypatch, tmp_path, result(0.5), new, *options) == code


def test_counts_are_compared_as_they_are() -> None:
    """Instructions have no noise: a thousandth more is more."""
    base = {"loads": {"fail": {"steps": {"address": 40.0}, "whole": {"whole": 280.0, "harness": 20.0}}}}
    new = {"loads": {"fail": {"steps": {"address": 40.04}, "whole": {"whole": 270.0, "harness": 25.0}}}}

    assert {one.name: one.verdict for one in changes(base, new)} == {
        "loads / fail / steps / address": "worse",
        "loads / fail / whole / whole": "better",
    }


def test_a_baseline_is_read_from_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A baseline is read from git as committed, not from the working tree."""
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / "http.json"
    kept.write_text(json.dumps(result(0.5)))
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "http.json"], [*who, "commit", "-qm", "kept"]):
        subprocess.run(["git", *words], check=True)
    kept.write_text("{}")

    assert compare.read("HEAD:./http.json") == result(0.5)


def test_what_is_neither_file_nor_revision_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A text that is neither a file nor a revision is named, with exit code 2, which is no verdict."""
    with pytest.raises(SystemExit, match="2"):
        compare.read("nowhere.json")

    assert "nowhere.json is neither a file nor a revision and path of git" in capsys.readouterr().err
