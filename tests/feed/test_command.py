"""The program of a front does not outlive the call that runs it, nor do its children."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sekisho.feed.fronts import command
from sekisho.feed.fronts.command import run_command
from sekisho.feed.fronts.port import FrontFault

if TYPE_CHECKING:
    from collections.abc import Iterator

HANGS = "import subprocess, sys, time; pipe = open(sys.argv[1], 'wb', 0); pipe.write(b'.'); {}"
CHILD = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], pass_fds=[pipe.fileno()])"
BY_ITSELF, WITH_CHILD, CHILD_ALONE = "time.sleep(60)", f"{CHILD}; time.sleep(60)", CHILD


class Pipe:
    """A named pipe, which each process of the program holds open for writing."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    async def read(self) -> bytes:
        """A byte, or nothing if all processes have ended."""
        readable = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._end, readable.set)
        try:
            async with asyncio.timeout(20):
                await readable.wait()
        finally:
            loop.remove_reader(self._end)
        return os.read(self._end, 1)

    def close(self) -> None:
        os.close(self._end)


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    made = Pipe(tmp_path / "held")
    yield made
    made.close()


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def program(what: str, pipe: Pipe) -> list[str]:
    return [sys.executable, "-c", HANGS.format(what), str(pipe.path)]


@pytest.mark.parametrize("what", [BY_ITSELF, WITH_CHILD], ids=["alone", "with a child"])
async def test_a_program_ends_when_its_call_is_cancelled(what: str, pipe: Pipe) -> None:
    """At a shutdown the blocks are removed; a program that ran on would set them again, and nothing would end them."""
    running = asyncio.create_task(run_command(program(what, pipe), "", "nft"))
    assert await pipe.read() == b"."
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert await pipe.read() == b""


@pytest.mark.parametrize("what", [BY_ITSELF, WITH_CHILD, CHILD_ALONE], ids=["alone", "with a child", "child alone"])
async def test_a_program_that_hangs_is_ended(what: str, pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has ended counts too, while a child holds its standard error: the command itself went down with it."""
    monkeypatch.setattr(command, "RUN_S_MAX", 2)
    open_before = descriptors()
    with pytest.raises(FrontFault, match=r"^the reload did not end within 2 seconds$"):
        await run_command(program(what, pipe), "", "the reload")

    assert descriptors() <= open_before, "a pipe of the program is still open"
    assert await pipe.read() == b"."
    assert await pipe.read() == b""
