"""`pyrate-limiter`'s Redis buckets, one for each key, made by a factory as its documentation has it.

They are not kept or leaked in the background, which is cheaper than what it describes. The sliding window log, its
default: its GCRA registers a script anew for every key, and took a tenth longer.
"""

from __future__ import annotations

import os
import time

from pyrate_limiter import BucketFactory, Duration, Limiter, Rate, RateItem, RedisBucket
from pyrate_limiter.buckets.redis_bucket import LuaScript
from redis.asyncio import Redis

_redis = Redis.from_url(os.environ["BENCH_STORE"])


class BucketPerKey(BucketFactory):
    script = ""

    def __init__(self, rate: Rate) -> None:
        self._rates = [rate]

    @classmethod
    async def load(cls) -> None:
        """To be awaited before the first request."""
        cls.script = await _redis.script_load(LuaScript.PUT_ITEM)

    def wrap_item(self, name: str, weight: int = 1) -> RateItem:
        return RateItem(name, time.time_ns() // 1_000_000, weight=weight)

    def get(self, item: RateItem) -> RedisBucket:
        return RedisBucket(self._rates, _redis, item.name, self.script)


def limiter(attempts: int, minutes: int) -> Limiter:
    return Limiter(BucketPerKey(Rate(attempts, Duration.MINUTE * minutes)))
