"""Waiting for log-ins under way: in order, bounded, and no longer than it may help."""

from __future__ import annotations

import asyncio

from sekisho.ledger.in_flight import PAUSES_S, WAITERS_MAX, InFlight

KEY, OTHER = b"a-key", b"another"


class Queue:
    """Callers that wait for a key, and the order in which they were called."""

    def __init__(self) -> None:
        self.room = InFlight()
        self.called: list[int] = []

    def join(
        self, name: int, key: bytes = KEY, waiters_max: int = 100, seconds_max: float = 30.0
    ) -> asyncio.Task[bool]:
        async def wait() -> bool:
            had_place = await self.room.wait(key, waiters_max=waiters_max, seconds_max=seconds_max)
            self.called.append(name)
            return had_place

        return asyncio.create_task(wait())


async def turn() -> None:
    """Let every ready caller continue."""
    for _ in range(5):
        await asyncio.sleep(0)


async def leave(*tasks: asyncio.Task[bool]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_settlement_calls_one_and_the_first() -> None:
    """One settlement calls one waiting caller, the first: one refunded place is enough for one."""
    queue = Queue()
    tasks = [queue.join(n) for n in range(4)]
    await turn()

    called = []
    for _ in tasks:
        queue.room.settled(KEY)
        await turn()
        called.append(list(queue.called))

    assert called == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]
    assert await asyncio.gather(*tasks) == [True] * 4


async def test_settlements_of_one_turn_call_as_many() -> None:
    """Three settlements of one turn call three callers."""
    queue = Queue()
    tasks = [queue.join(n) for n in range(4)]
    await turn()

    for _ in range(3):
        queue.room.settled(KEY)
    await turn()

    assert queue.called == [0, 1, 2]
    await leave(*tasks)


async def test_another_counter_calls_nobody() -> None:
    """A settlement of another counter, or without waiting callers, calls none."""
    queue = Queue()
    task = queue.join(1)
    await turn()

    queue.room.settled(OTHER)
    await turn()

    assert queue.called == []
    await leave(task)


async def test_callers_beyond_the_counter_are_told_at_once() -> None:
    """As many callers may wait as the counter admits at once; others are told at once."""
    queue = Queue()
    tasks = [queue.join(n, waiters_max=3) for n in range(3)]
    await turn()

    assert await asyncio.wait_for(queue.room.wait(KEY, waiters_max=3, seconds_max=30), 1) is False
    assert queue.called == []
    await leave(*tasks)


async def test_a_worker_has_so_many_places() -> None:
    """A worker's waiting places are bounded over all counters, or connections could be parked there."""
    queue = Queue()
    tasks = [queue.join(n, key=b"%d" % n) for n in range(WAITERS_MAX)]
    await turn()

    assert await asyncio.wait_for(queue.room.wait(OTHER, waiters_max=100, seconds_max=30), 1) is False
    queue.room.settled(b"7")
    await turn()
    again = queue.join(1_000, key=OTHER)
    await turn()
    assert not again.done()
    await leave(*tasks, again)


async def test_a_client_that_disconnects_leaves_the_queue() -> None:
    """A client that disconnects frees its place, and the key's entry is removed."""
    queue = Queue()
    for _ in range(3):
        tasks = [queue.join(n) for n in range(WAITERS_MAX)]
        await turn()
        await leave(*tasks)

    assert (queue.room._size, dict(queue.room._waiting)) == (0, {})


async def test_a_call_to_someone_who_has_just_left_goes_to_the_next() -> None:
    """A call to a client that has just left goes to the next, so the refunded room is not lost."""
    queue = Queue()
    first, second = queue.join(1), queue.join(2)
    await turn()

    queue.room.settled(KEY)
    first.cancel()
    await turn()

    assert queue.called == [2]
    assert await second


async def test_the_last_login_under_way_calls_everybody() -> None:
    """When the last log-in under way has ended all waiting callers are called."""
    queue = Queue()
    for _ in range(2):
        queue.room.begin(KEY)
    tasks = [queue.join(n) for n in range(3)]
    await turn()

    queue.room.end(KEY)
    await turn()
    assert queue.called == []
    queue.room.end(KEY)
    await turn()

    assert queue.called == [0, 1, 2]
    assert await asyncio.gather(*tasks) == [True] * 3


async def test_logins_under_way_are_counted_by_counter_and_forgotten() -> None:
    """Log-ins under way are counted per counter (one address, many accounts) and forgotten at their end."""
    room = InFlight()
    accounts = [b"%d" % n for n in range(100)]
    for account in accounts:
        room.begin(KEY)
        room.begin(account)
    for account in accounts[1:]:
        room.end(KEY)
        room.end(account)

    assert room._under_way == {KEY: 1, accounts[0]: 1}
    room.end(KEY)
    room.end(accounts[0])
    assert room._under_way == {}


async def test_patience_ends() -> None:
    """A caller that is not called in time asks again all the same."""
    queue = Queue()
    tasks = [queue.join(n, seconds_max=0.01) for n in range(5)]

    assert await asyncio.wait_for(asyncio.gather(*tasks), 5) == [True] * 5
    assert (queue.room._size, dict(queue.room._waiting)) == (0, {})


def test_patience_outlasts_a_young_charge() -> None:
    """All pauses together last as long as a charge counts as young: longer waiting would not help."""
    assert sum(PAUSES_S) * 1e6 == 2_000_000
