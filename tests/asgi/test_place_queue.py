"""Callers waiting for a place: few, briefly, networks in turn, and nothing left by those who give up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sekisho.asgi import place_queue
from sekisho.asgi.place_queue import PlaceQueue
from tests.asgi.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOM = 8  # the minimum, however slow the application is


class Callers:
    """An application with one place, which is taken, and waiting callers."""

    def __init__(self, places: int = 1) -> None:
        self.world = World(places)
        self.world.take("first")
        self.world.admission.limit.round_s = 10.0
        self.queue = PlaceQueue(self.world.admission)
        self.let_in: list[str] = []
        self.sent_away: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str, network: bytes = b"n", share: float = 1.0) -> None:
        """Arrive; the first letter of `name` is the address."""
        for name in names:
            self.tasks[name] = asyncio.create_task(self._come(name, network, share))
            await asyncio.sleep(0)

    async def _come(self, name: str, network: bytes, share: float) -> None:
        has_place = await self.queue.wait(name, network, network + name[:1].encode(), share=share)
        (self.let_in if has_place else self.sent_away).append(name)

    async def end(self, *names: str) -> None:
        for name in names:
            self.world.admission.free(name)
            await settle()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def callers() -> AsyncIterator[Callers]:
    made = Callers()
    yield made
    made.queue.close()
    await settle()
    assert made.world.admission.waiting == 0
    assert not made.queue._waiting
    assert not made.queue._turns.counts._each


async def test_the_next_in_line_goes_in_when_one_has_ended(callers: Callers) -> None:
    """When a caller ends the next one enters and holds the place."""
    await callers.come("a", "b")
    await callers.end("first")

    assert callers.let_in == ["a"]
    assert list(callers.world.admission.held) == ["a"]


async def test_networks_take_turns(callers: Callers) -> None:
    """A caller of another network is served before all but one of a flood from this network."""
    await callers.come(*"abcde")
    await callers.come("z", network=b"m")
    await callers.end("first", "a", "z")

    assert callers.let_in == ["a", "z", "b"]


async def test_a_network_with_nobody_inside_goes_first() -> None:
    """A network with no caller inside goes first, also if those inside entered without waiting."""
    callers = Callers(places=2)
    callers.world.take("second")
    await callers.come("a")
    await callers.come("z", network=b"m")
    await callers.end("first")

    assert callers.let_in == ["z"]
    callers.queue.close()
    await settle()


async def test_room_is_for_as_many_as_have_a_turn_within_a_second(callers: Callers) -> None:
    """The room is for as many as get a turn within a second: twenty with one place and 1/20 s; others are told at
    once.
    """
    callers.world.admission.limit.round_s = 0.0
    assert callers.queue.room == 64  # no latency is known yet
    callers.world.admission.limit.round_s = 0.05
    assert callers.queue.room == 20
    callers.world.admission.limit.round_s = 0.001
    assert callers.queue.room == 128

    callers.world.admission.limit.round_s = 10.0
    for n in range(ROOM + 2):
        await callers.come(f"{n}", network=b"%d" % n)
    await settle()

    assert callers.sent_away == ["8", "9"]


async def test_when_there_is_no_room_whoever_has_the_most_of_it_gives_way(callers: Callers) -> None:
    """In a full room the newest of the largest network gives way to a newcomer from elsewhere."""
    await callers.come("a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8")
    await callers.come("a9")
    await callers.come("z", network=b"m")
    await settle()

    assert callers.sent_away == ["a9", "a8"]


async def test_a_share_of_the_room_is_kept_for_others(callers: Callers) -> None:
    """Callers without work fill half of the room and displace no other."""
    for n in range(5):
        await callers.come(f"{n}", network=b"%d" % n, share=0.5)
    await callers.come("worked", network=b"w")
    await settle()

    assert callers.sent_away == ["4"]
    assert callers.queue.is_full(0.5)
    assert not callers.queue.is_full(1.0)


async def test_nobody_waits_for_longer_than_a_second(callers: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller whose turn does not come within a second is told so."""
    assert place_queue.WAIT_S == 1.0
    monkeypatch.setattr(place_queue, "WAIT_S", 0.01)
    await callers.come("a")
    await callers.tasks["a"]

    assert callers.sent_away == ["a"]


async def test_a_caller_that_hangs_up_leaves_nothing_behind(callers: Callers) -> None:
    """A caller that disconnects leaves nothing behind, and the next in line enters."""
    await callers.come("gone", "b")
    callers.tasks["gone"].cancel()
    await settle()
    await callers.end("first")

    assert callers.let_in == ["b"]


async def test_a_caller_that_hangs_up_as_its_turn_comes_gives_the_place_on(callers: Callers) -> None:
    """A caller cancelled in the turn in which it was let in passes its place on."""
    await callers.come("a1", "a2", "a3")
    callers.tasks["a1"].cancel()
    callers.world.admission.free("first")  # the first has been cancelled and has not left yet: the second is let in
    callers.tasks["a2"].cancel()
    await settle()

    assert callers.let_in == ["a3"]
    assert list(callers.world.admission.held) == ["a3"]


async def test_closed_it_sends_everybody_away(callers: Callers) -> None:
    """Closing refuses all waiting callers."""
    await callers.come("a")
    callers.queue.close()
    await callers.come("b")
    await settle()

    assert callers.sent_away == ["a", "b"]
