"""The ledger that always answers: which counters judge without the store, and where charges are refunded."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple, cast

import pytest

from sekisho.ledger.local_fallback import UNCOUNTED, FallbackLedger
from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.opening import open_line
from sekisho.ledger.redis import RedisLedger
from sekisho.model import Charged, Effect, Limit, StoreUnavailable
from tests.ledger.charges import HOUR, T0, charge
from tests.ledger.stores import ask, let_in, only

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.store import StoreConnection
    from tests.servers import RedisServer

SIX = only(account=(Limit(6, HOUR),))


class Worker(NamedTuple):
    line: StoreConnection
    down: asyncio.Event
    up: asyncio.Event
    own: MemoryLedger
    local: FallbackLedger
    closed: FallbackLedger
    opened: FallbackLedger


@asynccontextmanager
async def worker(url: str) -> AsyncIterator[Worker]:
    """One of two workers, for all three `STORE_DOWN` settings."""
    down, up = asyncio.Event(), asyncio.Event()

    def turn(answers: bool) -> None:
        (down.clear if answers else up.clear)()
        (up if answers else down).set()

    line = open_line(url, SIX, deadline_us=150_000, on_change=turn)
    shared = RedisLedger(line, "t")
    own = MemoryLedger(SIX.shared_between(2), entries_max=100, clock_us=lambda: T0)
    ways = FallbackLedger(shared, own), FallbackLedger(shared, None), FallbackLedger(shared, None, let_in=True)
    try:
        await asyncio.wait_for(up.wait(), 5)
        yield Worker(cast("StoreConnection", line), down, up, own, *ways)
    finally:
        await line.aclose()


async def test_while_the_store_answers_it_alone_counts(redis_url: str) -> None:
    """While the store answers, it alone counts: local counters stay empty, and no verdict reports lost counters."""
    async with worker(redis_url) as each:
        verdicts = await ask(each.local, [charge(0, n) for n in range(9)])

        assert let_in(verdicts) == 6
        assert {verdict.counters_lost for verdict in verdicts} == {False}
        assert len(each.own.book) == 0


async def test_without_the_store_a_worker_admits_its_share(own_redis_server: RedisServer) -> None:
    """Row 97: without the store each of two workers admits its share, three of six, and every verdict says so."""
    async with worker(own_redis_server.url) as each:
        own_redis_server.kill()
        await asyncio.wait_for(each.down.wait(), 5)
        verdicts = await ask(each.local, [charge(0, n) for n in range(9)])

        assert let_in(verdicts) == 3
        assert {verdict.counters_lost for verdict in verdicts} == {True}


async def test_closed_means_no_verdict(own_redis_server: RedisServer) -> None:
    """With `closed` the caller gets an error at once instead of a verdict."""
    async with worker(own_redis_server.url) as each:
        own_redis_server.kill()
        await asyncio.wait_for(each.down.wait(), 5)

        with pytest.raises(StoreUnavailable):
            await each.closed.charge(charge())


async def test_open_means_no_count(own_redis_server: RedisServer) -> None:
    """With `open` all pass, marked as uncounted, with nothing to refund."""
    async with worker(own_redis_server.url) as each:
        own_redis_server.kill()
        await asyncio.wait_for(each.down.wait(), 5)
        verdicts = await ask(each.opened, [charge()] * 20)
        each.opened.settle(charge(), verdicts[0], Effect.RENEWED)

        assert set(verdicts) == {UNCOUNTED}
        assert (UNCOUNTED.charged, UNCOUNTED.counters_lost, UNCOUNTED.throttle_wait_us) == (0, True, 0)
        assert not each.line._intake.queue


async def test_a_deadline_that_passes_is_judged_locally(own_redis_server: RedisServer) -> None:
    """Row 96: an attempt whose deadline passes at a paused store gets a local verdict."""
    async with worker(own_redis_server.url) as each:
        own_redis_server.pause()
        verdicts = await asyncio.wait_for(ask(each.local, [charge(0, n) for n in range(9)]), 5)

        assert (let_in(verdicts), verdicts[0].counters_lost) == (3, True)


async def test_a_charge_is_given_back_where_it_was_taken(own_redis_server: RedisServer) -> None:
    """A charge is refunded where it was made: Redis's when it is back, the local one locally."""
    async with worker(own_redis_server.url) as each:
        (in_redis,) = await ask(each.local, [charge(0, 1)])
        own_redis_server.pause()
        (here,) = await ask(each.local, [charge(0, 2)])
        each.local.settle(charge(0, 1), in_redis)
        assert here.counters_lost
        assert (await ask(each.local, [charge(0, 3)]))[0].failures == 2

        each.up.clear()
        own_redis_server.resume()
        await asyncio.wait_for(each.up.wait(), 5)
        each.local.settle(charge(0, 2), here)

        # The one written during the pause is counted in Redis too, which the worker could not know.
        assert (await ask(each.local, [charge(0, 4)]))[0].failures == 2
        assert each.own.charge_now(charge(0, 5)).failures == 2


async def test_a_factor_clears_the_failures_of_before_the_store_went(own_redis_server: RedisServer) -> None:
    """A factor shown without the store clears local failures, and Redis's when it is back."""
    async with worker(own_redis_server.url) as each:
        await ask(each.local, [charge(0, n) for n in range(2)])
        own_redis_server.pause()
        (here,) = await ask(each.local, [charge(0, 2)])
        assert here.counters_lost
        each.local.settle(charge(0, 2), here, Effect.PROVED)
        assert each.own.charge_now(charge(0, 3)).failures == 1

        each.up.clear()
        own_redis_server.resume()
        await asyncio.wait_for(each.up.wait(), 5)

        assert (await ask(each.local, [charge(0, 4)]))[0].failures == 1


async def test_known_devices_pass_on_the_workers_own_counters(own_redis_server: RedisServer) -> None:
    """Known devices' buckets work on local counters without the store."""
    async with worker(own_redis_server.url) as each:
        own_redis_server.kill()
        await asyncio.wait_for(each.down.wait(), 5)
        await ask(each.local, [charge(0, n) for n in range(20)])
        own = charge(known_device=1)
        (verdict,) = await ask(each.local, [own])
        each.local.settle(own, verdict, Effect.RENEWED)

        assert (verdict.charged & Charged.KNOWN_DEVICE, verdict.counters_lost) == (Charged.KNOWN_DEVICE, True)
