"""The README's quick start in a shell with an empty environment, verbatim except for the port."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from typing import TYPE_CHECKING

import pytest

from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SECONDS_MAX = 300
# This machine's package source, and nothing else of ours.
KEPT = re.compile(r"PIP_|.*_PROXY$|SSL_CERT|REQUESTS_CA", re.IGNORECASE)


def block(language: str, holds: str) -> str:
    """The README's block with these words."""
    (found,) = [
        each for each in re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE) if holds in each
    ]
    return str(found)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Freshly unpacked sources: no environment, nothing built."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"][
        "sdist"
    ]["include"]:
        if (ROOT / name).is_dir():
            copytree(ROOT / name, folder / name, ignore=ignore_patterns("__pycache__", "*.so"))
        else:
            copy(ROOT / name, folder)
    copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def environment(checkout: Path) -> dict[str, str]:
    """No setting, and a `python3` that is the one under test."""
    commands = checkout / "commands"
    commands.mkdir()
    (commands / "python3").symlink_to(getattr(sys, "_base_executable", sys.executable))
    kept = {name: value for name, value in os.environ.items() if KEPT.match(name)}
    return {
        **kept,
        "UVICORN_PORT": str(free_port()),
        "PATH": f"{commands}:/usr/local/bin:/usr/bin:/bin",
        "HOME": os.environ.get("HOME", "/"),
    }


def shell(script: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-ec", script], cwd=folder, env=environment, capture_output=True, text=True, check=False,
        timeout=SECONDS_MAX,
    )  # fmt: skip


@pytest.fixture(scope="module")
def installed(checkout: Path, environment: dict[str, str]) -> Path:
    """The state after the first two lines."""
    done = shell(block("console", "pip install . uvicorn"), checkout, environment)
    assert done.returncode == 0, done.stderr[-2_000:]
    (checkout / "app.py").write_text(block("python", "app.add_middleware(  # the last"), "utf-8")
    return checkout


@pytest.fixture
def served(installed: Path, environment: dict[str, str]) -> Iterator[Path]:
    """While the third line's server runs; its log is in `log` afterwards."""
    with (installed / "log").open("w") as log:
        server = subprocess.Popen(
            ["bash", "-ec", ". venv/bin/activate; " + block("console", "uvicorn --no-proxy-headers app:app")],
            cwd=installed, env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until_running(server, installed / "log")
        yield installed
    finally:
        os.killpg(server.pid, 15)
        server.wait(SECONDS_MAX)


def wait_until_running(server: subprocess.Popen[bytes], log: Path) -> None:
    while "Uvicorn running" not in log.read_text():
        assert server.poll() is None, log.read_text()[-2_000:]
        time.sleep(0.05)  # uvicorn has no event for its start


def test_the_quick_start_works_word_for_word(served: Path, environment: dict[str, str]) -> None:
    """The quick start prints what the page shows, and the refusal is in the server's log."""
    script = block("console", "curl").replace(":8000/", f":{environment['UVICORN_PORT']}/")
    done = shell(script, served, environment)

    assert done.stdout.split() == ["401"] * 5 + ["429"], (served / "log").read_text()[-4_000:]
    assert "This prints `401 401 401 401 401 429`" in README
    log = (served / "log").read_text()
    assert "sekisho: POST /login answered too_many_attempts (ip_failures, account_rate)" in log
    assert "Traceback" not in log


def test_the_command_is_there(installed: Path, environment: dict[str, str]) -> None:
    """The command shows its version, uncompiled by default."""
    done = shell(". venv/bin/activate; sekisho --version", installed, environment)

    assert (done.returncode, done.stdout) == (0, "sekisho 0.1.0 (not compiled)\n")
