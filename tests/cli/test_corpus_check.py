"""`sekisho corpus check` answers about a password that is never shown."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import sys
import termios
from array import array
from hashlib import sha1
from itertools import count
from typing import TYPE_CHECKING

import pytest

from sekisho.breach.corpus_file import Corpus
from sekisho.cli import FAILED, MISUSED, main
from tests.cli.corpora import KEY, OTHER_KEY, pairs, passwords, piped

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "hunter2-canary"
SECONDS_MAX = 60


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three passwords, and some to fill it."""
    counts = {f"filler{number}": 1 for number in range(100)}
    return passwords(tmp_path / "passwords.corpus", counts | {"once": 1, CANARY: 1_500, "everywhere": 10**9})


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pair file, with its key where the commands look for it."""
    monkeypatch.setenv("SEKISHO_PAIRS_KEY", KEY)
    return pairs(tmp_path / "pairs.corpus", [("hana@example.jp", "Sunshine2019!")])


@pytest.mark.parametrize(
    ("line", "said", "code"),
    [
        (b"once\n", "password: seen at least once\n", 1),
        (f"{CANARY}\n".encode(), "password: seen at least 1,024 times\n", 1),
        (b"everywhere\r\n", "password: seen at least 32,768 times\n", 1),
        (b"everywhere", "password: seen at least 32,768 times\n", 1),
        (
            b"tomato\n",
            "password: not in this file of 2026-09-21 (which is no proof that it never leaked)\n",
            0,
        ),
        (
            "パスワード\n".encode(),
            "password: not in this file of 2026-09-21 (which is no proof that it never leaked)\n",
            0,
        ),
    ],
)
def test_a_line_is_looked_up(
    line: bytes,
    said: str,
    code: int,
    corpus: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A password gets its minimum count, or *not in this file*, which is weaker than *clean*; exit code 1 if it was
    seen.
    """
    assert piped(monkeypatch, line, "corpus", "check", str(corpus)) == code
    assert capsys.readouterr() == (said, "")


