"""Failures of plug-ins while the service runs: counted, and said once for each plug-in."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sekisho.once import Once

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("sekisho")


class Failures:
    """`count`: adds to a count: place, event, reason."""

    def __init__(self, count: Callable[[str, str, str], object]) -> None:
        self._count = count
        self._once = Once()

    def failed(self, name: str, error: Exception) -> None:
        """Count that the plug-in `name` has raised, or has answered with something that it may not.

        The first failure of each plug-in is logged.
        """
        self._count("", "plugin_failed", name)
        if self._once(name):
            # Only its type: the message may contain an account, an address or a token.
            log.error("the plug-in %s failed: %s (counted from now on)", name, type(error).__name__)
