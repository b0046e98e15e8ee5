"""The workers' exchange through a real Redis, once a second."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import redis

from sekisho.ledger import worker_sync as exchange_module
from sekisho.ledger.worker_sync import News, SyncKeys, WorkerSync
from sekisho.model import StoreUnavailable
from sekisho.store import Script, open_to
from sekisho.store.options import LineOptions
from tests.store.lines import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sekisho.store import AnyStoreConnection
    from tests.servers import RedisServer

KEYS = SyncKeys.of("t")
PATIENT_US = 5_000_000


class Worker:
    """One worker's side of the exchange."""

    def __init__(self, line: AnyStoreConnection, name: bytes) -> None:
        self.shed = 0
        self.news: list[News] = []
        self.heard = asyncio.Event()
        self.rules: frozenset[bytes] = frozenset()
        self.exchange = WorkerSync(
            line, "t", worker=name, take_shed=self._take, hear=self._hear, rules=lambda: self.rules
        )

    def _take(self) -> int:
        taken, self.shed = self.shed, 0
        return taken

    def _hear(self, news: News) -> None:
        self.news.append(news)
        self.heard.set()

    async def once(self) -> News:
        await self.exchange.once()
        return self.news[-1]


@asynccontextmanager
async def workers(url: str, count: int, deadline_us: int = PATIENT_US) -> AsyncIterator[list[Worker]]:
    lines = [open_to(url, LineOptions(Script("return ''", (), 1), deadline_us)) for _ in range(count)]
    try:
        yield [Worker(line, b"worker%d" % n) for n, line in enumerate(lines)]
    finally:
        for line in lines:
            await line.aclose()


