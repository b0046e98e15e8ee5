"""`sekisho demo` started from a shell, and its ends."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import urllib.request
from typing import IO, TYPE_CHECKING, cast

import pytest

from sekisho.cli import COMMANDS, INTERRUPTED, MISUSED, main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SMALL = ("--owners", "150", "--attempts", "600", "--addresses", "15", "--seconds", "1")
ENDLESS = ("--owners", "150", "--attempts", "6000", "--addresses", "15", "--seconds", "600")
SECONDS_MAX = 30_000

Start = "Callable[..., subprocess.Popen[str]]"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `sekisho demo …` with an inspectable temporary directory; end what is left."""
    processes: list[subprocess.Popen[str]] = []

    def starting(*arguments: str) -> subprocess.Popen[str]:
        processes.append(
            subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    "import sys; from sekisho.cli import main; sys.exit(main())",
                    "demo",
                    *arguments,
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "TMPDIR": str(tmp_path)},
            )
        )
        return processes[-1]

    yield starting
    for process in processes:
        process.kill()
        process.communicate()


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    """The first line on standard error with `text`."""
    return next(line for line in cast("IO[str]", process.stderr) if text in line)


def children(process: subprocess.Popen[str]) -> list[int]:
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as listed:  # noqa: PTH123 - no path, a kernel's answer
        return [int(pid) for pid in listed.read().split()]


def ends(watched: int) -> bool:
    """Whether the process behind a pidfd ends within half a minute."""
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    ended = bool(poll.poll(SECONDS_MAX))
    os.close(watched)
    return ended


def test_a_broken_promise_is_exit_code_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A guard that refuses owners (a network has one attempt a day) breaks the promise: said with exit code 1."""
    monkeypatch.setenv("SEKISHO_LIMIT_NETWORK", "1/day")
    picture = tmp_path / "demo.svg"
    much = ("--owners", "100", "--attempts", "2000", "--addresses", "300", "--seconds", "4")
    assert main(["demo", "--svg", str(picture), *much]) == 1
    said = capsys.readouterr()
    assert "BROKEN" in said.out, said.err
    assert "refused: too_many_attempts" in said.out
    assert "BROKEN" in picture.read_text()


def test_a_store_that_is_none_is_said_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong store is reported without a traceback by its setting's name, not its value, which may hold a password."""
    assert main(["demo", "--store", "gopher://user:hunter2@host", *SMALL]) == 1
    said = capsys.readouterr().err
    assert said.startswith("sekisho demo: SEKISHO_STORE: ")
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("variable", "value"),
    [("DEMO_OWNERS", "many"), ("DEMO_ATTEMPTS", "1"), ("DEMO_ADDRESSES", "0"), ("DEMO_SECONDS", "")],
)
def test_a_variable_that_makes_no_sense_is_a_misuse(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong variable is reported by its option's name before anything starts."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=str(MISUSED)):
        main(["demo"])
    assert f"argument --{variable.removeprefix('DEMO_').lower()}: wants a number from" in capsys.readouterr().err


def test_help_names_every_variable(capsys: pytest.CaptureFixture[str]) -> None:
    """Help names every variable, as `make demo` has no other options."""
    with pytest.raises(SystemExit, match="0"):
        main(["demo", "--help"])
    said = capsys.readouterr().out
    for name in ("OWNERS", "ATTEMPTS", "ADDRESSES", "SECONDS", "STORE", "KEEP"):
        assert f"[DEMO_{name}" in " ".join(said.split())


def test_without_a_command_the_commands_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The name alone lists the commands."""
    assert main([]) == MISUSED
    said = capsys.readouterr().err
    assert all(name in said for name in COMMANDS)


@pytest.mark.parametrize(("by", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_interrupted_it_ends_its_service_and_cleans_up(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, by: signal.Signals, code: int
) -> None:
    """Interrupted, it leaves no process and no file."""
    process = start(*ENDLESS)
    wait_for(process, "without the guard")
    (service,) = children(process)
    watched = os.pidfd_open(service)
    process.send_signal(by)
    process.communicate(timeout=30)
    assert process.returncode == code
    assert ends(watched)
    assert list(tmp_path.iterdir()) == []


def test_killed_it_takes_its_service_with_it(start: Callable[..., subprocess.Popen[str]]) -> None:
    """After SIGKILL its service notices that the parent has gone, and ends."""
    process = start(*ENDLESS)
    wait_for(process, "without the guard")
    (service,) = children(process)
    watched = os.pidfd_open(service)
    process.kill()
    assert ends(watched)


def test_kept_it_serves_until_it_is_interrupted(start: Callable[..., subprocess.Popen[str]]) -> None:
    """Kept, it prints the guarded service's local address and serves until Ctrl-C, which is no failure.

    Standard output holds the figures as JSON, and nothing else.
    """
    process = start("--keep", "--json", *SMALL)
    url = wait_for(process, "Still guarded").split()[-1]
    with urllib.request.urlopen(url) as page:
        assert b"Tea House" in page.read()
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=30)
    assert url.startswith("http://127.0.0.1:")
    assert process.returncode == 0
    result = json.loads(printed)
    assert all(claim["kept"] for claim in result["claims"])
    assert result["unguarded"]["reached_password_check"] == result["unguarded"]["attempts"] == 600
    assert result["guarded"]["reached_password_check"] < 600
    assert result["guarded"]["owners_refused"] == 0
