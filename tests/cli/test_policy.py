"""`sekisho policy` checks and compares settings before a service has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.operating import run, serve_with

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "mB7tXq2LwPz9RkVn4HsYc6JdGf3AeUo8"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "staging.env").write_text(f"# staging\nexport SEKISHO_SECRET={SECRET}\nSEKISHO_LIMIT_IP=20/minute\n\n")
    (tmp_path / "live.env").write_text(
        f"SEKISHO_SECRET='{SECRET[::-1]}' # new\nSEKISHO_LOGIN=POST /in success=302:/home\n"
    )
    (tmp_path / "wrong.env").write_text(f"SEKISHO_SECRET={SECRET}\nSEKISHO_MODE=loud\nSEKISHO_LIMIT_IP=often\n")
    return tmp_path


@pytest.mark.usefixtures("files")
def test_a_file_is_checked_as_a_start_would() -> None:
    """Each mistake is named, and what the service would log at its start; the values stay hidden."""
    sound, wrong = run("policy", "check", "live.env"), run("policy", "check", "wrong.env")

    assert (sound.code, wrong.code) == (0, 1)
    assert "[SEK004]" in sound.out
    assert [line.partition(":")[0] for line in wrong.out.splitlines()] == ["SEKISHO_MODE", "SEKISHO_LIMIT_IP"]
    assert [one["name"] for one in json.loads(run("policy", "check", "wrong.env", "--json").out)["mistakes"]] == [
        "SEKISHO_MODE",
        "SEKISHO_LIMIT_IP",
    ]


def test_files_of_windows_editors_are_read_but_for_their_byte_order_mark(files: Path) -> None:
    """Line ends are taken away by all that read such files; a mark would be part of the first name."""
    lines = f"SEKISHO_SECRET={SECRET}\r\nSEKISHO_MODE=monitor\r\n".encode()
    (files / "windows.env").write_bytes(lines)
    (files / "marked.env").write_bytes(b"\xef\xbb\xbf" + lines)

    assert run("policy", "check", "windows.env").code == 0
    marked = run("policy", "check", "marked.env")
    assert (marked.code, "save it as UTF-8 without one" in marked.err) == (2, True)
    assert SECRET not in marked.err


@pytest.mark.usefixtures("files")
def test_two_files_are_compared() -> None:
    """Only what differs is printed; of secrets, that they differ."""
    said = run("policy", "diff", "staging.env", "live.env")

    assert said.code == 1
    assert said.out.splitlines() == [
        "SEKISHO_SECRET: (hidden) -> (hidden)",
        "SEKISHO_LOGIN: POST /login -> POST /in success=302:/home",
        "SEKISHO_LIMIT_IP: 20/minute -> 20/10minute;100/day",
    ]
    assert SECRET not in said.out
    assert run("policy", "diff", "live.env", "live.env")[:2] == (0, "Nothing differs.\n")


def test_a_preset_is_compared_with_this_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A preset changes what is not set; a variable that is set stays."""
    serve_with(monkeypatch, limit_ip="7/minute")
    found = {one["variable"]: one["second"] for one in json.loads(run("policy", "diff", "now", "strict", "--json").out)}

    assert found["SEKISHO_PRESET"] == "strict"
    assert found["SEKISHO_DEVICE_DAYS"] == "30"
    assert "SEKISHO_LIMIT_IP" not in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SEKISHO_MODE monitor", "line 1 is not NAME=VALUE"),
        ("\n\nSEKISHO_LOGIN='POST /in' success=302:/home", "line 3 goes on after its quotation mark"),
        ("SEKISHO_LOGIN='POST /in", "line 1 has a quotation mark without its end"),
    ],
)
def test_a_line_that_is_no_variable_is_named(files: Path, text: str, said: str) -> None:
    """A shell would read something else of it, or nothing."""
    (files / "wrong.env").write_text(text)
    found = run("policy", "check", "wrong.env")

    assert (found.code, said in found.err) == (2, True)


def test_a_name_that_is_nothing_is_told() -> None:
    """The presets are listed, in case one was meant."""
    found = run("policy", "check", "strickt")

    assert found.code == 2
    assert "neither a preset (balanced, familiar, strict, pci, jsda, quiet)" in found.err
