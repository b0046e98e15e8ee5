"""Reports outages of a store to the log and the counts.

An outage is reported at once, its end only after a while. Otherwise a store that accepts connections but refuses
operations, or is too slow every other time, would write two lines a second.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sekisho.once import Once

if TYPE_CHECKING:
    from asyncio import TimerHandle
    from collections.abc import Callable

log = logging.getLogger("sekisho.store")

STEADY_S = 1.0
"""How long a store must answer without a fault before its recovery is reported."""
BUSY_S = 0.1
BUSY = (
    "the event loop was kept busy for %d ms, so answers of the store were read late: look for what computes on it (hash"
    " passwords in threads, as sekisho.passwords does), or start more workers"
)
"""Milliseconds in the place of the number."""


class Health:
    """Belongs to one event loop.

    Args:
        call_later: as a loop has it; runs a function after so many seconds.
        on_change: told `False` when the store ceases to work and `True` when it works, for the first time or again.
    """

    def __init__(
        self,
        call_later: Callable[[float, Callable[[], None]], TimerHandle],
        on_change: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._call_later = call_later
        self._on_change = on_change
        self._works: bool | None = None
        self._recovery: TimerHandle | None = None
        self._problems: set[str] = set()
        self._once = Once()

    def turned(self, answers: bool) -> None:
        """Record that the store began or ceased to answer."""
        self._forget_recovery()
        if not answers:
            self._say(works=False)
        elif self._works is None:
            self._say(works=True)
        elif not self._works:
            self._recovery = self._call_later(STEADY_S, self._recovered)

    def problem(self, text: str) -> None:
        """Log once in each outage that the store has this problem. The text begins with a verb and quotes no server."""
        if text not in self._problems:
            self._problems.add(text)
            log.warning("the store %s", text)

    def setting(self, text: str) -> None:
        """Log a text about a setting of the store that its operator should change; each text once."""
        if self._once(text):
            log.warning("%s", text)

    def busy(self, turn_s: float) -> None:
        """Log, at most once, that the store's answer was late because a turn of the event loop took `turn_s` seconds.

        Short turns are not logged.
        """
        if turn_s >= BUSY_S and self._once(BUSY):
            log.warning(BUSY, turn_s * 1_000)

    def close(self) -> None:
        """Log nothing from now on."""
        self._forget_recovery()
        self._on_change = lambda _: None

    def _recovered(self) -> None:
        self._recovery = None
        self._problems.clear()
        self._say(works=True)

    def _say(self, *, works: bool) -> None:
        if self._works is not works:
            self._works = works
            self._on_change(works)

    def _forget_recovery(self) -> None:
        if self._recovery is not None:
            self._recovery.cancel()
            self._recovery = None
