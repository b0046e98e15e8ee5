"""Parsing of command lines: one mechanism at all depths, which never repeats typed text."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sekisho import cli
from sekisho.cli import COMMANDS, FAILED, INTERRUPTED, MISUSED, Command, main
from sekisho.cli.corpus import COMMANDS as OF_CORPUS
from sekisho.cli.usage import Misused
from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

CANARY = "hunter2-canary"


@pytest.mark.parametrize(("line", "commands"), [([], COMMANDS), (["corpus"], OF_CORPUS)])
def test_a_name_alone_shows_what_there_is(
    line: list[str], commands: dict[str, Command], capsys: pytest.CaptureFixture[str]
) -> None:
    """`sekisho corpus` alone lists its commands."""
    assert main(line) == MISUSED
    said = capsys.readouterr().err
    assert all(f"  {name}" in said and command.help in said for name, command in commands.items())


@pytest.mark.parametrize("line", [[], ["corpus"], *(["corpus", name] for name in OF_CORPUS)])
def test_help_goes_to_standard_output_at_every_depth(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Help goes to standard output, for paging, at every depth and under its own name."""
    with pytest.raises(SystemExit, match="0"):
        main([*line, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: {' '.join(['sekisho', *line])} [-h]")


@pytest.mark.parametrize("line", [["--version"], ["corpus", "--version"]])
def test_the_version_is_told(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The version tells whether the hot path is compiled, for fault reports."""
    with pytest.raises(SystemExit, match="0"):
        main(line)
    compiled = os.environ.get("TEST_COMPILED") == "1"
    assert capsys.readouterr().out == f"sekisho 0.1.0 ({'compiled' if compiled else 'not compiled'})\n"


@pytest.mark.parametrize("name", OF_CORPUS)
def test_every_command_has_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command has `--json`, by contract."""
    with pytest.raises(SystemExit, match="0"):
        main(["corpus", name, "--help"])
    assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line",
    [
        [CANARY],
        ["corpus", CANARY],
        ["corpus", "--json", CANARY],
        ["demo", "--owners", CANARY],
        ["corpus", "info", CANARY],
        ["corpus", "info", "x", CANARY],
        ["corpus", "verify", CANARY],
        ["corpus", "verify", "x", "--json", CANARY],
        ["corpus", "check", CANARY],
        ["corpus", "check", "x", CANARY],
        ["corpus", "check", "--password", CANARY],
        ["corpus", "check", f"--password={CANARY}"],
        ["corpus", "check", f"--{CANARY}"],
        ["corpus", "check", f"-{CANARY}"],
        ["corpus", "check", f"--json={CANARY}"],
        ["corpus", "check", "--pairs", CANARY, "x"],
        ["corpus", "check", "--account", CANARY],
        ["corpus", "check", CANARY * 400],
        ["corpus", "check", f"{CANARY}/{CANARY}"],
    ],
)
def test_what_was_typed_is_never_repeated(
    line: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Typed text is never repeated: a password in place of a file must not get from the shell's history into logs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEKISHO_PAIRS_KEY", "0123456789abcdefghijklmnopqrstuv")
    try:
        code: object = main(line)
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr()
    assert code == MISUSED
    assert CANARY not in said.out + said.err
    assert "usage:" in said.err or "not repeated here" in said.err


def test_a_misspelt_command_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt command gets the nearest one, from our list."""
    with pytest.raises(SystemExit, match=str(MISUSED)):
        main(["corpus", "biuld"])
    said = capsys.readouterr().err
    assert "there is no such command; did you mean build?" in said
    assert "biuld" not in said


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (["corpus", "info"], "the following arguments are required: FILE"),
        (["demo", "--owners"], "argument --owners: expected one argument"),
        (["demo", "--json=yes"], "argument --json: ignored explicit argument (not repeated"),
        (["demo", "--owners", "few"], "argument --owners: wants a number from 100 to 1,000,000 (not repeated"),
        (["demo", "few"], "unrecognized arguments (not repeated"),
        (["demo", "--own", "500"], "unrecognized arguments (not repeated"),
    ],
)
def test_what_is_wrong_with_a_command_line_is_said(
    line: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong command line gets the reason. Options are not abbreviated: `--own` may mean two later."""
    with pytest.raises(SystemExit, match=str(MISUSED)):
        main(line)
    assert text in capsys.readouterr().err


def ending_in(error: BaseException | None) -> Callable[[object], int]:
    """A command's `run`."""

    def run(_args: object) -> int:
        if error is not None:
            raise error
        return 0

    return run


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """A command of two words, `sekisho outer inner`, from files."""
    package = tmp_path / "outer"
    package.mkdir()
    (package / "__init__.py").write_text(
        "'''Outer.'''\nfrom sekisho.cli import Command\nCOMMANDS = {'inner': Command('inner', extra='corpus')}\n"
    )
    (package / "inner.py").write_text("'''Inner.'''\ndef arguments(parser): pass\ndef run(args): return 0\n")
    monkeypatch.setattr(cli, "__path__", [*cli.__path__, str(tmp_path)])
    monkeypatch.setattr(cli, "COMMANDS", {"outer": Command("outer")})
    from importlib import import_module  # noqa: PLC0415 - only here can it be found

    inner = import_module("sekisho.cli.outer.inner")
    yield inner
    for name in ("sekisho.cli.outer", "sekisho.cli.outer.inner"):
        sys.modules.pop(name)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (None, 0, ""),
        (SekishoError("the file is damaged"), FAILED, "sekisho outer inner: the file is damaged\n"),
        (Misused("name a FILE"), MISUSED, "sekisho outer inner: name a FILE\n"),
        (OSError(28, "No space left on device", "/x"), FAILED, "sekisho outer inner: /x: No space left on device\n"),
        (OSError(), FAILED, "sekisho outer inner: failed\n"),
        (KeyboardInterrupt(), INTERRUPTED, ""),
    ],
)
def test_how_a_command_ends_is_its_exit_code_and_one_line(
    error: BaseException | None,
    code: int,
    text: str,
    command: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An expected failure ends with its exit code and one line, without a traceback, at any depth."""
    monkeypatch.setattr(command, "run", ending_in(error))
    assert main(["outer", "inner"]) == code
    assert capsys.readouterr().err == text


def test_a_bug_keeps_its_traceback(command: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception keeps its traceback."""
    monkeypatch.setattr(command, "run", ending_in(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main(["outer", "inner"])


WITHOUT = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"numpy", "httpx", "rich", "cryptography", "jinja2", "sqlalchemy"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Without())
from sekisho.cli import main
sys.exit(main())
"""


def without_the_extra(*line: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A process that cannot import what only the extras bring."""
    return subprocess.run([sys.executable, "-c", WITHOUT, *line], input=stdin, capture_output=True, check=False)


@pytest.mark.parametrize("line", [("completion", "bash"), ("check", "--help"), ("doctor", "--help")])
def test_commands_that_need_no_extra_run_without_any(line: tuple[str, ...]) -> None:
    """A plain `pip install .` is enough for the commands that the first warnings name."""
    ended = without_the_extra(*line)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_running_service_is_not_checked_without_ciphers(monkeypatch: pytest.MonkeyPatch) -> None:
    """`check --url` seals its question: without ciphers it says what to install."""
    monkeypatch.setenv("SEKISHO_SECRET", "kR4-vw0cM1zQ8sXy7bTn2JdLhG5uPfAe")
    ended = without_the_extra("check", "--url", "https://shop.example")
    assert ended.returncode == MISUSED
    assert ended.stderr.decode() == (
        "sekisho check: --url needs cryptography: pip install '.[step-up]' in a checkout of sekisho\n"
    )


@pytest.mark.parametrize("name", ["build", "fetch"])
def test_a_missing_extra_is_one_line_that_says_how_to_get_it(name: str) -> None:
    """A missing extra is one line with the command to install it, instead of a traceback."""
    ended = without_the_extra("corpus", name, "a", "b")
    assert ended.returncode == MISUSED
    assert ended.stderr.decode().endswith(": pip install '.[corpus]' in a checkout of sekisho\n")
    assert ended.stderr.count(b"\n") == 1
