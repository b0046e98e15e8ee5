"""Calls a service's own function when an account needs attention.

The function is the service's, so it may be slow, fail or never return: none of that affects a log-in.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable

from sekisho.tasks import TaskSet

log = logging.getLogger("sekisho")

AccountHook = Callable[[str], Awaitable[None] | None]
"""Takes the account: the service's own id where it reported one, else as typed. May be a coroutine function."""

RUNNING_MAX = 64  # calls that have not returned; a function that hangs must not keep every account in memory


class Hook:
    """Calls a function from within an event loop, and contains its failures."""

    def __init__(self, function: AccountHook) -> None:
        self._function = function
        self._running = TaskSet()

    def __call__(self, account: str) -> None:
        if len(self._running) >= RUNNING_MAX:
            return log.warning("a hook has %d calls that do not return; another was not made", RUNNING_MAX)
        try:
            called = self._function(account)
        except Exception as error:  # noqa: BLE001 - the log-in goes on, regardless of the error
            return _failed(error)
        if inspect.isawaitable(called):
            self._running.start(self._await(called))
        return None

    async def _await(self, called: Awaitable[None]) -> None:
        try:
            await called
        except Exception as error:  # noqa: BLE001 - the same
            _failed(error)


def _failed(error: Exception) -> None:
    # Only its type: the message may contain the account.
    log.error("a hook failed: %s", type(error).__name__)
