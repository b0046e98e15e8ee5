"""`sekisho tail` prints events as they are written, filtered, and through rotation."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sekisho.cli import tail
from sekisho.record import Event, Subject
from sekisho.record.lines import encode
from tests.acceptance.processes import ended
from tests.asgi.driving import HERE, OPEN, Shop, guarded, log_in
from tests.cli.operating import command, run, serve_with, stop

if TYPE_CHECKING:
    from pathlib import Path

AT_US = 1_795_936_209_123_456


def line(door: str = "POST /login", kind: str = "decided", **more: str) -> str:
    return encode(Event(kind, AT_US, door, action="allow", subject=Subject("203.0.113.0/24"), **more)) + "\n"  # type: ignore[arg-type]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "events"
    monkeypatch.setenv("SEKISHO_EVENTS_FILE", str(path))
    return path


def test_the_newest_lines(file: Path) -> None:
    """As many as asked for, the last ones, in words or as they are."""
    file.write_text("".join(line(f"POST /{n}") for n in range(30)))

    assert len(run("tail").out.splitlines()) == 20
    assert run("tail", "--lines", "1").out == (
        "2026-11-29 07:10:09 decided POST /29 action=allow network=203.0.113.0/24\n"
    )
    assert run("tail", "--lines", "1", "--json").out == line("POST /29")
    assert len(run("tail", "--all").out.splitlines()) == 30


def test_only_the_end_of_a_large_file_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of gigabytes costs no more than its end; the line that is cut there is no mistake."""
    file.write_text("".join(line(f"POST /{n}") for n in range(30)))
    monkeypatch.setattr(tail, "LAST_BYTES", 3 * len(line("POST /29")) + 5)

    said = run("tail")
    assert [text.split()[4] for text in said.out.splitlines()] == ["/27", "/28", "/29"]
    assert said.err == ""


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_that_nothing_was_found_is_said(json: list[str], file: Path) -> None:
    """An operator who mistypes a door must not take silence for a quiet day. Without lines nothing was asked for."""
    file.write_text(line())
    end, whole = run("tail", "--door", "POST /logni", *json), run("tail", "--kind", "settled", "--all", *json)

    assert (end.code, end.out, whole.code, whole.out) == (0, "", 0, "")
    assert end.err == "sekisho tail: no such event in the last 16 MiB of the file (--all looks at all of it)\n"
    assert whole.err == "sekisho tail: no such event in the file\n"
    assert run("tail", "--lines", "0", *json).err == ""


def test_kinds_and_doors(file: Path) -> None:
    """Both filters, each for several values."""
    file.write_text(line() + line("POST /reset") + line(kind="settled") + line("POST /code"))
    found = run("tail", "--kind", "decided", "--door", "POST /login", "--door", "POST /code").out.splitlines()

    assert [text.partition(" action")[0].partition(" decided ")[2] for text in found] == ["POST /login", "POST /code"]


async def test_an_account_and_an_address(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator types the name, and the file has only its digest."""
    serve_with(monkeypatch)
    guard = guarded(Shop(), **OPEN)
    await log_in(guard, "hana")
    await log_in(guard, "kenji", client="198.51.100.7")
    await stop(guard)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Hana\n")))

    of_account = (await command("tail", "--account", "-", "--kind", "decided", "--json")).out.splitlines()
    of_address = (await command("tail", "--address", HERE, "--kind", "decided", "--json")).out.splitlines()
    of_other = (await command("tail", "--address", "198.51.100.7", "--kind", "decided", "--json")).out.splitlines()

    assert of_account == of_address
    assert len(of_account) == len(of_other) == 1
    assert of_account != of_other


def test_other_lines_are_counted(file: Path) -> None:
    """A damaged line hides no other; kinds of a later release are skipped."""
    later = json.dumps({"v": 1, "time": "2026-11-29T07:30:09.123456Z", "kind": "weather"})
    file.write_text(f"{line()}damaged\n{'x' * 20_000}\n{later}\n{line()}")
    said = run("tail")

    assert len(said.out.splitlines()) == 2
    assert said.err == "sekisho tail: 3 lines are no events\n"


def test_control_characters_do_not_reach_the_terminal(file: Path) -> None:
    """A forged line cannot clear the screen or hide another one."""
    file.write_text(line(kind="misconfigured", text="\x1b[2J") + line("POST /\x9b2J") + line(reasons=("\x1b[2J",)))  # type: ignore[arg-type]

    assert not {"\x1b", "\x9b"} & set(run("tail").out)


def test_it_follows_until_it_is_interrupted(file: Path) -> None:
    """As an own process: it prints a line that was written after its start, and Ctrl-C is exit code 130."""
    file.write_text(line("POST /first"))
    command = [sys.executable, "-m", "tests.cli.shown", "tail", "--follow"]
    with ended(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        with file.open("a") as writing:
            writing.write(line("POST /second"))
        second = process.stdout.readline()
        process.send_signal(2)

        assert process.wait(20) == 130
    assert ("POST /first" in first, "POST /second" in second) == (True, True)


def test_a_file_that_is_not_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is exit code 1, and no setting 2."""
    missing = run("tail")
    monkeypatch.delenv("SEKISHO_EVENTS_FILE")

    assert (missing.code, run("tail").code) == (1, 2)
    assert missing.err == f"sekisho tail: {file}: No such file or directory\n"
