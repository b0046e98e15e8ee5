"""Runs an operator's commands beside guards of this process, as the same service in other processes would."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import IO, TYPE_CHECKING, NamedTuple

from sekisho.cli import main
from sekisho.testing import SECRET

if TYPE_CHECKING:
    import pytest

    from sekisho.wiring import LoginGuard


RUN = "import sys\nfrom sekisho.cli import main\nsys.exit(main())"
"""Python that runs the command line of its process, as the installed script does."""


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str = ""


def serve_with(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    """The service's environment, for commands and guards alike. A busy machine is no outage of its store."""
    for name, value in {"secret": SECRET.decode(), "store_deadline_ms": "5000", **settings}.items():
        monkeypatch.setenv(f"SEKISHO_{name.upper()}", value)


async def command(*line: str) -> Said:
    """Run a command in a thread of its own: it has an event loop, as the guards have theirs."""
    return await asyncio.to_thread(run, *line)


def run(*line: str) -> Said:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code: object = main(line)
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int)
    return Said(code, out.getvalue(), err.getvalue())


def started(*line: str, stdout: int | IO[str] = subprocess.PIPE, first: str = "") -> subprocess.Popen[str]:
    """Start a command in a process of its own, in this process's environment. `first`: Python that it runs before."""
    return subprocess.Popen(
        [sys.executable, "-c", f"{first}\n{RUN}", *line],
        stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> Said:
    out, err = process.communicate(timeout=120)
    return Said(process.returncode, out or "", err)


async def stop(*guards: LoginGuard) -> None:
    for guard in guards:
        assert guard._loops is not None
        await guard._loops.stop()
