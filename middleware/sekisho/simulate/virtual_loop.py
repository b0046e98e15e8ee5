"""An event loop of virtual time: when nothing is ready, its clock jumps to the next timer.

A month of log-ins takes as long as its computing. Timers, sleeps and timeouts keep their order and their distances;
only the waiting is left out. Threads and sockets have a time of their own, so simulated runs use neither.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


RESOLUTION_S = 1e-6


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` is a counter of seconds that begins at 0."""

    def __init__(self) -> None:
        self._passed_s = 0.0
        super().__init__(_Jumping(self._jump))
        # The machine's is a nanosecond. After half a year of seconds a float is coarser: a timer that is due now would
        # count as later, and the loop would wait for it without end.
        self._clock_resolution = RESOLUTION_S

    def time(self) -> float:
        return self._passed_s

    def _jump(self, seconds: float) -> None:
        self._passed_s += seconds


class _Jumping(selectors.BaseSelector):
    """A selector that moves the clock where another would wait.

    With no timer at all it waits as any selector does: for a signal, or for the end of a thread.
    """

    def __init__(self, jump: Callable[[float], None]) -> None:
        self._jump = jump
        self._inner = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._inner.select(None if timeout is None else 0)
        if not ready and timeout is not None and timeout > 0:
            self._jump(timeout)
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()
