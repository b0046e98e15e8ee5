"""The line to a healthy Redis: batches, order, the caller's own answer, and nothing left open."""

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

# What the script runs inside Redis, and what the test's own connection sends.
NOT_OURS = {"cmdstat_incr", "cmdstat_expire", "cmdstat_hello", "cmdstat_client|setinfo", "cmdstat_config|resetstat"}


@pytest.mark.parametrize("asks", [1, 2, 128, 129, 1_000])
async def test_one_turn_of_the_loop_is_one_call(redis_url: str, redis_server: RedisServer, asks: int) -> None:
    """N attempts of one loop turn cost N/128 calls, rounded up."""
    async with watched(redis_url) as found:
        redis_server.cli("CONFIG", "RESETSTAT")
        await asyncio.gather(*[found.ask(n) for n in range(asks)])

        assert calls(redis_server) == math.ceil(asks / 128)


async def test_an_attempt_is_one_round_trip(redis_url: str, redis_server: RedisServer) -> None:
    """An attempt is one round trip: sequential attempts cost one call each, and no other command."""
    async with watched(redis_url) as found:
        redis_server.cli("CONFIG", "RESETSTAT")
        for number in range(20):
            await found.ask(number)

        stats = redis_server.cli("INFO", "commandstats")
        sent = {name: each["calls"] for name, each in stats.items() if name not in NOT_OURS}
        assert sent == {"cmdstat_evalsha": 20}


async def test_settlements_ride_along(redis_url: str, redis_server: RedisServer) -> None:
    """Settlements share the call of questions of the same turn, in order."""
    async with watched(redis_url) as found:
        redis_server.cli("CONFIG", "RESETSTAT")
        for number in range(5):
            found.tell(number)
        await asyncio.gather(*[found.ask(n) for n in range(5)])

        assert (calls(redis_server), counted(redis_server)) == (1, 10)


async def test_everybody_gets_their_own_answer(redis_url: str, redis_server: RedisServer) -> None:
    """CVE-2023-28859: of a thousand callers every third is cancelled; no other gets its answer."""
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
    """A question cancelled in its own turn is never counted, and its neighbours are unaffected."""
    async with watched(redis_url) as found:
        asks = [found.ask(n) for n in range(10)]
        for ask in asks[::2]:
            ask.cancel()

        assert await asyncio.gather(*asks[1::2]) == [question(n) for n in range(1, 10, 2)]
        assert counted(redis_server) == 5


async def test_who_gives_up_after_it_is_written_stays_counted(redis_url: str, redis_server: RedisServer) -> None:
    """Row 62: a question cancelled after the write stays counted: disconnecting takes no guess back."""
    async with watched(redis_url) as found:
        asks = [found.ask(n) for n in range(10)]
        await found.written()
        for ask in asks[::2]:
            ask.cancel()

        assert await asyncio.gather(*asks[1::2]) == [question(n) for n in range(1, 10, 2)]
        assert counted(redis_server) == 10


async def test_other_commands_share_the_connection(redis_url: str, redis_server: RedisServer) -> None:
    """Other commands on the connection get their own reply or error, and batches around them theirs."""
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
    """Row 98: with scripts flushed under load every attempt is answered and runs exactly once."""
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
    """If the application blocks the loop beyond the deadline, the store's answer is still read."""
    async with watched(redis_url) as found:
        ask = found.ask(7)
        if written:
            await found.written()
        time.sleep(0.4)  # noqa: ASYNC251 - the stall itself

        assert await ask == question(7)
        assert (found.turns, counted(redis_server)) == ([True], 1)


async def test_a_loop_stalled_for_long_keeps_its_connection(redis_url: str, redis_server: RedisServer) -> None:
    """A blocked loop keeps its connection beyond the time after which a silent one is dropped."""
    async with watched(redis_url) as found:
        ask = found.ask(7)
        await found.written()
        redis_server.cli("CONFIG", "RESETSTAT")
        time.sleep(1.3)  # noqa: ASYNC251 - the stall itself
        await asyncio.wait([ask])
        await found.ask(8)

        assert "cmdstat_ping" not in redis_server.cli("INFO", "commandstats")


# Closing.


async def test_closing_writes_what_is_queued(redis_url: str, redis_server: RedisServer) -> None:
    """Closing writes queued settlements, in as many calls as needed."""
    found = Watched(redis_url)
    await found.recovers()
    for number in range(2_000):
        found.tell(number)

    await found.line.aclose()

    assert counted(redis_server) == 2_000


async def test_closing_leaves_nothing_behind(redis_url: str, redis_server: RedisServer) -> None:
    """Closing leaves no task, timer or socket, and reports no loss."""
    found = Watched(redis_url)
    await found.recovers()
    await found.ask()

    await found.line.aclose()
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert redis_server.cli("CLIENT", "LIST").count("\n") <= 1
    assert found.turns == [True]
    gc.collect()  # an open socket warns here, and warnings are errors


async def test_a_closed_line_refuses(redis_url: str) -> None:
    """A closed line refuses every kind of question at once."""
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
    """Closing before the first turn refuses waiting callers, so an aborted start leaves none."""
    found = Watched(redis_url)
    ask = found.ask()

    await found.line.aclose()

    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(ask, 1)


def test_each_loop_ends_clean(redis_url: str) -> None:
    """A line that is started and closed in its own loop leaves no open transport."""

    async def once() -> None:
        async with watched(redis_url) as found:
            await found.ask()

    for _ in range(5):
        asyncio.run(once())
    gc.collect()
