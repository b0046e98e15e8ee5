"""Background tasks whose references are kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine
    from contextvars import Context

T = TypeVar("T")


class TaskSet:
    """Holds tasks until they end. An event loop holds them weakly, so without a reference one may vanish midway."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    @property
    def running(self) -> Collection[asyncio.Task[Any]]:
        """The tasks that have not ended, as of now."""
        return tuple(self._running)

    def start(
        self, work: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[T]:
        """Start a task on the running event loop, and hold it until it ends."""
        task = asyncio.get_running_loop().create_task(work, name=name, context=context)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def ended(self) -> None:
        """Wait for the tasks that run now. Never raises what they raise."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def cancel(self) -> None:
        """Cancel the tasks that run now, and wait for their end."""
        for task in self._running:
            task.cancel()
        await self.ended()
