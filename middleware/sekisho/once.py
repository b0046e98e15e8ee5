"""Keeps what was said: a problem that returns every second must not fill the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable

KEPT_MAX: Final = 256
"""Keys that are remembered. Beyond these nothing new is said, so that no client can fill the log or the memory."""


class Once:
    """Tells the first time of each key: `if self._once(problem): log.error(...)`."""

    def __init__(self) -> None:
        self._seen: set[Hashable] = set()

    def __call__(self, key: Hashable = None) -> bool:
        """Whether this key comes for the first time."""
        if key in self._seen or len(self._seen) >= KEPT_MAX:
            return False
        self._seen.add(key)
        return True
