"""The line to a failing Redis: every question ends in time, nothing runs twice, and the line recovers by itself."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
import redis

from sekisho.model import StoreUnavailable
from sekisho.store import connection as line_module
from sekisho.store.health import Health
from tests.store.lines import DEADLINE_US, SLACK_S, Watched, counted, question, until, watched
from tests.store.proxy import Odd, Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.servers import RedisServer

DEADLINE_S = DEADLINE_US / 1e6
AT_ONCE_S = DEADLINE_S / 2


@pytest.fixture
async def proxy(redis_url: str, redis_server: RedisServer) -> AsyncIterator[Proxy]:
    async with Proxy(redis_server) as found:
        yield found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up and retry a silent connection after 0.2 s instead of one: the same behaviour, faster."""
    monkeypatch.setattr(line_module, "STALL_US", 200_000)
    monkeypatch.setattr(line_module, "CONNECT_US", 200_000)
    monkeypatch.setattr(line_module, "BACKOFF_US", (20_000, 50_000))


# Killed, paused, back.


async def test_a_killed_redis_is_noticed_and_found_again(own_redis_server: RedisServer) -> None:
    """Row 96: after a kill callers are told at once, and the line recovers by itself when Redis is back."""
    async with watched(own_redis_server.url) as found:
        own_redis_server.kill()
        await asyncio.wait_for(found.down.wait(), 5)
        assert [await found.fails() < AT_ONCE_S for _ in range(3)] == [True] * 3

        own_redis_server.start()
        await found.recovers()

        assert await found.ask(5) == question(5)


async def test_a_redis_that_was_never_there_is_found_when_it_comes(own_redis_server: RedisServer) -> None:
    """A service may start before its store, which is found when it comes."""
    own_redis_server.kill()
    found = Watched(own_redis_server.url)
    try:
        assert await found.fails() < DEADLINE_S + SLACK_S
        own_redis_server.start()
        await found.recovers()
        assert found.turns == [False, True]
    finally:
        await found.line.aclose()


async def test_a_paused_redis_costs_one_deadline(own_redis_server: RedisServer) -> None:
    """Row 96: a paused Redis costs the first caller the deadline, later ones nothing; resumed, it is used again."""
    async with watched(own_redis_server.url) as found:
        own_redis_server.pause()
        assert DEADLINE_S * 0.9 < await found.fails() < DEADLINE_S + SLACK_S
        assert [await found.fails() < AT_ONCE_S for _ in range(3)] == [True] * 3

        own_redis_server.resume()
        await found.recovers()
        await found.ask()

        assert counted(own_redis_server) == 2
        assert found.turns == [True, False, True]


async def test_a_redis_paused_for_long_is_found_again(own_redis_server: RedisServer, impatient: None) -> None:
    """A Redis paused for long is found again over a new connection, and written operations are not repeated."""
    async with watched(own_redis_server.url) as found:
        own_redis_server.pause()
        await found.fails()
        await asyncio.sleep(0.6)

        own_redis_server.resume()
        await found.recovers()

        assert counted(own_redis_server) == 1


# A faulty wire.


async def test_a_black_hole_gets_another_connection(proxy: Proxy, redis_server: RedisServer, impatient: None) -> None:
    """In a black hole a new connection is made, although the old one was never closed."""
    async with watched(proxy.url) as found:
        before = proxy.connections
        proxy.hold()
        assert await found.fails() < DEADLINE_S + SLACK_S
        await until(lambda: proxy.connections > before)

        proxy.flow()
        await found.recovers()
        assert await found.ask(3) == question(3)


async def test_a_black_hole_from_the_start_gets_another(redis_url: str, proxy: Proxy, impatient: None) -> None:
    """A store that accepts and never answers costs callers one deadline, once."""
    proxy.hold()
    found = Watched(proxy.url)
    try:
        assert await found.fails() < DEADLINE_S + SLACK_S
        assert await found.fails() < AT_ONCE_S
        proxy.flow()
        await found.recovers()
    finally:
        await found.line.aclose()


@pytest.mark.parametrize("reply_bytes", [0, 1, 5, 12])
async def test_a_reply_that_is_cut_answers_no_caller(proxy: Proxy, redis_server: RedisServer, reply_bytes: int) -> None:
    """If a batch's reply is cut, its callers are told that the store is gone, and nothing is sent again."""
    async with watched(proxy.url) as found:
        proxy.cut(reply_bytes)
        answers = await asyncio.wait_for(asyncio.gather(*[found.ask(n) for n in range(9)], return_exceptions=True), 5)
        assert {type(answer) for answer in answers} == {StoreUnavailable}

        proxy.flow()
        await found.recovers()

        assert await found.ask(5) == question(5)
        assert counted(redis_server) == 9 + 1