@pytest.fixture
def operator(redis_server: RedisServer, redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.mark.parametrize("kind", ["redis_url", "redis_unix_url", "sentinel_url", "redis_cluster_url"])
async def test_workers_see_each_other(request: pytest.FixtureRequest, kind: str) -> None:
    """Each worker counts itself and all that have reported, each once."""
    async with workers(request.getfixturevalue(kind), 3) as (one, two, three):
        for each in (one, two, three, one, two, three):
            await each.once()

        assert [each.news[-1].workers for each in (one, two, three)] == [3, 3, 3]


async def test_a_worker_that_went_silent_is_no_longer_counted(redis_url: str, operator: redis.Redis) -> None:
    """A silent worker is dropped after five seconds; a rolling restart would otherwise halve all shares for a
    minute.
    """
    async with workers(redis_url, 2) as (one, two):
        await two.once()
        (seconds, _) = operator.time()
        operator.zadd(KEYS.workers, {b"worker1": (seconds - 6) * 1_000_000})

        assert (await one.once()).workers == 1


async def test_a_worker_that_ended_before_the_clock_was_set_back_is_not_counted(
    redis_url: str, operator: redis.Redis
) -> None:
    """The shares of the others would be smaller until it has caught up; they report by the clock that is set."""
    async with workers(redis_url, 2) as (one, two):
        (seconds, _) = operator.time()
        operator.zadd(KEYS.workers, dict.fromkeys([b"ended", b"worker1"], (seconds + 86_400) * 1_000_000))
        await two.once()

        assert (await one.once()).workers == 2


async def test_what_was_shed_is_added_up(redis_url: str, operator: redis.Redis) -> None:
    """Shed refusals are added up over workers and calls by day, each once."""
    async with workers(redis_url, 2) as (one, two):
        one.shed, two.shed = 5, 7
        for each in (one, two, one, two):
            await each.once()

        assert [int(count) for count in operator.hvals(KEYS.shed)] == [12]


async def test_what_could_not_be_told_is_told_the_next_time(own_redis_server: RedisServer) -> None:
    """Refusals that could not be reported while the store was gone are reported the next time."""
    async with workers(own_redis_server.url, 1, deadline_us=200_000) as (one,):
        await one.once()
        own_redis_server.kill()
        one.shed = 5
        with pytest.raises(StoreUnavailable):
            await one.once()
        own_redis_server.start()
        one.shed = 2
        async with asyncio.timeout(10):
            while len(one.news) < 2:
                try:
                    await one.once()
                except StoreUnavailable:
                    await asyncio.sleep(0.01)

        assert own_redis_server.cli("HVALS", KEYS.shed) == ["7"]


async def test_an_operators_keys_of_earlier_versions_are_not_read(redis_url: str, operator: redis.Redis) -> None:
    """Row 95: an attacker who writes to the store neither switches a worker nor unblocks a counter in it."""
    async with workers(redis_url, 1) as (one,):
        await one.once()
        operator.set("t:{exchange}mode", "off")
        operator.zadd("t:{exchange}unblocked", {b"digest": 4e15})

        news = await one.once()

    assert news == News(1, rules=(), at_us=news.at_us)


async def test_one_exchange_is_one_call(redis_url: str, redis_server: RedisServer) -> None:
    """An exchange is one call, with any number of messages."""
    async with workers(redis_url, 1) as (one,):
        await one.once()
        redis_server.cli("CONFIG", "RESETSTAT")
        one.shed = 3
        await one.once()

        stats = redis_server.cli("INFO", "commandstats")
        assert [stats[f"cmdstat_{name}"]["calls"] for name in ("eval", "zadd", "zcard")] == [1, 1, 1]
        assert not {"cmdstat_evalsha", "cmdstat_fcall"} & stats.keys()


async def test_everything_it_writes_expires(redis_url: str, operator: redis.Redis) -> None:
    """Row 71: everything that the exchange writes expires."""
    async with workers(redis_url, 1) as (one,):
        one.shed = 1
        await one.once()

        keys = {KEYS.workers: True, KEYS.shed: True, KEYS.began: True}
        assert {key: operator.pttl(key) > 0 for key in operator.scan_iter()} == keys


async def test_a_store_that_was_emptied_is_noticed_once(redis_url: str, operator: redis.Redis) -> None:
    """Every worker that knew the store reports once that it was emptied; a new worker does not."""
    async with workers(redis_url, 2) as (one, two):
        said = [(await one.once()).anew]
        operator.flushall()
        said += [(await one.once()).anew, (await two.once()).anew, (await one.once()).anew]

        assert said == [False, True, False, False]


async def test_a_store_that_refuses_the_exchange_is_named_once(
    redis_url: str, operator: redis.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that refuses the exchange is logged once: its share of the limits would otherwise silently be wrong."""
    monkeypatch.setattr(exchange_module, "EVERY_S", 0.01)
    operator.set(KEYS.workers, "not a set")
    operator.config_resetstat()
    async with workers(redis_url, 1) as (one,):
        task = asyncio.create_task(one.exchange.run())
        await until(lambda: operator.info("commandstats").get("cmdstat_eval", {}).get("failed_calls", 0) > 3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert caplog.messages == ["the store refuses the exchange between workers: ResponseError"]


async def test_it_goes_on_by_itself(redis_url: str, operator: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange repeats every second (here: a hundredth), also after a refusal of Redis."""
    monkeypatch.setattr(exchange_module, "EVERY_S", 0.01)
    async with workers(redis_url, 1) as (one,):
        task = asyncio.create_task(one.exchange.run())
        for _ in range(3):
            one.heard.clear()
            await asyncio.wait_for(one.heard.wait(), 5)
        operator.delete(KEYS.workers)
        operator.set(KEYS.workers, "not a set")
        operator.config_resetstat()
        await until(lambda: operator.info("commandstats").get("cmdstat_eval", {}).get("failed_calls", 0) > 1)
        operator.delete(KEYS.workers)
        one.heard.clear()
        await asyncio.wait_for(one.heard.wait(), 5)

        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_it_outlives_a_lost_store(own_redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a killed and restarted store messages arrive again."""
    monkeypatch.setattr(exchange_module, "EVERY_S", 0.01)
    async with workers(own_redis_server.url, 1, deadline_us=200_000) as (one,):
        task = asyncio.create_task(one.exchange.run())
        await asyncio.wait_for(one.heard.wait(), 5)
        own_redis_server.restart()
        one.heard.clear()
        await asyncio.wait_for(one.heard.wait(), 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_is_known_of_rules_reaches_every_worker(redis_url: str) -> None:
    """Knowledge about success rules reaches every worker with the next exchange, later workers too."""
    async with workers(redis_url, 3) as (one, two, three):
        one.rules, two.rules = frozenset({b"w\x00\xff345678"}), frozenset({b"p12345678"})
        for each in (one, two, one):
            await each.once()

        assert [set(each.news[-1].rules) for each in (one, two)] == [{b"w\x00\xff345678", b"p12345678"}] * 2
        assert set((await three.once()).rules) == {b"w\x00\xff345678", b"p12345678"}


async def test_a_store_that_was_emptied_is_told_of_rules_again(redis_url: str, operator: redis.Redis) -> None:
    """An emptied store is told of rules again, or a new worker would believe a rule known to be wrong."""
    async with workers(redis_url, 2) as (one, two):
        one.rules = frozenset({b"w12345678"})
        await one.once()
        operator.flushdb()
        await one.once()
        await one.once()

        assert (await two.once()).rules == (b"w12345678",)


async def test_what_is_known_of_rules_is_bounded_and_expires(redis_url: str, operator: redis.Redis) -> None:
    """Rules are bounded to the newest 256, and expire when a device token would."""
    async with workers(redis_url, 1) as (one,):
        for number in range(3):
            one.rules |= {b"w%d %06d" % (number, each) for each in range(100)}
            await one.once()

        assert operator.zcard(KEYS.rules) == 256
        assert 390 * 86_400 < operator.ttl(KEYS.rules) <= 400 * 86_400
