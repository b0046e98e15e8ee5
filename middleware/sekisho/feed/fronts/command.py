"""Runs the program of a front: `nft`, or the reload of nginx."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sekisho.feed.fronts.port import FrontFault

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Sequence

RUN_S_MAX: Final = 30
KILLED_S_MAX: Final = 2  # a program of another user, as by `sudo`, cannot be killed: it is not waited for
_ERROR: Final = re.compile(r"error|emerg|fail|denied|not permitted", re.IGNORECASE)


async def run_command(command: Sequence[str], text: str, name: str) -> None:
    """Run a program with a text on its standard input. Raises `FrontFault` if it cannot run, fails or takes too long.

    It has a process group of its own, which is killed if the program takes too long or this call is cancelled.

    `name`: of the program, for the error.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            process_group=0,
        )
    except OSError as error:
        raise FrontFault(f"{name} cannot be run: {error.strerror}") from None
    try:
        async with asyncio.timeout(RUN_S_MAX):
            _, said = await process.communicate(text.encode())
    except TimeoutError:
        await _kill(process)
        raise FrontFault(f"{name} did not end within {RUN_S_MAX} seconds") from None
    except asyncio.CancelledError:
        # The blocks are removed next: a program that still runs would set them again, and nothing would end them.
        await _kill(process)
        raise
    if process.returncode:
        raise FrontFault(f"{name} failed: {_problem(said.decode(errors='replace'))[:200]}")


async def _kill(process: Process) -> None:
    """Kill a program and its children. It may have ended already, while a child holds its standard error."""
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(KILLED_S_MAX):
            await process.communicate()  # to the end of its output, or the pipe of it would stay open


def _problem(said: str) -> str:
    """The first line that tells of an error; else the first: nginx begins with a notice, nft ends with carets."""
    lines = said.splitlines() or [""]
    return next((line for line in lines if _ERROR.search(line)), lines[0])
