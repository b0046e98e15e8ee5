"""The event loop that the tests run on is the one that was asked for: `make test-uvloop` asks for uvicorn's."""

from __future__ import annotations

import asyncio
import os

WANTED = "uvloop" if os.environ.get("TEST_LOOP") == "uvloop" else "asyncio.unix_events"


async def test_tests_run_on_the_loop_that_was_asked_for() -> None:
    """A pass on uvloop that quietly ran on asyncio's own would hold nothing."""
    assert type(asyncio.get_running_loop()).__module__ == WANTED


def test_so_does_what_starts_a_loop_of_its_own() -> None:
    """As commands and threads do."""

    async def module() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert asyncio.run(module()) == WANTED
