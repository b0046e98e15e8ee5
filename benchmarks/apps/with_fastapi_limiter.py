"""`fastapi-limiter` 0.2: three dependencies over `pyrate-limiter`'s Redis buckets.

A bucket there is one key, so each key gets its own by a factory, as pyrate-limiter's documentation has it; they are not
kept or leaked in the background, which is cheaper than what it describes.
"""

from __future__ import annotations

import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi_limiter.depends import RateLimiter
from pyrate_limiter import BucketFactory, Duration, Limiter, Rate, RateItem, RedisBucket
from pyrate_limiter.buckets.redis_bucket import LuaScript
from redis.asyncio import Redis

from benchmarks.apps import endpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

_redis = Redis.from_url(os.environ["BENCH_STORE"])


class _BucketPerKey(BucketFactory):
    script = ""

    def __init__(self, rate: Rate) -> None:
        self._rates = [rate]

    def wrap_item(self, name: str, weight: int = 1) -> RateItem:
        return RateItem(name, time.time_ns() // 1_000_000, weight=weight)

    def get(self, item: RateItem) -> RedisBucket:
        return RedisBucket(self._rates, _redis, item.name, self.script)


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    _BucketPerKey.script = await _redis.script_load(LuaScript.PUT_ITEM)
    yield


def _limit(attempts: int, minutes: int, key: Callable[[endpoint.Keys], str]) -> Any:
    async def identify(request: Request) -> str:
        return key(endpoint.keys_of(request.headers.raw, await request.body()))

    limiter = Limiter(_BucketPerKey(Rate(attempts, Duration.MINUTE * minutes)))
    identifier: Callable[[Request], Awaitable[str]] = identify
    return Depends(RateLimiter(limiter=limiter, identifier=identifier))


app = FastAPI(lifespan=_lifespan)


@app.post(
    "/login",
    dependencies=[
        _limit(20, 10, lambda keys: f"ip:{keys.address}"),
        _limit(5, 5, lambda keys: f"account:{keys.account}"),
        _limit(30, 10, lambda keys: f"device:{keys.device}"),
    ],
)
async def _login(request: Request) -> Response:
    said = endpoint.verdict(await request.body())
    response = Response(said.body, said.status)
    response.raw_headers = list(said.headers)
    return response


@app.get("/reached")
async def _reached() -> Response:
    return Response(endpoint.reached())
