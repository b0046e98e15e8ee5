"""What `make` would do on a fresh clone: nothing is run here, the commands are only listed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """As much of a fresh clone as `make` itself reads."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def commands(clone: Path, *arguments: str) -> str:
    """What `make` would run, in order."""
    listed = subprocess.run(["make", "--dry-run", *arguments], cwd=clone, capture_output=True, text=True, check=True)
    return listed.stdout


def test_checks_need_no_benchmark_packages(clone: Path) -> None:
    """Plotting libraries and other guards are no condition for a linter."""
    listed = commands(clone, "check")

    assert "--group check" in listed
    assert "--group bench" not in listed


def test_benchmarks_bring_what_compiles_the_hot_path(clone: Path) -> None:
    """The compiler is a part of mypy, which the group of the checkers has."""
    listed = commands(clone, "bench", "QUICK=1")

    steps = [listed.index(step) for step in ("--group check", "--group bench", "-m benchmarks.instructions --quick")]
    assert steps == sorted(steps)


def test_the_suite_is_spread_over_workers_and_counts_no_branches(clone: Path) -> None:
    """Counting them doubles the time: it is a pass of its own."""
    assert "--numprocesses" in commands(clone, "test")
    assert "--cov" not in commands(clone, "test")
    assert "--cov-fail-under" in commands(clone, "coverage")


@pytest.mark.parametrize("part", ["check", "test", "coverage", "test-compiled", "test-uvloop"])
def test_ci_runs_every_part(part: str) -> None:
    """What is not run there is broken before anybody notices."""
    script = (ROOT / ".ci" / "run").read_text("utf-8")

    assert f"make {part}\n" in script or f"'make {part}'" in script
