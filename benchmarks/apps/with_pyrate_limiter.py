"""`pyrate-limiter`, asynchronous, GCRA: a `StateBucket` a key, in Redis by its `RedisStateStore`.

As its documentation has it for many keys: a factory makes the bucket of each. `try_acquire` without blocking, because
`try_acquire_async` would let only one request at a time ask.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from pyrate_limiter import BucketFactory, Duration, Limiter, Rate, RateItem, RedisStateStore, StateBucket
from redis.asyncio import Redis

from benchmarks.apps import endpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, MutableMapping

    from benchmarks.apps.endpoint import Receive, Send

_redis = Redis.from_url(os.environ["BENCH_STORE"])


class _BucketPerKey(BucketFactory):
    def __init__(self, rate: Rate) -> None:
        self._rates = [rate]

    def wrap_item(self, name: str, weight: int = 1) -> RateItem:
        return RateItem(name, time.time_ns() // 1_000_000, weight=weight)

    def get(self, item: RateItem) -> StateBucket:
        return StateBucket(self._rates, store=RedisStateStore(_redis, item.name))


def _limit(attempts: int, minutes: int) -> Limiter:
    return Limiter(_BucketPerKey(Rate(attempts, Duration.MINUTE * minutes)))


_by_address, _by_account, _by_device = _limit(20, 10), _limit(5, 5), _limit(30, 10)


async def _acquire(limiter: Limiter, name: str) -> bool:
    acquired = limiter.try_acquire(name, blocking=False)
    asked: Awaitable[bool] = acquired  # type: ignore[assignment]  # it is one, where the client is asynchronous
    return await asked


async def _login(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    body = await endpoint.read(receive)
    keys = endpoint.keys_of(scope["headers"], body)
    allowed = (
        await _acquire(_by_address, f"ip:{keys.address}")
        and await _acquire(_by_account, f"account:{keys.account}")
        and await _acquire(_by_device, f"device:{keys.device}")
    )
    await endpoint.answer(send, endpoint.verdict(body) if allowed else endpoint.REFUSED)


app = endpoint.Service(_login)
