"""The commands that `make` would run in a fresh clone, listed and not run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The parts of a fresh clone that `make` reads."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def commands(clone: Path, *arguments: str) -> str:
    """The commands of `make`, in order."""
    listed = subprocess.run(["make", "--dry-run", *arguments], cwd=clone, capture_output=True, text=True, check=True)
    return listed.stdout


def test_checks_need_no_benchmark_packages(clone: Path) -> None:
    """Checks need no benchmark packages."""
    listed = commands(clone, "check")

    assert "--group check" in listed
    assert "--group bench" not in listed


def test_benchmarks_bring_what_compiles_the_hot_path(clone: Path) -> None:
    """Benchmarks install the compiler of the hot path, mypy, which is in the checkers' group."""
    listed = commands(clone, "bench", "QUICK=1")

    steps = [listed.index(step) for step in ("--group check", "--group bench", "-m benchmarks.instructions --quick")]
    assert steps == sorted(steps)


def test_the_suite_is_spread_over_workers_and_counts_no_branches(clone: Path) -> None:
    """The suite runs in parallel without branch coverage, which doubles the time and is a separate pass."""
    assert "--numprocesses" in commands(clone, "test")
    assert "--cov" not in commands(clone, "test")
    assert "--cov-fail-under" in commands(clone, "coverage")


def test_three_parts_are_the_suite(clone: Path) -> None:
    """The rest of the suite leaves out what the parts of browsers and stores run, and nothing else."""
    rest = commands(clone, "test-unit")
    others = commands(clone, "test-browser") + commands(clone, "test-stores")

    left_out = re.findall(r"--ignore=(\S+)", rest)
    assert "tests/ledger" in left_out
    assert all(f" {path}" in others for path in left_out)
    assert all((ROOT / path).exists() for path in left_out)


def test_what_measures_has_tests_of_its_own(clone: Path) -> None:
    """Benchmarks' tests are separate: they change with `benchmarks/` alone and take a sixth of the time."""
    (clone / "tests").mkdir()
    (clone / "tests/test_benchmarks_idle.py").touch()

    assert "--ignore=tests/test_benchmarks_idle.py" in commands(clone, "test")
    assert "--ignore" not in commands(clone, "test", "TESTS=tests/test_benchmarks_idle.py")
    assert commands(clone, "test-benchmarks").rstrip().endswith("tests/test_benchmarks_idle.py")


def test_packages_are_checked_as_an_index_would(clone: Path) -> None:
    """Packages are checked as an index would, so an unrenderable description is found before the upload."""
    listed = commands(clone, "dist")

    assert listed.index("-m build") < listed.index("twine check --strict dist/*")


@pytest.mark.parametrize(
    "part", ["check", "test", "test-uvloop", "test-compiled", "coverage", "dist", "matrix", "real"]
)
def test_ci_runs_every_part(part: str) -> None:
    """CI runs every part."""
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    jobs = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")

    assert f"make {part};" in script or f"test_command='make {part}'" in script
    assert part not in {"coverage", "matrix", "real"} or f".ci/run {part}\n" in jobs


def test_another_python_has_an_environment_of_its_own(clone: Path) -> None:
    """Another Python has its own environment, or `make test PYTHON=…` would use python3's."""
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"

    assert f".venv-{ours}/bin/python -m pytest" in commands(clone, "test", f"PYTHON={sys.executable}")
    assert " .venv/bin/python -m pytest" in commands(clone, "test")


def test_an_environment_that_is_there_is_kept(clone: Path) -> None:
    """A newer `pyproject.toml` adds to the environment; what a link leads to is not emptied."""
    shared = clone / "shared"
    (shared / "bin").mkdir(parents=True)
    (shared / "bin" / "python").write_text("#!/bin/sh\nexit 0\n")
    (shared / "bin" / "python").chmod(0o755)
    (shared / "kept").touch()
    (clone / ".venv").symlink_to(shared)
    subprocess.run(["make", ".venv/.with-pip"], cwd=clone, capture_output=True, check=True)

    assert (shared / "kept").exists()


def test_every_python_that_is_named_is_run() -> None:
    """Every Python in the classifiers is tested."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    script = (ROOT / ".ci" / "run").read_text("utf-8")

    assert named == ["3.11", "3.12", "3.13"]
    assert f"for version in {' '.join(named)}; do" in script
