"""`pyrate-limiter`, asynchronous, raw ASGI: three limiters asked one after the other.

By `try_acquire` without blocking, because `try_acquire_async` lets only one request at a time ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.apps import endpoint
from benchmarks.apps.buckets import BucketPerKey, limiter

if TYPE_CHECKING:
    from collections.abc import Awaitable, MutableMapping

    from pyrate_limiter import Limiter

    from benchmarks.apps.endpoint import Receive, Send

_by_address, _by_account, _by_device = limiter(20, 10), limiter(5, 5), limiter(30, 10)


async def _acquire(limiter: Limiter, name: str) -> bool:
    acquired = limiter.try_acquire(name, blocking=False)
    asked: Awaitable[bool] = acquired  # it is one, where the client is asynchronous
    return await asked


async def _login(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    if not BucketPerKey.script:
        await BucketPerKey.load()
    body = await endpoint.read(receive)
    keys = endpoint.keys_of(scope["headers"], body)
    allowed = (
        await _acquire(_by_address, f"ip:{keys.address}")
        and await _acquire(_by_account, f"account:{keys.account}")
        and await _acquire(_by_device, f"device:{keys.device}")
    )
    await endpoint.answer(send, endpoint.verdict(body) if allowed else endpoint.REFUSED)


app = endpoint.Service(_login)
