"""The clocks that parts are given: the only place where the guard names the machine's time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Clocks(NamedTuple):
    """Two clocks, each in seconds and in microseconds. Parts keep the functions themselves: the hot path calls them.

    The time of an event loop is the loop's own: simulations run on `sekisho.simulate.virtual_loop`.

    Attributes:
        wall_s, wall_us: Unix time.
        monotonic_s, monotonic_us: time that no administrator sets back.
        rest: waits so many seconds between two rounds of a background task; simulations may wait longer.
    """

    wall_s: Callable[[], float]
    wall_us: Callable[[], int]
    monotonic_s: Callable[[], float]
    monotonic_us: Callable[[], int]
    rest: Callable[[float], Awaitable[None]] = asyncio.sleep

    def utc(self) -> datetime:
        """Return the wall clock's time as a date in UTC, for letters."""
        return datetime.fromtimestamp(self.wall_s(), UTC)


def _wall_s() -> float:
    return time.time()


def _wall_us() -> int:
    return time.time_ns() // 1000


def _monotonic_us() -> int:
    return time.monotonic_ns() // 1000


MACHINE = Clocks(_wall_s, _wall_us, time.monotonic, _monotonic_us)
"""This machine's clocks. `monotonic_s` has no wrapper: it is read twice for each stranger's attempt."""
