"""The line to Redis when all is well: batches, order, everybody's own answer, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import math
import random
import time
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import ResponseError

from sekisho.model import StoreUnavailable
from tests.store.lines import Watched, calls, counted, question, watched

if TYPE_CHECKING:
    from tests.servers import RedisServer

# What the script does inside Redis, and what the test's own connection says there.
NOT_OURS = {"cmdstat_incr", "cmdstat_expire", "cmdstat_hello", "cmdstat_client|setinfo", "cmdstat_config|resetstat"}


@pytest.mark.parametrize("asks", [1, 2, 128, 129, 1_000])
async def test_one_turn_of_the_loop_is_one_call(redis_url: str, redis_server: RedisServer, asks: int) -> None:
    """N attempts that arrive together cost N/128 calls, rounded up."""
    async with watched(redis_url) as found:
        redis_server.cli("CONFIG", "RESETSTAT")
        await asyncio.gather(*[found.ask(n) for n in range(asks)])

        assert calls(redis_server) == math.ceil(asks / 128)


async def test_an_attempt_is_one_round_trip(redis_url: str, redis_server: RedisServer) -> None:
    """One after the other: a call for each, and not one more of any kind."""
    async with watched(redis_url) as found:
        redis_server.cli("CONFIG", "RESETSTAT")
        for number in range(20):
            await found.ask(number)

        stats = redis_server.cli("INFO", "commandstats")
        sent = {name: each["calls"] for name, each in stats.items() if name not in NOT_OURS}
        assert sent == {"cmdstat_evalsha": 20}


async def test_settlements_ride_along(redis_url: str, redis_server: RedisServer) -> None:
    """What is told in the same turn shares the call of what is asked, and is done in order."""
    async with watched(redis_url) as found:
        redis_server.cli("CONFIG", "RESETSTAT")
        for number in range(5):
            found.tell(number)
        await asyncio.gather(*[found.ask(n) for n in range(5)])

        assert (calls(redis_server), counted(redis_server)) == (1, 10)


async def test_everybody_gets_their_own_answer(redis_url: str, redis_server: RedisServer) -> None:
    """CVE-2023-28859: of a thousand callers every third gives up at some moment; no other gets what was theirs."""
    chance = random.Random(1)
    async with watched(redis_url) as found:

        async def caller(number: int) -> bytes:
            await asyncio.sleep(chance.random() * 0.02)
            return await found.ask(number)

        tasks = [asyncio.create_task(caller(number)) for number in range(1_000)]
        for task in tasks[::3]:
            asyncio.get_running_loop().call_later(chance.random() * 0.02, task.cancel)
        answers = await asyncio.gather(*tasks, return_exceptions=True)

        given = [(number, answer) for number, answer in enumerate(answers) if isinstance(answer, bytes)]
        assert [answer for _, answer in given] == [question(number) for number, _ in given]
        assert 666 <= len(given) < 1_000
        assert len(given) <= counted(redis_server) <= 1_000


async def test_who_gives_up_before_it_is_written_was_never_there(redis_url: str, redis_server: RedisServer) -> None:
    """Cancelled in the turn it was asked in: nothing is counted, and its neighbours are not hurt."""
    async with watched(redis_url) as found:
        asks = [found.ask(n) for n in range(10)]
        for ask in asks[::2]:
            ask.cancel()

        assert await asyncio.gather(*asks[1::2]) == [question(n) for n in range(1, 10, 2)]
        assert counted(redis_server) == 5


async def test_who_gives_up_after_it_is_written_stays_counted(redis_url: str, redis_server: RedisServer) -> None:
    """Row 62: hanging up is no way to take a guess back."""
    async with watched(redis_url) as found:
        asks = [found.ask(n) for n in range(10)]
        await found.written()
        for ask in asks[::2]:
            ask.cancel()

        assert await asyncio.gather(*asks[1::2]) == [question(n) for n in range(1, 10, 2)]
        assert counted(redis_server) == 10


async def test_other_commands_share_the_connection(redis_url: str, redis_server: RedisServer) -> None:
    """A command of its own gets its own reply or its own error; batches around it get theirs."""
    async with watched(redis_url) as found:
        before = asyncio.gather(*[found.ask(n) for n in range(200)])
        echoed = asyncio.ensure_future(found.line.execute(b"ECHO", b"hello"))
        refused = asyncio.ensure_future(found.line.execute(b"INCR"))
        after = asyncio.gather(*[found.ask(n) for n in range(200, 400)])

        assert await echoed == b"hello"
        with pytest.raises(ResponseError, match="wrong number of arguments"):
            await refused
        assert await before + await after == [question(n) for n in range(400)]
        assert found.turns == [True]


async def test_flushed_scripts_lose_nothing_and_count_nothing_twice(redis_url: str, redis_server: RedisServer) -> None:
    """Row 98: scripts vanish again and again under load; every attempt is answered, and done exactly once."""
    async with watched(redis_url) as found:
        answers = []
        for wave in range(40):
            asks = [found.ask(n) for n in range(wave * 300, wave * 300 + 300)]
            found.tell()
            await asyncio.sleep(0)
            redis_server.cli("SCRIPT", "FLUSH")
            answers += await asyncio.gather(*asks)

        await found.ask()
        assert answers == [question(n) for n in range(40 * 300)]
        assert counted(redis_server) == 40 * 301 + 1
        assert found.turns == [True]


@pytest.mark.parametrize("written", [False, True])
async def test_a_stalled_loop_is_not_a_lost_store(redis_url: str, redis_server: RedisServer, written: bool) -> None:
    """An app that hashes on the loop for longer than the deadline: the store has answered, and it is heard."""
    async with watched(redis_url) as found:
        ask = found.ask(7)
        if written:
            await found.written()
        time.sleep(0.4)  # noqa: ASYNC251 - the stall itself

        assert await ask == question(7)
        assert (found.turns, counted(redis_server)) == ([True], 1)


async def test_a_loop_stalled_for_long_keeps_its_connection(redis_url: str, redis_server: RedisServer) -> None:
    """Beyond the time after which a silent connection is given up: it was we who did not listen."""
    async with watched(redis_url) as found:
        ask = found.ask(7)
        await found.written()
        redis_server.cli("CONFIG", "RESETSTAT")
        time.sleep(1.3)  # noqa: ASYNC251 - the stall itself
        await asyncio.wait([ask])
        await found.ask(8)

        assert "cmdstat_ping" not in redis_server.cli("INFO", "commandstats")


# The end.


async def test_closing_writes_what_is_queued(redis_url: str, redis_server: RedisServer) -> None:
    """Settlements of the last turn are not lost, however many calls they need."""
    found = Watched(redis_url)
    await found.recovers()
    for number in range(2_000):
        found.tell(number)

    await found.line.aclose()

    assert counted(redis_server) == 2_000


async def test_closing_leaves_nothing_behind(redis_url: str, redis_server: RedisServer) -> None:
    """No task, no timer, no socket; and no news of a loss, for it is none."""
    found = Watched(redis_url)
    await found.recovers()
    await found.ask()

    await found.line.aclose()
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert redis_server.cli("CLIENT", "LIST").count("\n") <= 1
    assert found.turns == [True]
    gc.collect()  # a socket that is still open warns here, and warnings are errors


async def test_a_closed_line_refuses(redis_url: str) -> None:
    """At once, in every way it can be asked."""
    found = Watched(redis_url)
    await found.recovers()
    await found.line.aclose()

    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(found.ask(), 1)
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(found.line.execute(b"PING"), 1)
    found.tell()
    await found.line.aclose()


async def test_closing_before_the_first_turn_answers_whoever_asked(redis_url: str) -> None:
    """A start that is broken off leaves nobody waiting for ever."""
    found = Watched(redis_url)
    ask = found.ask()

    await found.line.aclose()

    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(ask, 1)


def test_each_loop_ends_clean(redis_url: str) -> None:
    """A line started and closed in a loop of its own leaves no open transport when that loop is closed."""

    async def once() -> None:
        async with watched(redis_url) as found:
            await found.ask()

    for _ in range(5):
        asyncio.run(once())
    gc.collect()
