"""Tests run on the requested event loop: `make test-uvloop` requests uvicorn's."""

from __future__ import annotations

import asyncio
import os

WANTED = "uvloop" if os.environ.get("TEST_LOOP") == "uvloop" else "asyncio.unix_events"


async def test_tests_run_on_the_loop_that_was_asked_for() -> None:
    """The loop is the requested one: a uvloop pass on asyncio's own would prove nothing."""
    assert type(asyncio.get_running_loop()).__module__ == WANTED


def test_so_does_what_starts_a_loop_of_its_own() -> None:
    """New loops, as of commands and threads, are of that kind too."""

    async def module() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert asyncio.run(module()) == WANTED
