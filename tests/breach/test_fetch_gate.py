"""The gate before the service: how many requests may run, and when."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from sekisho.corpus.fetch.gate import Gate


class Clock:
    """A clock that advances when a task sleeps."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        end = self.seconds + seconds
        await asyncio.sleep(0)
        self.seconds = max(self.seconds, end)


def a_gate(places: int) -> tuple[Gate, Clock]:
    clock = Clock()
    return Gate(places, clock, clock.sleep), clock


async def most_inside(gate: Gate, visitors: int = 30) -> int:
    """The largest number inside when so many arrive together."""
    inside = most = 0

    async def visit() -> None:
        nonlocal inside, most
        async with gate:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(visit() for _ in range(visitors)))
    return most


async def test_a_pause_halves_what_is_let_in() -> None:
    """A pause halves the allowed number, down to one."""
    gate, clock = a_gate(8)
    seen = [await most_inside(gate)]
    for _ in range(5):
        gate.pause(10)
        seen.append(await most_inside(gate))

    assert seen == [8, 4, 2, 1, 1, 1]
    assert clock() == 150


async def test_refusals_of_one_moment_halve_it_once() -> None:
    """A hundred requests refused together halve it once."""
    gate, _ = a_gate(8)
    for _ in range(8):
        gate.pause(10)

    assert await most_inside(gate) == 4


async def test_the_longest_of_several_pauses_counts() -> None:
    """The longest of several pauses counts."""
    gate, clock = a_gate(8)
    gate.pause(10)
    gate.pause(60)
    gate.pause(5)
    await most_inside(gate)

    assert clock() == 160


async def test_a_pause_may_grow_while_it_is_waited_out() -> None:
    """A waiting request looks again after its sleep, as the pause may have grown."""
    clock = Clock()

    async def sleep(seconds: float) -> None:
        if clock() == 100:
            gate.pause(60)
        await clock.sleep(seconds)

    gate = Gate(1, clock, sleep)
    gate.pause(10)
    await most_inside(gate, visitors=1)

    assert clock() == 160


async def test_each_round_without_a_refusal_lets_one_more_in() -> None:
    """Each round without a refusal allows one more, up to the start; requests from before the pause do not count."""
    gate, clock = a_gate(4)
    gate.pause(10)
    gate.passed()
    gate.passed()
    clock.seconds += 10
    seen = [await most_inside(gate)]
    for _ in range(7):
        gate.passed()
        seen.append(await most_inside(gate))

    assert seen == [2, 2, 3, 3, 3, 4, 4, 4]


async def test_a_request_cancelled_while_waiting_frees_its_place() -> None:
    """A request cancelled while waiting frees its place, or the gate would stay closed."""

    async def asleep(_: float) -> None:
        await asyncio.Event().wait()

    clock = Clock()
    gate = Gate(1, clock, asleep)
    gate.pause(10)
    waiting = asyncio.ensure_future(gate.__aenter__())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    clock.seconds += 10

    assert await most_inside(gate) == 1


@given(st.integers(1, 9), st.lists(st.sampled_from(["pause", "pass", "visit"]), max_size=60))
async def test_never_more_than_open_and_never_none(places: int, events: list[str]) -> None:
    """In any order requests get in, and never more at once than the gate allows."""
    gate, _ = a_gate(places)
    for event in events:
        if event == "pause":
            gate.pause(3)
        elif event == "pass":
            gate.passed()
        else:
            assert 1 <= await most_inside(gate) <= places
    assert 1 <= await most_inside(gate) <= places
