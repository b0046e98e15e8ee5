"""Standard output that is lost, and interrupts: no traceback, the right exit code, and what may be done is said."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import tomllib
from argparse import Namespace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sekisho.cli import main
from sekisho.cli.output import OutputLost, ReaderGone, standard_output
from tests.cli.operating import RUN, command, ended, started
from tests.cli.test_two_operators import OWNERS, act, attacked, told

if TYPE_CHECKING:
    from tests.owners.worlds import SqlWorld

__all__ = ["attacked"]

CHANGING = (
    "mode", "posture", "deny", "allow", "unblock", "takeover", "report", "forget", "owners.migrate", "owners.reset",
    "owners.rewrap",
)  # fmt: skip
LOST = (
    "sekisho completion: standard output cannot be written: No space left on device (changes are made before anything "
    "is printed, so they are made)\n"
)
INTERRUPTED = """
import os, signal
from sekisho.outbox import NoticeOutbox
add_once, calls = NoticeOutbox.add_once, []
def third(*arguments):
    calls.append(1)
    if len(calls) == 4:
        os.kill(os.getpid(), signal.SIGINT)
    return add_once(*arguments)
NoticeOutbox.add_once = third
"""


class Broken(io.StringIO):
    """A stream that fails when it is written or flushed."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error

    def flush(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code", "err"),
    [
        (BrokenPipeError(), 141, ""),
        (
            OSError(28, "No space left on device"),
            1,
            LOST,
        ),
    ],
)
def test_lost_output_is_said_once(
    error: OSError, code: int, err: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reader that has seen enough is silent; anything else is said by the command, once."""
    monkeypatch.setattr(sys, "stdout", Broken(error))

    assert (main(["completion", "bash"]), capsys.readouterr().err) == (code, err)


@pytest.mark.parametrize(("error", "kind"), [(BrokenPipeError(), ReaderGone), (OSError(5, "I/O error"), OutputLost)])
def test_text_that_is_left_at_the_end_is_lost_too(
    error: OSError, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short text is written when the process ends: Python itself would print a traceback then."""
    monkeypatch.setattr(sys, "stdout", Broken(error))

    with pytest.raises(kind), standard_output():
        pass


def test_closed_streams_change_no_exit_code() -> None:
    """As for a job whose output nobody wants: `>&- 2>&-`."""
    lines = (["completion", "bash"], ["tail", "--file", "/nowhere"])
    closed = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", sys.executable, "-c", RUN]

    assert [subprocess.run([*closed, *line], check=False).returncode for line in lines] == [0, 1]


@pytest.mark.parametrize("line", ["--version", "completion bash", "deny --help"])
def test_a_process_without_a_reader_ends_quietly(line: str) -> None:
    """As `… | head -0`, in a process of its own."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        said = ended(started(*line.split(), stdout=gone))

    assert (said.code, said.err) == (141, "")


@pytest.mark.parametrize("name", CHANGING)
def test_each_command_that_changes_something_says_what_an_interrupt_leaves(name: str) -> None:
    """Where nothing would be changed, nothing is said."""
    module = import_module(f"sekisho.cli.{name}")
    changing = Namespace(mode="off", reset=False, act="set", network="192.0.2.1", undo=False)
    reading = Namespace(mode=None, reset=False, act=None, network=None, undo=False)

    assert module.interrupted(changing)
    if name in {"mode", "posture", "deny", "allow", "report"}:
        assert module.interrupted(reading) == ""


async def test_an_interrupted_act_says_so_and_is_taken_up(attacked: SqlWorld, tmp_path: Path) -> None:
    """Ctrl-C between two notices: whom it told is noted, the next run does the rest, and no claim is left."""
    stopped = await asyncio.to_thread(ended, started(*act(tmp_path), first=INTERRUPTED))
    second = await command(*act(tmp_path))

    assert (stopped.code, stopped.out) == (130, "")
    assert stopped.err.endswith(
        "sekisho report: interrupted: accounts may be asked and owners told in part; run it again, and it does what is "
        "missing\n"
    )
    done = json.loads(second.out)["done"]
    assert (second.code, done["told"] + done["told_before"]) == (0, OWNERS)
    assert 3 <= done["told_before"] <= 4
    assert await told(attacked) == OWNERS


EARLY = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time\ntime.sleep(20)\n"


@pytest.mark.parametrize("module", ["difflib", "argparse", "secrets"])
def test_an_interrupt_while_the_command_is_imported_is_one_line(tmp_path: Path, module: str) -> None:
    """Ctrl-C while Python imports: of the commands' table, of all parsers, of one command. No traceback, and 130."""
    (tmp_path / f"{module}.py").write_text(EARLY)
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    line = [sys.executable, "-m", "sekisho", "mode"]
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": paths}, timeout=60
    )

    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "sekisho: interrupted before anything was done\n"


def test_the_installed_command_is_entered_there() -> None:
    """The script of the package begins with the light import, and the package imports nothing of its own."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    code = "import sys, sekisho; print([name for name in sys.modules if name.startswith('sekisho')])"

    assert project["scripts"] == {"sekisho": "sekisho.__main__:main"}
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "['sekisho']\n"
