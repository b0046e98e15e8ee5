"""`fastapi-limiter` 0.2: three dependencies over `pyrate-limiter`'s Redis buckets."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi_limiter.depends import RateLimiter

from benchmarks.apps import endpoint
from benchmarks.apps.buckets import BucketPerKey, limiter
from benchmarks.apps.respond import response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    await BucketPerKey.load()
    yield


def _limit(attempts: int, minutes: int, key: Callable[[endpoint.Keys], str]) -> Any:
    async def identify(request: Request) -> str:
        return key(endpoint.keys_of(request.headers.raw, await request.body()))

    identifier: Callable[[Request], Awaitable[str]] = identify
    return Depends(RateLimiter(limiter=limiter(attempts, minutes), identifier=identifier))


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
    return response(endpoint.verdict(await request.body()))


@app.get("/reached")
async def _reached() -> Response:
    return Response(endpoint.reached())
