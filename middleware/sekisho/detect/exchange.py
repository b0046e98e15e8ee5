"""Shares strangers' outcomes between workers, and their posture, once a second. No attempt waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from sekisho.judge.posture import PostureState, advance, redated
from sekisho.store.periodic import periodically
from sekisho.store.state_age import StateAge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sekisho.detect.places import Postures
    from sekisho.detect.watch import PostureWatch
    from sekisho.model.posture import StrangerOutcome

EVERY_S: Final = 1.0
REFUSED: Final = "the store refuses to share the posture: %s"


class PostureExchange:
    """Belongs to one event loop.

    In each second one worker takes the outcomes of all and advances the state; all of them hear it within the next. A
    worker that ends in between takes the outcomes of one second with it.

    Args:
        watch: of this process.
        postures: where the state is kept.
        clock_s: a monotonic clock in seconds.
    """

    def __init__(self, watch: PostureWatch, postures: Postures, clock_s: Callable[[], float]) -> None:
        self._watch = watch
        self._age = StateAge(clock_s)
        self._postures = postures
        self._known = 0
        self._state = PostureState()
        self._is_raised = False

    async def run(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Share outcomes and the posture with other workers now and every second, until this is cancelled."""
        # What was taken for a call without an answer is lost: it may have been counted.
        await periodically(self.once, every_s=EVERY_S, refused=REFUSED, sleep=sleep)

    async def once(self) -> None:
        """Share outcomes once, and hear the posture or, in this worker's turn, advance it.

        Raises `StoreUnavailable`.
        """
        # Counted before any is taken: those that enter early are counted as well.
        counts, outcomes = self._watch.counts(), self._watch.take()
        heard = await self._postures.exchange(outcomes, self._known, is_raised=self._is_raised, counts=counts)
        self._watch.hear_counts(heard.counts)
        self._age.asked(heard.now_s - heard.state.at_s if heard.state is not None else None)
        if heard.state is not None:
            self._hear(heard.number, heard.state)
        # A raised posture may end by time alone.
        if heard.outcomes or (heard.outcomes is not None and self._is_raised):
            await self._advance(heard.outcomes, heard.now_s)

    async def _advance(self, outcomes: Sequence[StrangerOutcome], now_s: int) -> None:
        dated = redated(self._state, self._age.step_s(now_s - self._state.at_s))
        state = advance(dated, outcomes, now_s)
        # Where nothing changed, nothing is stored, signed or sent to other workers.
        if state is not self._state and await self._postures.put(self._known, state):
            self._age.made()
            self._hear(self._known + 1, state)

    def _hear(self, number: int, state: PostureState) -> None:
        self._known, self._state, self._is_raised = number, state, state.is_raised
        self._watch.hear(state)
