"""Background runs are bounded, and one caller's many runs do not delay another's one."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from sekisho.stepup.flow.fair_queue import ENTERING_MAX, FairQueue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

SOON_S = 0.03
NEVER_S = 60.0
WHO: contextvars.ContextVar[str] = contextvars.ContextVar("WHO", default="nobody")


class Runs:
    """Runs that end when the test says so, in the order in which they started."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self.callers: list[asyncio.Task[bool]] = []

    def run(self, name: str) -> Callable[[], Coroutine[None, None, None]]:
        async def run() -> None:
            self.started.append(name)
            try:
                await self._ends.setdefault(name, asyncio.Event()).wait()
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise

        return run

    def enter(self, name: str, *, network: bytes = b"n", wait_s: float = NEVER_S) -> asyncio.Task[bool]:
        """Enter a run; the first letter of `name` is the address."""
        entering = self.queue.enter(network, network + name[:1].encode(), self.run(name), wait_s=wait_s)
        self.callers.append(asyncio.create_task(entering))
        return self.callers[-1]

    async def end(self, *names: str) -> None:
        for name in names:
            self._ends.setdefault(name, asyncio.Event()).set()
        await settle()


async def settle() -> None:
    """Wait until all ready tasks have run."""
    for _ in range(10):
        await asyncio.sleep(0)


@asynccontextmanager
async def runs(**bounds: float) -> AsyncIterator[Runs]:
    queue = FairQueue(**bounds)  # type: ignore[arg-type] # the deadline may be a fraction, the others are not
    made = Runs(queue)
    try:
        yield made
    finally:
        for caller in made.callers:
            caller.cancel()
        await queue.aclose(0)
        await settle()
        assert queue.occupancy == 0
        assert not queue._held._each
        assert not queue._running._each
        assert not queue._entering.counts._each
        assert not queue._answers


async def test_a_run_is_not_waited_for() -> None:
    """A run is not waited for: its caller already has an answer."""
    async with runs() as some:
        assert await some.queue.enter(b"n", b"a", some.run("a"))
        await settle()

        assert some.started == ["a"]
        assert some.queue.occupancy == 1 / (32 + 256)


async def test_no_more_run_at_once_than_may() -> None:
    """Runs beyond the bound are queued and start as others end."""
    async with runs(running_max=2) as some:
        for name in ("a1", "b1", "c1"):
            assert await some.enter(name)
        await settle()
        assert some.started == ["a1", "b1"]

        await some.end("b1")

        assert some.started == ["a1", "b1", "c1"]


@pytest.mark.parametrize("networks", [(b"n", b"n"), (b"n", b"m")], ids=["another address", "another network"])
async def test_a_thousand_attempts_do_not_stand_before_one(networks: tuple[bytes, bytes]) -> None:
    """After a flood of one address a newcomer's run starts next, and enters without waiting."""
    async with runs(running_max=2) as some:
        flood = [some.enter(f"a{n}", network=networks[0]) for n in range(1000)]
        await settle()
        assert await some.enter("b", network=networks[1], wait_s=0)
        assert len([caller for caller in flood if caller.done() and caller.result()]) == 8

        await some.end("a0")

        assert some.started == ["a0", "a1", "b"]


async def test_one_network_of_many_addresses_counts_for_one() -> None:
    """A thousand addresses of one network do not delay the single address of another."""
    async with runs(running_max=2, per_network_max=32) as some:
        for n in range(1000):
            some.enter(f"{chr(0x4E00 + n)}", network=b"n")
        await settle()
        assert await some.enter("b", network=b"m", wait_s=0)

        await some.end(some.started[0])

        assert some.started[2] == "b"


async def test_networks_take_turns_and_addresses_in_them() -> None:
    """With one run at a time networks take turns, and within each its addresses, each in order."""
    async with runs(running_max=1) as some:
        for name in ("a1", "a2", "a3", "b1"):
            await some.enter(name, network=b"n")
        await some.enter("c1", network=b"m")
        await some.enter("c2", network=b"m")
        for _ in range(6):
            await settle()
            await some.end(some.started[-1])

        assert some.started == ["a1", "a2", "c1", "b1", "c2", "a3"]


async def test_all_places_taken_one_waits_and_is_told() -> None:
    """With all places taken a caller waits no longer than asked, and is told at once if it may not wait."""
    async with runs(running_max=1, waiting_max=1) as some:
        assert await some.enter("a1")
        assert await some.enter("b1")

        assert not await some.enter("c1", wait_s=0)
        assert not await some.enter("c2", wait_s=SOON_S)
        assert some.queue.occupancy == 1

        await some.end("a1", "b1")
        assert some.started == ["a1", "b1"]


async def test_a_place_that_comes_free_is_for_who_has_the_fewest() -> None:
    """A free place goes to the address with the fewest: one address's many do not delay another's one."""
    async with runs(running_max=1, waiting_max=0) as some:
        await some.enter("a1")
        for name in ("a2", "a3"):
            some.enter(name)
        await settle()
        some.enter("b1", network=b"m")
        for name in ("a1", "a2", "b1"):
            await some.end(name)

        assert some.started == ["a1", "a2", "b1", "a3"]


async def test_a_cap_of_one_address_holds_up_nobody_else() -> None:
    """An address that has reached its cap of eight does not hold up a waiting caller from elsewhere."""
    async with runs(running_max=4, waiting_max=0, per_address_max=2, per_network_max=3) as some:
        await some.enter("a1")
        await some.enter("a2")
        held = some.enter("a3")
        await settle()

        assert await some.enter("b1", wait_s=0)
        assert not await some.enter("c1", wait_s=0)  # the network has its three
        assert await some.enter("c1", network=b"m", wait_s=0)
        assert not held.done()


