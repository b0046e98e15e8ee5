"""`sekisho simulate`: the table, JSON, pictures and the document; mistakes are named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from multiprocessing import active_children
from threading import Thread
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from sekisho.cli import MISUSED, main

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ["simulate", "six-right-passwords", "--scale", "0.02"]


def test_a_scenario_is_played(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has a row for each policy and seed. Settings of the environment change nothing."""
    monkeypatch.setenv("SEKISHO_LIMIT_IP", "nonsense")
    assert main([*SMALL, "--policy", "default", "--policy", "django-axes", "--seed", "1", "--seed", "2"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "six-right-passwords: SBI, 2020: six right passwords, tried patiently"
    assert [line.split()[:2] for line in lines[2:]] == [
        ["1", "default"],
        ["1", "django-axes"],
        ["2", "default"],
        ["2", "django-axes"],
    ]


def test_json_has_the_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON value, with the counts of bots and owners."""
    assert main([*SMALL, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["scenario"], found["policy"], found["seed"]) == ("six-right-passwords", "default", 1)
    assert found["bots"]["attempts"] == 1
    assert (found["scale"], found["accounts"]) == (0.02, 20)
    assert sum(kind["log_ins"] for kind in found["owners"].values()) == 12


def test_documents_and_pictures_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A Markdown page with every parameter and its source, and SVGs for each scenario."""
    page, folder = tmp_path / "laboratory.md", tmp_path / "pictures"
    assert main([*SMALL, "--document", str(page), "--svg", str(folder), "--curves", str(folder / "curves")]) == 0

    assert "](pictures/curves/six-right-passwords.svg)" in page.read_text()
    assert (folder / "curves" / "six-right-passwords.svg").exists()
    assert "- `attack 1.right`: 6; SBI Securities, September 2020: six accounts" in page.read_text()
    assert ET.fromstring((folder / "six-right-passwords.svg").read_text()).tag.endswith("svg")
    assert capsys.readouterr().out


def test_what_was_not_played_can_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page can be drawn from the runs that are kept, before all are played."""
    kept = ["--kept", str(tmp_path / "kept.jsonl"), "--json"]
    assert main([*SMALL, "--at", "abc", *kept]) == 0
    capsys.readouterr()
    assert main([*SMALL, "--seed", "1", "--seed", "2", "--no-play", *kept]) == 0
    assert [each["seed"] for each in json.loads(capsys.readouterr().out)] == [1]


def test_the_list_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Scenarios, policies and other limiters, each by name."""
    assert main(["simulate", "--list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "7pay" in found["scenarios"]
    assert "default" in found["policies"]
    assert "keycloak" in found["peers"]


@pytest.mark.parametrize("wrong", [["nowhere"], ["7pay", "--policy", "nowhere"], ["7pay", "--no-play"]])
def test_an_unknown_name_is_misuse(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown scenario or policy ends the command, and is not repeated."""
    assert main(["simulate", *wrong]) == MISUSED
    assert "nowhere" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--list", "--document", "page.md"], "--list plays nothing: it takes --policies and --json only"),
        (["--list", "7pay"], "--list plays nothing: it takes --policies and --json only"),
        (["--list", "--svg", "pictures"], "--list plays nothing: it takes --policies and --json only"),
        (["7pay", "--curves", "curves"], "--curves belongs to --document"),
        (["7pay", "--at", "abc"], "--at belongs to --kept"),
        (["7pay", "--kept", "runs.jsonl", "--no-play", "--jobs", "2"], "--jobs plays runs, and --no-play none"),
        (["7pay", "7pay"], "SCENARIO: two have the same name"),
        (["7pay", "--policy", "default", "--policy", "default"], "--policy: two have the same name"),
        (["7pay", "--seed", "1", "--seed", "1"], "--seed: two have the same name"),
        (["--list", "--jobs", "2"], "--list plays nothing: it takes --policies and --json only"),
        (["--replay", "audit.jsonl", "--jobs", "2"], "--replay plays what was recorded: it takes --policy"),
        (["--replay", "audit.jsonl", "--list"], "--replay plays what was recorded: it takes --policy"),
        (["--replay", "audit.jsonl", "--at", "abc"], "--replay plays what was recorded: it takes --policy"),
    ],
)  # fmt: skip
def test_an_option_without_effect_is_misuse(line: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A page that was asked for and is not written would be missed after hours."""
    assert main(["simulate", *line]) == MISUSED
    assert said in capsys.readouterr().err


def test_a_mistake_in_the_last_policy_ends_nothing_that_was_played(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Every policy is started before the first run; the message names the policy and the setting."""
    mine = tmp_path / "mine.toml"
    mine.write_text('[good]\nabout = "a"\n[bad]\nabout = "b"\nlimit_ipp = "1/day"\n')
    kept = tmp_path / "kept.jsonl"
    both = ["--policy", "good", "--policy", "bad", "--policies", str(mine), "--kept", str(kept)]
    assert main([*SMALL, *both]) == 1
    assert "sekisho simulate: policy bad: limit_ipp: is no setting of sekisho" in capsys.readouterr().err
    assert not kept.exists()


def test_a_file_in_another_encoding_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A scenario that is not UTF-8 is no traceback."""
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'title = "\xe9"\n')
    assert main(["simulate", str(latin)]) == 1
    assert "latin.toml: no TOML: is not UTF-8" in capsys.readouterr().err


def test_a_scale_has_bounds() -> None:
    """A scale of 0 would play nothing."""
    with pytest.raises(SystemExit, match=str(MISUSED)):
        main(["simulate", "7pay", "--scale", "0"])


def test_runs_in_several_processes_give_the_same_table(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order in which they were asked for. Kept runs are not played again, and no setting reaches a process."""
    monkeypatch.setenv("SEKISHO_LIMIT_IP", "nonsense")
    runs = [*SMALL, "--policy", "default", "--policy", "slowapi", "--seed", "2", "--seed", "1", "--json"]
    kept = ["--kept", str(tmp_path / "kept.jsonl")]
    assert main(runs) == 0
    one_after_the_other = capsys.readouterr().out

    assert main([*runs, *kept, "--jobs", "3"]) == 0
    shown = capsys.readouterr()
    assert shown.out == one_after_the_other
    assert "3 at once: 4 runs\n" in shown.err

    assert main([*runs, *kept, "--jobs", "3"]) == 0
    assert capsys.readouterr() == (one_after_the_other, "")


def test_a_process_that_is_killed_ends_the_command_with_a_reason(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As by a machine without memory. Runs that ended are kept."""
    kept = tmp_path / "kept.jsonl"

    def kill_one() -> None:
        while not kept.exists():
            time.sleep(0.01)
        active_children()[0].kill()

    killer = Thread(target=kill_one)
    killer.start()
    seeds = [word for seed in range(40) for word in ("--seed", str(seed))]
    assert main([*SMALL, *seeds, "--jobs", "2", "--kept", str(kept)]) == 1
    killer.join()
    assert "sekisho simulate: a process ended before its run did" in capsys.readouterr().err
    assert 0 < len(kept.read_text().splitlines()) < 40
    assert not active_children()


def test_an_interrupt_ends_the_runs_under_way(tmp_path: Path) -> None:
    """Also where it reaches the first process alone, as of a service manager. Runs that ended are kept."""
    kept = tmp_path / "kept.jsonl"
    line = ["quiet-month", "--jobs", "2", "--kept", str(kept), *(f"--seed={seed}" for seed in range(40))]
    with subprocess.Popen(
        [sys.executable, "-m", "sekisho", "simulate", *line], stderr=subprocess.PIPE, text=True, process_group=0
    ) as command:
        while not kept.exists():
            assert command.poll() is None
            time.sleep(0.02)
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=20)
    assert command.returncode == 130
    assert "Traceback" not in said
    assert _play_no_more(command.pid)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_run_goes_on_when_the_command_is_killed(tmp_path: Path, how: signal.Signals) -> None:
    """As by a time limit, or by a machine without memory: no handler of the first process sees it."""
    kept = tmp_path / "kept.jsonl"
    line = [
        "quiet-month",
        "--scale",
        "0.1",
        "--jobs",
        "2",
        "--kept",
        str(kept),
        *(f"--seed={seed}" for seed in range(40)),
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "sekisho", "simulate", *line], stderr=subprocess.DEVNULL, process_group=0
    ) as command:
        while not kept.exists():
            assert command.poll() is None
            time.sleep(0.02)
        command.send_signal(how)
    ended = _play_no_more(command.pid)
    with suppress(ProcessLookupError):
        os.killpg(command.pid, signal.SIGKILL)  # where the test fails
    assert ended


def _play_no_more(group: int) -> bool:
    """Whether within two seconds no process of a group is left that computes; one that ended may await its parent."""
    for _ in range(100):
        states = subprocess.run(["ps", "-e", "-o", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
        if not any(of == str(group) and not state.startswith("Z") for of, state in map(str.split, states.splitlines())):
            return True
        time.sleep(0.02)
    return False
