"""Waiting for log-ins under way: in order, within bounds, and no longer than it may help."""

from __future__ import annotations

import asyncio

from sekisho.observe.limiter.waiting import PAUSES_S, WAITERS_MAX, WaitingRoom

KEY, OTHER = b"a-key", b"another"


class Queue:
    """Those who wait for a key, and in which order they were called."""

    def __init__(self) -> None:
        self.room = WaitingRoom()
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
    """Let everybody who can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def leave(*tasks: asyncio.Task[bool]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_settlement_calls_one_and_the_first() -> None:
    """One charge was given back, so one may ask again; all of them would only refuse each other."""
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
    """Three log-ins succeed before anybody who was called could run."""
    queue = Queue()
    tasks = [queue.join(n) for n in range(4)]
    await turn()

    for _ in range(3):
        queue.room.settled(KEY)
    await turn()

    assert queue.called == [0, 1, 2]
    await leave(*tasks)


async def test_another_counter_calls_nobody() -> None:
    """Nor does a settlement for which nobody waits."""
    queue = Queue()
    task = queue.join(1)
    await turn()

    queue.room.settled(OTHER)
    await turn()

    assert queue.called == []
    await leave(task)


async def test_who_finds_no_place_is_told_at_once() -> None:
    """As many as the counter lets in at once may wait for it; more could not all get in."""
    queue = Queue()
    tasks = [queue.join(n, waiters_max=3) for n in range(3)]
    await turn()

    assert await asyncio.wait_for(queue.room.wait(KEY, waiters_max=3, seconds_max=30), 1) is False
    assert queue.called == []
    await leave(*tasks)


async def test_a_worker_has_so_many_places() -> None:
    """Over all counters together, or it would be a place to park connections."""
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


async def test_whoever_hangs_up_leaves_the_queue() -> None:
    """A place that a client has left is free again, and nothing is kept for the key."""
    queue = Queue()
    for _ in range(3):
        tasks = [queue.join(n) for n in range(WAITERS_MAX)]
        await turn()
        await leave(*tasks)

    assert (queue.room._size, dict(queue.room._waiting)) == (0, {})


async def test_a_call_to_someone_who_has_just_left_goes_to_the_next() -> None:
    """Called and cancelled in one turn: the room that was given back is not lost on them."""
    queue = Queue()
    first, second = queue.join(1), queue.join(2)
    await turn()

    queue.room.settled(KEY)
    first.cancel()
    await turn()

    assert queue.called == [2]
    assert await second


async def test_the_last_login_under_way_calls_everybody() -> None:
    """Two were under way; when the second has ended too, nobody has anything left to wait for."""
    queue = Queue()
    for _ in range(2):
        queue.room.begin((KEY, OTHER))
    tasks = [queue.join(n) for n in range(3)]
    await turn()

    queue.room.end((KEY, OTHER))
    await turn()
    assert queue.called == []
    queue.room.end((KEY, OTHER))
    await turn()

    assert queue.called == [0, 1, 2]
    assert await asyncio.gather(*tasks) == [True] * 3


async def test_logins_under_way_are_counted_by_counter_and_forgotten() -> None:
    """One address, many accounts; what has ended leaves nothing behind."""
    room = WaitingRoom()
    accounts = [b"%d" % n for n in range(100)]
    for account in accounts:
        room.begin((KEY, account))
    for account in accounts[1:]:
        room.end((KEY, account))

    assert room._under_way == {KEY: 1, accounts[0]: 1}
    room.end((KEY, accounts[0]))
    assert room._under_way == {}


async def test_patience_ends() -> None:
    """Nobody is called: they may ask again all the same."""
    queue = Queue()
    tasks = [queue.join(n, seconds_max=0.01) for n in range(5)]

    assert await asyncio.wait_for(asyncio.gather(*tasks), 5) == [True] * 5
    assert (queue.room._size, dict(queue.room._waiting)) == (0, {})


def test_patience_outlasts_a_young_charge() -> None:
    """All pauses together are as long as a charge counts as young: after that, waiting would be for nothing."""
    assert sum(PAUSES_S) * 1e6 == 2_000_000