async def test_a_reset_ends_all_waiting_at_once(proxy: Proxy, redis_server: RedisServer) -> None:
    """A reset ends all waiting callers at once, and written operations are never repeated."""
    async with watched(proxy.url) as found:
        proxy.hold()
        asks = [found.ask(n) for n in range(300)]
        await found.written()
        proxy.reset()
        start = asyncio.get_running_loop().time()
        answers = await asyncio.gather(*asks, return_exceptions=True)
        assert asyncio.get_running_loop().time() - start < AT_ONCE_S
        assert {type(answer) for answer in answers} == {StoreUnavailable}

        proxy.flow()
        await found.recovers()
        await found.ask()

        assert counted(redis_server) == 1


async def test_what_was_never_written_is_never_counted(
    proxy: Proxy, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operation never written is never counted later: its attempt was judged without the store."""
    monkeypatch.setattr(line_module, "IN_FLIGHT_MAX", 1)
    async with watched(proxy.url) as found:
        proxy.hold()
        first = found.ask(1)
        await found.written()
        others = [found.ask(n) for n in range(50)]
        await asyncio.wait([first, *others])
        assert all(isinstance(ask.exception(), StoreUnavailable) for ask in (first, *others))

        proxy.flow()
        await found.recovers()

        assert counted(redis_server) == 1


async def test_a_silent_store_is_sent_no_more_than_eight_calls(proxy: Proxy, redis_server: RedisServer) -> None:
    """A silent store is sent eight calls at most: the rest can still be judged without it and dropped."""
    async with watched(proxy.url) as found:
        proxy.hold()
        asks = [found.ask(n) for n in range(20 * 128)]
        await asyncio.wait(asks)
        assert all(isinstance(ask.exception(), StoreUnavailable) for ask in asks)

        proxy.flow()
        await found.recovers()

        assert counted(redis_server) == 8 * 128


async def test_sixty_resets_in_a_row(proxy: Proxy, redis_server: RedisServer, impatient: None) -> None:
    """Through sixty resets every question ends: answered ones ran once, others at most once, and nothing leaks."""
    async with watched(proxy.url) as found:
        asked = answered = 0
        for round_ in range(60):
            asks = [found.ask(n) for n in range(20)]
            asked += len(asks)
            for _ in range(round_ % 7):
                await asyncio.sleep(0)
            proxy.reset()
            done = await asyncio.wait_for(asyncio.gather(*asks, return_exceptions=True), 5)
            answered += sum(isinstance(answer, bytes) for answer in done)
            if round_ % 5 == 0:
                await found.recovers()
        await found.recovers()

        assert answered <= counted(redis_server) <= asked


# Settlements.


async def test_settlements_are_kept_while_the_store_is_gone(own_redis_server: RedisServer) -> None:
    """Settlements (refunds of successes) made while the store is gone arrive once each when it is back."""
    async with watched(own_redis_server.url) as found:
        own_redis_server.kill()
        await asyncio.wait_for(found.down.wait(), 5)
        for number in range(500):
            found.tell(number)

        own_redis_server.start()
        await found.recovers()
        await found.ask()

        assert counted(own_redis_server) == 501


async def test_settlements_are_kept_within_a_bound(
    own_redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settlements are bounded and the newest kept: an old refund's charge has drained by then."""
    monkeypatch.setattr(line_module, "KEPT_MAX", 50)
    async with watched(own_redis_server.url) as found:
        own_redis_server.kill()
        await asyncio.wait_for(found.down.wait(), 5)
        for number in range(80):
            found.tell(number, (b"old" if number < 30 else b"new",))

        own_redis_server.start()
        await found.recovers()
        await found.ask()

        assert (counted(own_redis_server, b"old"), counted(own_redis_server, b"new")) == (0, 50)


async def test_a_question_pushed_out_of_the_queue_is_refused(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question pushed out of a silent store's queue by settlements is refused, not forgotten."""
    monkeypatch.setattr(line_module, "IN_FLIGHT_MAX", 1)
    monkeypatch.setattr(line_module, "KEPT_MAX", 3)
    async with watched(proxy.url) as found:
        proxy.hold()
        first = found.ask(1)
        await found.written()
        await asyncio.sleep(DEADLINE_S / 2)
        second = found.ask(2)
        await asyncio.wait([first])
        assert not found.line.answers
        for number in range(10):
            found.tell(number)

        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(second, DEADLINE_S + SLACK_S)


async def test_replies_after_one_that_ends_the_connection_are_dropped(proxy: Proxy) -> None:
    """CVE-2023-28859: replies after one that ends the connection are dropped, or earlier callers would get them."""
    async with watched(proxy.url) as found:
        proxy.hold()
        asked = []
        for number in (1, 2):
            asked.append(found.ask(number))
            await until(lambda: len(found.line._in_flight) == len(asked))
        assert found.line._wire
        found.line._wire.data_received(b"-OOM command not allowed\r\n")
        found.line._wire.data_received(b"$8\r\n%b\r\n" % question(2))
        answers = await asyncio.gather(*asked, return_exceptions=True)

    assert [type(answer) for answer in answers] == [StoreUnavailable, StoreUnavailable]


async def test_settlements_whose_script_was_flushed_outlive_the_connection(
    redis_url: str, proxy: Proxy, redis_server: RedisServer
) -> None:
    """NOSCRIPT means that nothing ran: if the connection breaks before the retry, settlements go over the next one."""
    async with watched(proxy.url) as found:
        redis_server.cli("SCRIPT", "FLUSH")
        for number in range(10):
            found.tell(number)
        await until(lambda: bool(found.line._intake.calls))
        assert found.line._wire
        found.line._wire.connection_lost(None)
        await found.recovers()
        await found.ask()

        assert counted(redis_server) == 11


async def test_closing_on_a_dead_store_is_quick(own_redis_server: RedisServer) -> None:
    """Closing does not wait for a store that is gone."""
    found = Watched(own_redis_server.url)
    await found.recovers()
    own_redis_server.pause()
    asks = [found.ask(n) for n in range(5)]
    found.tell()
    start = asyncio.get_running_loop().time()

    await found.line.aclose()

    assert asyncio.get_running_loop().time() - start < DEADLINE_S + SLACK_S
    answers = await asyncio.wait_for(asyncio.gather(*asks, return_exceptions=True), 1)
    assert {type(answer) for answer in answers} == {StoreUnavailable}


async def test_a_loop_that_is_kept_busy_is_no_lost_store(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """On a loop blocked for a quarter of a second, unread answers cost no caller a refusal, and the store is not
    blamed.
    """
    async with watched(redis_server.url) as found:
        answers = [asyncio.ensure_future(_wait_for(found.ask(number))) for number in range(4)]
        while not all(answer.done() for answer in answers):
            time.sleep(0.25)  # noqa: ASYNC251 - as an application does that hashes on the loop
            await asyncio.sleep(0)

        assert [await answer for answer in answers] == [question(number) for number in range(4)]
        assert found.turns == [True]
    assert "does not answer" not in caplog.text


def test_a_busy_loop_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """A busy loop is logged once, with its delay, if it is long enough."""
    health = Health(lambda *_: pytest.fail("nothing has recovered"))

    for turn_s in (0.03, 0.25, 0.4):
        health.busy(turn_s)

    assert [record.getMessage()[:42] for record in caplog.records] == ["the event loop was kept busy for 250 ms, s"]


async def _wait_for(answer: asyncio.Future[bytes]) -> bytes:
    return await answer


# A Redis that refuses.

REFUSALS = {
    "out of memory": (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]),
    "a replica": (["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]),
    "no right to run scripts": (["ACL", "SETUSER", "default", "-@scripting"], ["ACL", "SETUSER", "default", "+@all"]),
    "no right to write": (["ACL", "SETUSER", "default", "-incr"], ["ACL", "SETUSER", "default", "+@all"]),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_redis_that_refuses_is_a_lost_store(own_redis_server: RedisServer, impatient: None, name: str) -> None:
    """Row 97: a Redis that refuses is a lost store: reported at once without a crash, and used again when it works."""
    refuse, allow = REFUSALS[name]
    async with watched(own_redis_server.url) as found:
        own_redis_server.cli(*refuse)
        for _ in range(5):
            assert await found.fails() < DEADLINE_S + SLACK_S

        own_redis_server.cli(*allow)
        await found.recovers()
        assert await found.ask(5) == question(5)


async def test_a_wrong_password_is_a_lost_store(own_redis_server: RedisServer, impatient: None) -> None:
    """A wrong password is a lost store; when the server gets that password the line connects by itself."""
    with redis.Redis(port=own_redis_server.port) as operator:
        operator.config_set("requirepass", "right")
        found = Watched(own_redis_server.url.replace("redis://", "redis://:wrong@"))
        try:
            assert await found.fails() < DEADLINE_S + SLACK_S
            assert await found.fails() < AT_ONCE_S
            assert found.turns == [False]
            operator.config_set("requirepass", "wrong")
            await found.recovers()
        finally:
            await found.line.aclose()


# A server that is no Redis.

ODD = {
    "not the size that was asked for": b"$3\r\nabc\r\n",
    "a number": b":7\r\n",
    "nil": b"$-1\r\n",
    "a list": b"*1\r\n$1\r\na\r\n",
    "two answers": b"$8\r\n?0000000\r\n$8\r\n?0000001\r\n",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "nothing, and the end": b"",
    "an endless line": b"+" + b"x" * 100_000,
}


@pytest.mark.parametrize("name", ODD)
async def test_any_reply_ends_every_question_in_time(
    name: str, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    """For any reply of the server every question ends in time with its own answer or none, and a recovered server is
    used.
    """
    async with Odd(ODD[name]) as server:
        found = Watched(server.url)
        try:
            for _ in range(3):
                await asyncio.wait([ask := found.ask()], timeout=5)
                assert ask.done()
                assert ask.exception() is not None or ask.result() == question(0)
            server.odd = None
            await found.recovers()
            assert await found.ask(5) == question(5)
        finally:
            await found.line.aclose()
    assert "?000" not in caplog.text
