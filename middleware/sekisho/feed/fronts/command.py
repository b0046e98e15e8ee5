"""Runs the program of a front: `nft`, or the reload of nginx."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from sekisho.feed.fronts.port import FrontFault

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN_S_MAX: Final = 30
_ERROR: Final = re.compile(r"error|emerg|fail|denied|not permitted", re.IGNORECASE)


async def run_command(command: Sequence[str], text: str, name: str) -> None:
    """Run a program with a text on its standard input. Raises `FrontFault` if it cannot run, fails or takes too long.

    `name`: of the program, for the error.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise FrontFault(f"{name} cannot be run: {error.strerror}") from None
    try:
        async with asyncio.timeout(RUN_S_MAX):
            _, said = await process.communicate(text.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise FrontFault(f"{name} did not end within {RUN_S_MAX} seconds") from None
    if process.returncode:
        raise FrontFault(f"{name} failed: {_problem(said.decode(errors='replace'))[:200]}")


def _problem(said: str) -> str:
    """The first line that tells of an error; else the first: nginx begins with a notice, nft ends with carets."""
    lines = said.splitlines() or [""]
    return next((line for line in lines if _ERROR.search(line)), lines[0])
