"""Promised: an uncontended attempt costs at most one round trip to Redis, and a shed one none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.ledger import worker_sync as exchange
from tests.asgi.driving import OPEN, Shop, address, guarded, log_in
from tests.store.lines import calls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.wiring import LoginGuard
    from tests.servers import RedisServer

N = 40


@pytest.fixture
async def guard(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LoginGuard]:
    """A warm guard on Redis: connected, its script loaded. Its exchange runs once, so that calls can be counted."""
    monkeypatch.setattr(exchange, "EVERY_S", 3_600.0)
    app = guarded(Shop(), store=redis_url, **{**OPEN, "limit_ip": "20/10minute"})
    await log_in(app, client="198.51.100.1")
    await log_in(app, client="198.51.100.1")
    yield app
    assert app._loops is not None
    await app._loops.stop()


def commands(server: RedisServer) -> int:
    """Redis commands of all clients, except this question and those within scripts."""
    stats: dict[str, Any] = server.cli("INFO", "commandstats")
    asked = {"cmdstat_info", "cmdstat_client|setinfo", "cmdstat_hello", "cmdstat_flushall"}
    inside = ("get", "set", "time", "mget", "pexpire", "del", "hget", "hset", "hdel", "hrandfield", "pttl")
    scripts = {f"cmdstat_{name}" for name in inside}
    return sum(each["calls"] for name, each in stats.items() if name not in asked | scripts)


async def test_a_failing_attempt_is_one_call(guard: LoginGuard, redis_server: RedisServer) -> None:
    """A failing attempt is charged and judged in one call."""
    before = calls(redis_server), commands(redis_server)

    statuses = [(await log_in(guard, f"owner {n}", "guess", client=address(n))).status for n in range(N)]

    assert statuses == [401] * N
    assert calls(redis_server) - before[0] == N
    assert commands(redis_server) - before[1] == N


async def test_a_successful_attempt_is_one_round_trip_too(guard: LoginGuard, redis_server: RedisServer) -> None:
    """A success's settlement is not waited for, and shares the call of the next attempt if there is one."""
    before = calls(redis_server)

    statuses = [(await log_in(guard, client=address(n))).status for n in range(N)]

    assert statuses == [303] * N
    assert N <= calls(redis_server) - before <= 2 * N
    together = calls(redis_server)
    await asyncio.gather(*(log_in(guard, f"owner {n}", "guess", client=address(n)) for n in range(N)))
    assert 1 <= calls(redis_server) - together <= N // 8


async def test_a_shed_attempt_is_none(guard: LoginGuard, redis_server: RedisServer) -> None:
    """A shed address costs Redis nothing."""
    for n in range(25):
        await log_in(guard, f"owner {n}", "guess")
    before = commands(redis_server)

    statuses = {(await log_in(guard, f"owner {n}", "guess")).status for n in range(200)}

    assert statuses == {429}
    assert commands(redis_server) == before


async def test_a_stolen_token_over_its_budget_is_none_either(guard: LoginGuard, redis_server: RedisServer) -> None:
    """R10: a stolen token over its bucket's limit does not make a shed address cost a call."""
    stolen = (await log_in(guard, client="198.51.100.1")).device
    for n in range(45):
        await log_in(guard, "hana", f"guess {n}", token=stolen)
    before = commands(redis_server)

    statuses = {(await log_in(guard, "hana", f"more {n}", token=stolen)).status for n in range(100)}

    assert stolen
    assert statuses == {429}
    assert commands(redis_server) == before


async def test_what_is_no_attempt_is_none(guard: LoginGuard, redis_server: RedisServer) -> None:
    """Other pages, images and methods cost no call."""
    before = commands(redis_server)

    for n in range(N):
        await log_in(guard, path=f"/page/{n}")
        await log_in(guard, method="GET")

    assert commands(redis_server) == before
