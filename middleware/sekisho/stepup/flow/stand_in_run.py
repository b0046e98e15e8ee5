"""Runs at crowded addresses that call no application: for accounts over their limits, and in a flood for unknown ones.

Where a bot has spent the credit of an address that many owners share, everybody there is asked for a proof. A question
that left at another time, or a place in the queue that was free earlier, would tell the bot which accounts are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.asgi.admission import Admission
    from sekisho.asgi.shared_addresses import SharedAddresses
    from sekisho.stepup.flow.escrowed_run import RunResult


class StandInRun:
    """Takes the place of a run in its queue, and none in the application.

    Args:
        shared: knows how long the application takes.
        admission: where the queue has taken a place for it.
        begun: awaited when it starts.
        ended: awaited at its end, exactly once.
    """

    def __init__(
        self,
        shared: SharedAddresses,
        admission: Admission,
        *,
        begun: Callable[[], Awaitable[None]],
        ended: Callable[[], Awaitable[None]],
    ) -> None:
        self._shared = shared
        self._admission = admission
        self._begun = begun
        self._ended = ended

    async def __call__(self) -> None:
        self._admission.free(self)
        try:
            await self._begun()
            await self._shared.wait()
        finally:
            await self._ended()


class RunTimer:
    """Learns from a run of the application how long it takes. It is given to the run in the place of its callbacks."""

    def __init__(
        self,
        shared: SharedAddresses,
        *,
        begun: Callable[[], Awaitable[None]],
        done: Callable[[RunResult], Awaitable[None]],
    ) -> None:
        self._shared = shared
        self._begun = begun
        self._done = done
        self._since_s = shared.now_s()

    async def begun(self) -> None:
        await self._begun()
        self._since_s = self._shared.now_s()

    async def done(self, result: RunResult) -> None:
        self._shared.took(self._since_s)
        await self._done(result)
