"""A circuit breaker: stops calls to a service that fails, and tries it again later.

Pure: the time arrives as a value, and changes are returned, so that the caller decides whom to tell. Each call takes a
ticket. A result under a ticket from before the last change is outdated and neither opens nor closes the breaker.
"""

from __future__ import annotations


class Breaker:
    """A closed breaker allows all calls, an open one none. After the pause one trial call decides.

    Args:
        failures_max: in a row; the last of them opens it.
        pause_s_min: the first pause. Each trial that fails doubles it.
        pause_s_max: the longest.
    """

    def __init__(self, *, failures_max: int, pause_s_min: float, pause_s_max: float) -> None:
        self._failures_max = failures_max
        self._pause_s_min = pause_s_min
        self._pause_s_max = pause_s_max
        self._pause_s = pause_s_min
        self._failures = 0
        self._until: float | None = None  # None: closed
        self._trying = False
        self._ticket = 0

    @property
    def closed(self) -> bool:
        return self._until is None

    def admits(self, now: float) -> bool:
        """Whether a call may be made at the time `now` (seconds), so that `enter` would give a ticket."""
        return self._until is None or (now >= self._until and not self._trying)

    def enter(self, now: float) -> int | None:
        """Return a ticket for one call at the time `now` (seconds); None if no call may be made.

        The caller must report its ticket by `succeeded` or `failed`: otherwise a trial call never ends.
        """
        if not self.admits(now):
            return None
        self._trying = not self.closed
        return self._ticket

    def succeeded(self, ticket: int) -> bool:
        """Report that the call of a ticket succeeded; return whether that closed the breaker.

        A ticket from before the breaker's last change does nothing.
        """
        if ticket != self._ticket:
            return False
        self._failures = 0
        if self.closed:
            return False
        self._turn(None)
        self._pause_s = self._pause_s_min
        return True

    def failed(self, ticket: int, now: float, *, pause_s: float | None = None) -> bool:
        """Report a failure; return whether it opened a closed breaker.

        Args:
            ticket: what `enter` gave.
            now: seconds, as for `enter`.
            pause_s: the pause that the service itself asks for (`Retry-After`). It opens the breaker at once, for at
                least as long. The caller bounds it.
        """
        if ticket != self._ticket:
            return False
        self._failures += 1
        if self.closed and pause_s is None and self._failures < self._failures_max:
            return False
        opened = self.closed
        self._turn(now + max(self._pause_s, pause_s or 0))
        self._pause_s = min(2 * self._pause_s, self._pause_s_max)
        return opened

    def _turn(self, until: float | None) -> None:
        self._until = until
        self._trying = False
        self._failures = 0
        self._ticket += 1
