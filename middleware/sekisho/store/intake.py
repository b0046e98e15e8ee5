"""What waits to be written to a store's connection: the operations of one turn of the event loop, and single calls.

A module of its own, like `batch`: every attempt runs through it, so it is compiled.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final, final

from sekisho.model import StoreUnavailable
from sekisho.store.batch import BatchCall, Operation, PackedKeys, refuse

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


@final
class Intake:
    """Belongs to one event loop.

    Args:
        loop: the event loop.
        deadline_s: how long a caller waits, in seconds.
        flush: writes the queue; called at the end of a turn.
        expire: refuses what is late, and sets the timer again. It is given the deadline that is due, in the loop's
            seconds. One timer serves all, as everything here is first come, first served.
        kept_max: settlements kept while the store is gone; beyond it the oldest charges stay.

    Attributes:
        queue: operations that were not written.
        calls: written before the queue: commands, and calls to repeat.
        is_open: whether the store answers; None until the first try to connect, for which callers wait.
        is_connected: whether something can be written.
        is_stirred: whether the queue is written at the end of this turn.
        stirred_at_s: when that was decided, by the loop's clock.
        timer: calls `expire` at `due_s`.
    """

    __slots__ = (
        "_expire", "_flush", "_kept_max", "_loop", "calls", "deadline_s", "due_s", "is_connected", "is_open",
        "is_stirred", "queue", "stirred_at_s", "timer",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        deadline_s: float,
        *,
        flush: Callable[[], None],
        expire: Callable[[float], None],
        kept_max: int,
    ) -> None:
        self._loop: Final = loop
        self._flush: Final = flush
        self._expire: Final = expire
        self._kept_max: Final = kept_max
        self.deadline_s: Final = deadline_s
        self.queue: deque[Operation] = deque()
        self.calls: deque[BatchCall] = deque()
        self.is_open: bool | None = None
        self.is_connected = False
        self.is_stirred = False
        self.stirred_at_s = 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.due_s = 0.0

    def ask(self, keys: PackedKeys, argument: bytes) -> asyncio.Future[bytes]:
        """Queue an operation of the script, and return its future answer.

        The future raises `StoreUnavailable` at the deadline, or at once while the store is gone.
        """
        answer: asyncio.Future[bytes] = self._loop.create_future()
        if self.is_open is False:
            answer.set_exception(StoreUnavailable())
            return answer
        deadline_s = self._loop.time() + self.deadline_s
        self.queue.append(Operation(keys, argument, answer, deadline_s))
        self.wake(deadline_s)
        return answer

    def tell(self, keys: PackedKeys, argument: bytes) -> None:
        """Queue an operation without an answer. While the store is gone, the latest are kept, up to a bound."""
        if self.is_open is False and len(self.queue) >= self._kept_max:
            refuse(self.queue.popleft().answer)
        self.queue.append(Operation(keys, argument, None, math.inf))
        if not self.is_stirred:
            self.stir()

    def add_call(self, call: BatchCall) -> None:
        """Queue a call that is sent by itself: it is not joined with the queued operations."""
        self.calls.append(call)
        self.wake(call.deadline)

    def wake(self, deadline_s: float) -> None:
        """Have the queue written at the end of this turn, and expired callers refused at this deadline or earlier.

        `deadline_s`: seconds by the event loop's clock.
        """
        if not self.is_stirred:
            self.stir()
        if self.timer is not None and deadline_s >= self.due_s:
            return
        if self.timer is not None:  # another node sent it on, with an early deadline
            self.timer.cancel()
        self.due_at(deadline_s)

    def due_at(self, deadline_s: float) -> None:
        """Set the timer: `expire` is called at this deadline (seconds of the loop's clock)."""
        self.due_s = deadline_s
        self.timer = self._loop.call_at(deadline_s, self._expire, deadline_s)

    def stir(self) -> None:
        """Have the queue written at the end of this turn of the loop, if it is not empty and there is a connection."""
        if not self.is_stirred and self.is_connected and (self.queue or self.calls):
            self.is_stirred = True
            self.stirred_at_s = self._loop.time()
            self._loop.call_soon(self._flush)
