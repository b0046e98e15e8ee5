"""Refusals that keep the event loop busy: held back, for how long, and until when."""

from __future__ import annotations

import asyncio

import pytest

from sekisho.asgi.refusal_pace import RefusalPace
from tests.asgi.world import World


class Refusals:
    """A pace on a clock of its own.

    Attributes:
        held_s: how long each refusal was held, in seconds.
        wakes: whether held refusals go on.
    """

    def __init__(self) -> None:
        self.world = World()
        self.held_s: list[float] = []
        self.wakes = asyncio.Event()
        self.wakes.set()
        self.pace = RefusalPace(clock_s=lambda: self.world.now_s, later=self.world.call_later, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.held_s.append(round(seconds, 6))
        await self.wakes.wait()

    async def refuse(self, count: int = 1) -> None:
        for _ in range(count):
            if self.pace.holds():
                await self.pace.hold()

    async def begin_late(self) -> None:
        """A refusal, and a loop that is 60 ms late after it."""
        await self.refuse()
        self.world.advance(0.11, stands_still=True)


async def test_a_loop_in_time_refuses_at_once() -> None:
    """However many there are: as long as they keep no log-in waiting, nothing is held."""
    refusals = Refusals()
    for _ in range(100):
        await refusals.refuse(50)
        refusals.world.advance(0.01)

    assert refusals.held_s == []


async def test_nothing_is_measured_without_refusals() -> None:
    """A worker at rest has no timer."""
    refusals = Refusals()
    await refusals.refuse()
    refusals.world.advance(1.0)

    assert refusals.world.timers == 0


async def test_a_late_loop_spaces_refusals_out() -> None:
    """Five hundred a second leave; a client that waits for its answers sends no more than that."""
    refusals = Refusals()
    await refusals.begin_late()
    await refusals.refuse(4)

    assert refusals.held_s == [0.002, 0.004, 0.006]


async def test_the_rate_follows_the_loop() -> None:
    """While the loop is in time the rate rises by half in a second, until nothing is held; a late tick lowers it."""
    refusals = Refusals()
    await refusals.begin_late()
    spaces = []
    for late in (False, True, False):
        for _ in range(20):
            await refusals.refuse(20)
            refusals.world.advance(0.05)
        spaces.append(refusals.held_s[-1] - refusals.held_s[-2])
        if late:
            refusals.world.advance(0.11, stands_still=True)

    assert spaces[0] == pytest.approx(1 / 728, abs=1e-4)
    assert spaces[1] == pytest.approx(1 / 1_082, abs=1e-4)
    assert spaces[2] == pytest.approx(1 / 788, abs=1e-4)


async def test_a_rate_that_no_flood_reaches_ends_the_pace() -> None:
    """Ten seconds in time: as many are refused as come."""
    refusals = Refusals()
    await refusals.begin_late()
    for _ in range(200):
        await refusals.refuse(100)
        refusals.world.advance(0.05)
    refusals.held_s.clear()
    await refusals.refuse(100)

    assert refusals.held_s == []


async def test_no_refusal_is_held_for_longer_than_two_seconds() -> None:
    """An owner behind the refused address waits for his refusal, but not for long."""
    refusals = Refusals()
    await refusals.begin_late()
    await refusals.refuse(1_500)

    assert max(refusals.held_s) == 2.0
    assert refusals.held_s.count(2.0) == 500


async def test_a_bounded_number_is_held() -> None:
    """A stranger cannot fill the memory with held refusals: those beyond the bound leave at once."""
    refusals = Refusals()
    await refusals.begin_late()
    refusals.wakes.clear()
    held = [asyncio.create_task(refusals.pace.hold()) for _ in range(2_100)]
    await asyncio.sleep(0)
    left = sum(one.done() for one in held)
    refusals.wakes.set()
    await asyncio.gather(*held)

    assert (left, len(refusals.held_s)) == (52, 2_048)


@pytest.mark.parametrize(("seconds", "held"), [(0.9, 1), (1.2, 0)])
async def test_the_pace_ends_with_the_flood(seconds: float, held: int) -> None:
    """A second after the last refusal that had to wait, refusals leave at once again."""
    refusals = Refusals()
    await refusals.begin_late()
    await refusals.refuse(2)
    refusals.held_s.clear()
    refusals.world.advance(seconds)
    await refusals.refuse(2)

    assert len(refusals.held_s) == held
