"""Keeps a front in step with the feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.feed.fronts.port import Change, FrontFault
from sekisho.model import StoreRefuses, StoreUnavailable
from sekisho.store import refusals_told

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.feed.entries import Network
    from sekisho.feed.fronts.port import Front

EVERY_S: Final = 0.25
AGAIN_S: Final = 2.0  # after a fault of the front
PROLONGED_S_MIN: Final = 0.5
EARLIER_S_MIN: Final = 60.0
"""An end that is earlier than the front's by so much is by a clock that was set back: the front's own may be over."""


class Following:
    """What a front has, and what it should have.

    Args:
        front: the front.
        read: reads the feed: networks and their ends, as Unix time. Raises `StoreUnavailable`.
        clock_s: Unix time.
        tell: takes a sentence for the operator: each fault, once until it is over.
    """

    def __init__(
        self,
        front: Front,
        read: Callable[[], Awaitable[dict[Network, float]]],
        clock_s: Callable[[], float],
        tell: Callable[[str], object],
    ) -> None:
        self._front = front
        self._read = read
        self._clock_s = clock_s
        self._tell = tell
        self._has: dict[Network, float] = {}
        # A change that failed, or that a signal interrupted, may have reached the front all the same.
        self._may_have: set[Network] = set()
        self._begun = False
        self._next_s = 0.0
        self._said = ""

    async def run(self, sleep: Callable[[float], Awaitable[object]]) -> None:
        """Keep the front in step with the feed until this task is cancelled. `sleep`: waits for so many seconds."""
        while True:
            try:
                await self.once()
            except FrontFault as fault:
                self._say(str(fault))
                await sleep(AGAIN_S)
            await sleep(EVERY_S)

    async def once(self) -> Change:
        """Bring the front in step with the feed once, and return what was changed, or what is due later.

        Raises `FrontFault`: then the next call sets the front up anew.
        """
        change = change_between(self._has, await self._wanted(), self._clock_s())
        # A pause longer than the front's own is of a clock that was set back.
        if self._begun and (change.is_empty or 0 < self._next_s - self._clock_s() <= self._front.every_s):
            return change
        try:
            await self._apply(change)
        except FrontFault:
            self._begun, self._has = False, {}
            raise
        told = {**change.added, **change.prolonged}
        now_s = self._clock_s()
        self._has = {
            network: now_s + left_s if network in told else self._has[network]
            for network, left_s in change.wanted.items()
        }
        self._may_have = set(self._has)
        self._next_s = self._clock_s() + self._front.every_s
        return change

    async def end(self) -> None:
        """Remove all networks that the front may have, if it would not end their blocks by itself.

        Raises `FrontFault`.
        """
        if self._may_have and not self._front.forgets:
            await self._front.apply(Change({}, {}, tuple(self._may_have), {}))

    async def _apply(self, change: Change) -> None:
        if not self._begun:
            await self._front.begin()
            self._may_have.clear()
            self._begun, self._said = True, ""
        if not change.is_empty:
            self._may_have.update(change.added)
            await self._front.apply(change)

    async def _wanted(self) -> dict[Network, float]:
        try:
            with refusals_told():
                found = await self._read()
        except StoreUnavailable as lost:
            # What is blocked stays so until its end, which is known here; nobody is blocked for longer.
            self._say(f"SEKISHO_STORE {_problem(lost)}; no address is added until it does")
            return {network: until_s for network, until_s in self._has.items() if until_s > self._clock_s()}
        if self._said.startswith("SEKISHO_STORE"):
            self._said = ""
        return found

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._tell(text)


def _problem(lost: StoreUnavailable) -> str:
    return f"does not answer as it should ({lost})" if isinstance(lost, StoreRefuses) else "does not answer"


def change_between(has: dict[Network, float], wanted: dict[Network, float], now_s: float) -> Change:
    """Return the change from the networks that a front has to those that are wanted, both with ends as Unix time."""
    left = {network: until_s - now_s for network, until_s in wanted.items() if until_s > now_s}
    return Change(
        {network: left_s for network, left_s in left.items() if network not in has},
        {
            network: left_s
            for network, left_s in left.items()
            if network in has and _is_told_again(wanted[network] - has[network])
        },
        tuple(network for network in has if network not in left),
        left,
    )


def _is_told_again(later_s: float) -> bool:
    return later_s > PROLONGED_S_MIN or later_s < -EARLIER_S_MIN
