"""How many attempts a process tries at crowded addresses, behind a question, although no account is known there.

Where a bot that does all work has spent the credit of an address, an owner who logs in there for the first time cannot
be told from its guesses before a proof. So both are tried, and neither is let in without one. What a guess costs the
service is a password's hash, for which it did more work; this bounds what many of them cost. The work grows as the
room is used up: a bot in a hurry pays up to eight times as much for each guess, and so do its neighbours meanwhile.
"""

from __future__ import annotations

from typing import Final, final

from sekisho.ledger.gcra import fitted, one_more, span_us, wait_us
from sekisho.model import Limit

RATES: Final = (Limit(60, 600_000_000),)
"""One in ten seconds: half a hundredth of a core, where a hash takes 50 ms."""


@final
class CrowdedTries:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._tats: tuple[int, ...] = ()

    def has_room(self, now_us: int) -> bool:
        self._tats = fitted(self._tats, RATES, now_us)  # the clock may have been set back
        return not wait_us(self._tats, RATES, now_us)

    def used(self, now_us: int) -> float:
        """Return how much of the room is used up, 0 to 1."""
        self._tats = fitted(self._tats, RATES, now_us)
        return (self._tats[0] - now_us) / span_us(RATES[0])

    def take(self, now_us: int) -> None:
        """Count one more attempt. `now_us`: by the same clock as `has_room`."""
        self._tats = one_more(self._tats, RATES, now_us)[1]
