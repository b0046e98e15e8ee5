"""Logs refusals to the server's own log, without any configuration: the door, the answer, the reasons.

A line contains nothing that a client sent. Lines are limited per minute, so a flood writes no more of them than a quiet
day; refusals over the limit are counted in one more line.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol, final

from sekisho.model import Action

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.model import Decision

# Servers configure no logger but their own; a warning reaches standard error all the same.
log = logging.getLogger("sekisho.refusals")

LINES_MAX = 20
PERIOD_S = 60.0

# A step-up is not a refusal: every owner meets it on a new device.
CODES = {
    Action.CHALLENGE: "challenge_required",
    Action.THROTTLE: "too_many_attempts",
    Action.DENY: "denied",
}


class Timer(Protocol):
    """The type that `loop.call_later` returns."""

    def cancel(self) -> None:
        """Cancel the call."""


@final
class RefusalLog:
    """Writes a line for each of the first refusals in a minute, and then the number of the others.

    Belongs to one event loop. `later` is its `call_later`: `seconds, function -> timer`.
    """

    def __init__(self, later: Callable[[float, Callable[[], None]], Timer]) -> None:
        self._later: Final = later
        self._timer: Timer | None = None
        self._lines_left = LINES_MAX
        self._left_out = 0

    def decided(self, door: str, decision: Decision, *, enforced: bool) -> None:
        """Log that an attempt at `door`, a name, was refused by a decision.

        `enforced`: False: it only would have been.
        """
        # This check comes first: it is all that each refusal of a flood costs here.
        if not self._lines_left:
            self._left_out += 1
            return
        if code := CODES.get(decision.asked):
            self._write(door, code, ", ".join([finding.reason for finding in decision.findings]), enforced=enforced)

    def answered(self, door: str, code: str, reason: str, *, enforced: bool) -> None:
        """Log that `door`, a name, answered `code` for a reason other than a decision.

        `enforced`: False: it only would have.
        """
        if not self._lines_left:
            self._left_out += 1
            return
        self._write(door, code, reason, enforced=enforced)

    def close(self) -> None:
        """Log now the number of refusals that had no line of their own: the event loop is about to end."""
        if self._timer is not None:
            self._timer.cancel()
            self._end_period()

    def _write(self, door: str, code: str, reason: str, *, enforced: bool) -> None:
        if self._timer is None:
            self._timer = self._later(PERIOD_S, self._end_period)
        self._lines_left -= 1
        answered = "answered" if enforced else "would have answered"
        log.warning("sekisho: %s %s %s (%s)", door, answered, code, reason)

    def _end_period(self) -> None:
        if self._left_out:
            log.warning("sekisho: %d more in the last minute, not logged one by one", self._left_out)
        self._timer, self._lines_left, self._left_out = None, LINES_MAX, 0
