"""Waits for what happens beside a test: in another thread, process or server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS_MAX = 60


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds. Raises `TimeoutError` after a minute, which a loaded machine does not need."""
    async with asyncio.timeout(SECONDS_MAX):
        while not holds():  # noqa: ASYNC110 - what holds sets no event
            await asyncio.sleep(0.02)
