"""The event loops of servers: asyncio's own, and uvloop's, which uvicorn uses if installed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import pytest
import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

T = TypeVar("T")
NewLoop: TypeAlias = "Callable[[], asyncio.AbstractEventLoop]"

on_every_loop = pytest.mark.parametrize(
    "new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
"""Marks a test that takes `new_loop` and runs its code by `run_on`."""


def run_on(new_loop: NewLoop, work: Coroutine[Any, Any, T]) -> T:
    """A coroutine's result, run on a new loop of this kind."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(work)