def test_the_service_s_own_file_is_the_default(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The service's own setting names the default file, and no other setting is needed."""
    monkeypatch.setenv("SEKISHO_CORPUS", str(corpus))
    assert piped(monkeypatch, b"once\n", "corpus", "check") == 1
    assert capsys.readouterr().out == "password: seen at least once\n"


def test_machines_get_json(corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has nothing of the password, hashed or not."""
    assert piped(monkeypatch, f"{CANARY}\n".encode(), "corpus", "check", "--json", str(corpus)) == 1
    assert json.loads(capsys.readouterr().out) == {
        "leaked": True,
        "seen_at_least": 1_024,
        "pair": None,
        "passwords_built": 1_790_000_000,
        "pairs_built": None,
    }


@pytest.mark.parametrize(
    ("typed", "said", "pair", "code"),
    [
        ("hana@example.jp\nSunshine2019!\n", "pair: this account and this password stand together", "exact", 1),
        ("HANA@example.jp\nSunshine2019!\n", "pair: this account and this password stand together", "exact", 1),
        ("hana@example.jp\nsunshine2020\n", "pair: this account stands in leaked lists with a password", "variant", 1),
        ("taro@example.jp\nSunshine2019!\n", "pair: not in this file of 2026-09-21", "absent", 0),
    ],
)
def test_a_pair_is_two_lines(
    typed: str,
    said: str,
    pair: str,
    code: int,
    listed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A pair is two lines, the account first in any spelling: exact, similar or absent."""
    assert piped(monkeypatch, typed.encode(), "corpus", "check", "--pairs", str(listed)) == code
    assert capsys.readouterr().out.startswith(said)
    assert piped(monkeypatch, typed.encode(), "corpus", "check", "--pairs", str(listed), "--json") == code
    told = json.loads(capsys.readouterr().out)
    assert (told["pair"], told["leaked"], told["seen_at_least"]) == (pair, bool(code), None)


def test_both_files_are_asked_in_one_go(
    corpus: Path, listed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Password and pair files are both asked, as by the service, with its own settings and key file."""
    key = listed.with_name("key")
    key.write_text(KEY + "\n")
    monkeypatch.delenv("SEKISHO_PAIRS_KEY")
    monkeypatch.setenv("SEKISHO_PAIRS_KEY_FILE", str(key))
    monkeypatch.setenv("SEKISHO_CORPUS", str(corpus))
    monkeypatch.setenv("SEKISHO_PAIRS", str(listed))
    assert piped(monkeypatch, b"taro@example.jp\nonce\n", "corpus", "check", "--pairs") == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first == "password: seen at least once"
    assert second.startswith("pair: not in this file of")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"", "no password was given"),
        (b"\n", "no password was given"),
        (b"x" * 5_000, "the password is longer than 4096 bytes"),
        (b"hunter2-canary\xff\n", "the line with the password is not UTF-8"),
    ],
)
def test_what_is_no_password_is_not_looked_up(
    line: bytes,
    problem: str,
    corpus: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Half of a password is not looked up: the answer would be *not in this file*."""
    assert piped(monkeypatch, line, "corpus", "check", str(corpus)) == MISUSED
    said = capsys.readouterr()
    assert problem in said.err
    assert CANARY not in said.out + said.err


@pytest.mark.parametrize(
    ("line", "code", "problem"),
    [
        (["check"], MISUSED, "name a FILE, or set SEKISHO_CORPUS"),
        (["check", "{pairs}"], FAILED, "it holds pairs, not passwords"),
        (["check", "--pairs", "{corpus}"], FAILED, "it holds passwords, not pairs"),
        (["check", "--pairs"], MISUSED, "name a file after --pairs, or set SEKISHO_PAIRS"),
    ],
)
def test_what_is_wrong_with_the_files_is_said_before_the_password_is_asked_for(
    line: list[str],
    code: int,
    problem: str,
    corpus: Path,
    listed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Errors of the files are reported before the prompt for a password."""
    given = [word.format(pairs=listed, corpus=corpus) for word in line]
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["corpus", *given]) == code
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (OTHER_KEY, "it was made with another key"),
        ("", "SEKISHO_PAIRS_KEY: is not set"),
        ("brief-canary", "SEKISHO_PAIRS_KEY: is shorter than 32 bytes"),
    ],
)
def test_without_its_key_a_file_of_pairs_is_unknown_and_not_clean(
    key: str, problem: str, listed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pair file without its key means *unknown*, not clean: exit code 1, so scripts refuse."""
    monkeypatch.setenv("SEKISHO_PAIRS_KEY", key)
    assert piped(monkeypatch, b"hana@example.jp\nx\n", "corpus", "check", "--pairs", str(listed)) == FAILED
    said = capsys.readouterr().err
    assert problem in said
    assert not key or key not in said


def test_a_damaged_file_is_no_answer(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged file (a bucket beyond the entries) means *could not tell*, with exit code 1."""
    header = Corpus.open(corpus).header
    bucket = 1  # the index's ends are checked when a file is opened
    typed = next(
        f"canary{n}" for n in count() if sha1(f"canary{n}".encode()).digest()[0] >> (8 - header.bits) == bucket
    )
    content = bytearray(corpus.read_bytes())
    at = 4096 + 4 * (header.entries + bucket)
    content[at : at + 8] = array("I", [header.entries, header.entries + 9]).tobytes()
    corpus.write_bytes(content)
    assert piped(monkeypatch, f"{typed}\n".encode(), "corpus", "check", str(corpus)) == FAILED
    said = capsys.readouterr()
    assert "the file is damaged" in said.err
    assert "canary" not in said.out + said.err


def conversation(argv: list[str], answers: list[tuple[str, str]]) -> tuple[str, int]:
    """Run a command in a terminal and answer its prompts. Returns the shown text and the exit code."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "tests.cli.shown", *argv])
    shown = b""
    for prompt, answer in answers:
        while prompt.encode() not in shown.rpartition(b"\n")[2]:
            shown += heard(terminal)
        hidden = "not shown" in prompt
        assert bool(termios.tcgetattr(terminal)[3] & termios.ECHO) is not hidden
        os.write(terminal, f"{answer}\n".encode())
    while more := heard(terminal):
        shown += more
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return shown.decode().replace("\r\n", "\n"), os.waitstatus_to_exitcode(status)


def heard(terminal: int) -> bytes:
    """The next output, or nothing once the command has ended."""
    assert select.select([terminal], [], [], SECONDS_MAX)[0], "the command says nothing"
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux reports that the other end is closed
        return b""


def test_a_terminal_asks_without_showing(corpus: Path) -> None:
    """On a terminal there is a prompt, no echo, and the answer."""
    shown, code = conversation(["corpus", "check", str(corpus)], [("Password (not shown): ", CANARY)])
    assert (shown, code) == ("Password (not shown): \npassword: seen at least 1,024 times\n", 1)


def test_a_terminal_asks_for_the_account_too(listed: Path) -> None:
    """The prompt for the account echoes, so that typing errors are seen."""
    shown, code = conversation(
        ["corpus", "check", "--pairs", str(listed)],
        [("Account: ", "hana@example.jp"), ("Password (not shown): ", "sunshine7")],
    )
    assert "Account: hana@example.jp\n" in shown
    assert "sunshine7" not in shown
    assert re.search(r"pair: this account stands in leaked lists with a password that differs a little\n$", shown)
    assert code == 1


def test_an_interrupted_question_is_no_traceback(corpus: Path) -> None:
    """Ctrl-C at the prompt ends with 130, no traceback, and echo restored."""
    shown, code = conversation(["corpus", "check", str(corpus)], [("Password (not shown): ", f"{CANARY}\x03")])
    assert "Traceback" not in shown
    assert CANARY not in shown
    assert code == 130
