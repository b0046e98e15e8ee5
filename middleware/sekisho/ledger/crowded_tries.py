"""How many attempts a process tries at crowded addresses, behind a question, although no account is known there.

Where a bot that does all work has spent the credit of an address, an owner who logs in there for the first time cannot
be told from its guesses before a proof. So both are tried, and neither is let in without one. What a guess costs the
service is a password's hash, for which it did more work; this bounds what many of them cost. Each address has a room of
its own: a bot behind one leaves the owners behind another theirs. The work grows as the room of an address is used up:
a bot in a hurry pays up to eight times as much for each guess, and so do its neighbours meanwhile.
"""

from __future__ import annotations

from typing import Final, final

from sekisho.ledger.gcra import fitted, one_more, span_us, wait_us
from sekisho.model import Limit

RATES: Final = (Limit(60, 600_000_000),)
"""Of one address: one in ten seconds."""
ALL_RATES: Final = (Limit(180, 600_000_000),)
"""Of all addresses: one and a half hundredths of a core, where a hash takes 50 ms."""
ADDRESSES_MAX: Final = 512
"""More than can have used their room at one time."""


@final
class CrowdedTries:
    """Belongs to one event loop. `address`: its keyed digest. All times are by one clock."""

    def __init__(self) -> None:
        self._all: tuple[int, ...] = ()
        self._by_address: dict[bytes, tuple[int, ...]] = {}

    def has_room(self, address: bytes, now_us: int) -> bool:
        self._all = fitted(self._all, ALL_RATES, now_us)  # the clock may have been set back
        known = self._known(address, now_us)
        return not (wait_us(self._all, ALL_RATES, now_us) or (known and wait_us(known, RATES, now_us)))

    def take(self, address: bytes, now_us: int) -> None:
        """Count one more attempt."""
        self._all = one_more(self._all, ALL_RATES, now_us)[1]
        self._by_address[address] = one_more(self._by_address.get(address, ()), RATES, now_us)[1]
        if len(self._by_address) > ADDRESSES_MAX:
            last_us = now_us + span_us(RATES[0])
            self._by_address = {one: tats for one, tats in self._by_address.items() if now_us < tats[0] <= last_us}

    def used(self, address: bytes, now_us: int) -> float:
        """Return how much of an address's room is used up, 0 to 1."""
        known = self._known(address, now_us)
        return (known[0] - now_us) / span_us(RATES[0]) if known else 0.0

    def _known(self, address: bytes, now_us: int) -> tuple[int, ...]:
        """The address's TATs; empty where it has used nothing."""
        known = self._by_address.get(address)
        if known is None:
            return ()
        known = self._by_address[address] = fitted(known, RATES, now_us)
        return known
