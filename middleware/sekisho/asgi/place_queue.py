"""Callers that wait for a place in the application: few, for a second at most, networks and addresses in turn."""

from __future__ import annotations

import asyncio
from math import ceil
from typing import TYPE_CHECKING, Final

from sekisho.asgi.fair_turns import Place, Turns, Whose

if TYPE_CHECKING:
    from sekisho.asgi.admission import Admission
    from sekisho.asgi.fair_turns import TurnCounts

WAIT_S: Final = 1.0
"""After a longer wait people press the button again."""

ROOM_FIRST: Final = 64
"""The room before the application's speed is known: the first crowd of a morning is not a flood."""

ROOM_MIN: Final = 8
ROOM_MAX: Final = 128
"""How many callers may wait. Each holds a request and its body."""


class PlaceQueue:
    """Belongs to one event loop."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        admission.lines.append(self)
        self._turns = Turns[Place]()
        self._waiting: dict[Place, tuple[object, asyncio.Future[bool]]] = {}
        self._closed = False

    @property
    def room(self) -> int:
        """How many may wait: as many as get a place within `WAIT_S`. Others are refused at once rather than late."""
        limit = self._admission.limit
        if not limit.round_s:
            return ROOM_FIRST
        return max(ROOM_MIN, min(ROOM_MAX, ceil(self._admission.places * WAIT_S / limit.round_s)))

    def is_full(self, share: float) -> bool:
        """Whether no caller with this share of the room may wait, on any network: no waiting caller could give way."""
        return len(self._waiting) >= ceil(self.room * share) and self._turns.is_even

    def would_be_full(self, share: float) -> bool:
        """Whether `enforce` would let no caller with this share wait: those beyond the places would be waiting."""
        return len(self._waiting) + self._admission.beyond >= ceil(self.room * share)

    async def wait(self, holder: object, network: bytes, address: bytes, *, share: float = 1.0) -> bool:
        """Wait up to `WAIT_S` seconds for a place, if the queue has room. Returns whether `holder` has a place now.

        `share`: the part of the room this caller may fill; below 1 for callers that have shown less than others.
        """
        place = Place(network, address)
        if self._closed or not self._may_wait(place, share):
            return False
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._waiting[place] = holder, turn
        self._turns.add(place)
        self._admission.waiting += 1
        timer = loop.call_later(WAIT_S, self._leave, place)
        self._admission.advance()
        try:
            return await turn
        except asyncio.CancelledError:
            if place in self._waiting:
                self._leave(place)
            else:
                self._admission.free(holder)
            raise
        finally:
            timer.cancel()

    def start_next(self, in_application: TurnCounts) -> bool:
        """See `admission.PlaceLine`. Every caller in this line may be admitted."""
        while place := self._turns.take(in_application, lambda _: True):
            holder, turn = self._waiting.pop(place)
            self._admission.waiting -= 1
            if not turn.done():  # a caller that was cancelled in this turn of the loop has not left yet
                self._admission.hold(holder, Whose(place.network, place.address))
                turn.set_result(True)
                return True
        return False

    def close(self) -> None:
        """Refuse all waiting callers, and all that come later."""
        self._closed = True
        for place in tuple(self._waiting):
            self._leave(place)

    def _may_wait(self, place: Place, share: float) -> bool:
        if len(self._waiting) < ceil(self.room * share):
            return True
        most = self._turns.gives_way(place) if share == 1.0 else None
        if most is None:
            return False
        self._leave(most)
        return True

    def _leave(self, place: Place) -> None:
        if place in self._waiting:
            _, turn = self._waiting.pop(place)
            self._turns.remove(place)
            self._admission.waiting -= 1
            if not turn.done():
                turn.set_result(False)
