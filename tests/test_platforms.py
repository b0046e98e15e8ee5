"""People write services on other systems than they run them on: a guard starts without what Linux alone has."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PLATFORMS = ["macos", "windows"]


def run_on(platform: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a module without what the platform lacks. A text file without a named encoding is an error."""
    # Windows reads such a file as Windows-1252.
    command = [sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning:sekisho"]
    command += ["-m", "tests.platforms", platform, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_guard_starts_counts_and_writes(platform: str, tmp_path: Path) -> None:
    ended = run_on(platform, "tests.platforms_guard", str(tmp_path))
    assert ended.stdout == "[401, 401, 401, 401, 401, 429]\n", ended.stderr
    assert json.loads((tmp_path / "events").read_text().splitlines()[0])
    assert (tmp_path / "audit").read_text().count("\n") > 1


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(
    "words",
    [
        ["settings"],
        ["simulate", "six-right-passwords", "--scale", "0.02", "--seed", "1", "--seed", "2", "--jobs", "2"],
        ["policy", "check", "--help"],
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_commands_run(platform: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEKISHO_SECRET", "DRZFLHy6yvEQvWtZ9zJ1nM7pcKx2RhTb")
    ended = run_on(platform, "sekisho", *words)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