async def test_no_more_wait_than_may_and_the_many_give_way() -> None:
    """With the waiting room full, the newest waiter of the address with the most is refused, not the newcomer."""
    async with runs(running_max=1, waiting_max=0) as some:
        await some.enter("z")
        flood = [some.enter(f"a{n}") for n in range(ENTERING_MAX)]
        await settle()
        beyond = some.enter("a-last")
        near = some.enter("b1")
        far = some.enter("c1", network=b"m")
        await settle()

        assert (beyond.done(), beyond.result()) == (True, False)
        assert (near.done(), far.done()) == (False, False)
        assert [n for n, caller in enumerate(flood) if caller.done()] == [ENTERING_MAX - 2, ENTERING_MAX - 1]
        assert len(some.queue._answers) == ENTERING_MAX


async def test_a_run_that_never_ends_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    """A run is cancelled at its deadline, its place goes to the next, and the log says so."""
    async with runs(running_max=1, seconds_max=SOON_S) as some:
        await some.enter("a1")
        await some.enter("b1")
        await asyncio.sleep(SOON_S * 1.5)
        await settle()

        assert some.cancelled[:1] == ["a1"]
        assert some.started == ["a1", "b1"]
    assert "ended with TimeoutError" in caplog.text


async def test_a_run_that_raises_is_logged_by_its_type_alone(caplog: pytest.LogCaptureFixture) -> None:
    """A run that raises is logged by its type alone: its message may hold a password."""

    async def raising() -> None:
        raise ValueError("hunter2")

    async with runs(running_max=1) as some:
        with caplog.at_level(logging.DEBUG):
            await some.queue.enter(b"n", b"a", raising)
            await settle()
            await some.enter("b")
            await settle()

        assert [record.getMessage() for record in caplog.records if record.name == "sekisho"] == [
            "A log-in that ran in the background ended with ValueError."
        ]
        assert "hunter2" not in caplog.text
        assert some.started == ["b"]


@pytest.mark.parametrize("promised", [False, True], ids=["while waiting", "once a place was promised"])
async def test_a_caller_that_gives_up_leaves_no_run_and_no_place(promised: bool) -> None:
    """A waiting caller that gives up leaves no run and no place behind."""
    async with runs(running_max=1, waiting_max=0) as some:
        await some.enter("a1")
        gone, next_one = some.enter("b1"), some.enter("c1")
        await settle()
        if promised:
            # The place is assigned in this turn, before its caller can learn of it.
            answer = next(iter(some.queue._answers.values()))
            some._ends["a1"].set()
            for _ in range(10):
                if not answer.done():
                    await asyncio.sleep(0)
            assert (answer.done(), gone.done()) == (True, False)
        gone.cancel()
        await some.end("a1")

        assert gone.cancelled()
        assert await next_one
        assert some.started == ["a1", "c1"]


async def test_a_run_sees_nobodys_context() -> None:
    """A run sees no context, neither its caller's nor that of the run whose end started it: frameworks keep users
    there.
    """
    seen: list[str] = []

    async def look() -> None:
        seen.append(WHO.get())

    async def enter(who: str, queue: FairQueue) -> None:
        WHO.set(who)
        await queue.enter(b"n", who.encode(), look)

    async with runs(running_max=1) as some:
        await some.enter("a1")
        await asyncio.gather(*(asyncio.create_task(enter(who, some.queue)) for who in ("bea", "carl")))
        await some.end("a1")

    assert seen == ["nobody", "nobody"]


async def test_closing_gives_runs_their_time() -> None:
    """After closing, running and queued runs may end; waiting and new callers get no place."""
    async with runs(running_max=1, waiting_max=1) as some:
        await some.enter("a1")
        await some.enter("b1")
        late = some.enter("c1")
        await settle()
        closing = asyncio.create_task(some.queue.aclose(NEVER_S))
        await settle()

        assert not await late
        assert not await some.enter("d1")
        await some.end("a1", "b1")
        await closing
        assert (some.started, some.cancelled) == (["a1", "b1"], [])


async def test_closing_ends_everything() -> None:
    """When the closing time is over, running runs are cancelled and queued ones never start."""
    async with runs(running_max=1, waiting_max=1) as some:
        await some.enter("a1")
        await some.enter("b1")
        await settle()
        await some.queue.aclose(0)

        assert (some.started, some.cancelled) == (["a1"], ["a1"])
        assert some.queue.occupancy == 0


async def test_a_place_promised_before_closing_is_none_after() -> None:
    """A place assigned just before closing starts no run after it."""
    async with runs(running_max=1, waiting_max=0) as some:
        await some.enter("a1")
        late = some.enter("b1")
        await settle()
        (answer,) = some.queue._answers.values()
        some._ends["a1"].set()
        for _ in range(10):
            if not answer.done():
                await asyncio.sleep(0)
        await some.queue.aclose(0)

        assert (answer.result(), await late) == (True, False)
        await settle()
        assert some.started == ["a1"]


def test_a_loop_that_ends_begins_no_other_run(caplog: pytest.LogCaptureFixture) -> None:
    """A loop that ends starts no queued run: asyncio would warn of a task that never ran."""
    started: list[str] = []

    async def run(name: str) -> None:
        started.append(name)
        await asyncio.Event().wait()

    async def served() -> None:
        queue = FairQueue(running_max=1)
        for name in ("a1", "b1"):
            assert await queue.enter(b"n", name.encode(), partial(run, name))
        await settle()

    asyncio.run(served())
    gc.collect()

    assert started == ["a1"]
    assert caplog.text == ""
