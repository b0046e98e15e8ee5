"""`throttled-py`, asynchronous, GCRA: one limiter per dimension, asked one after the other."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from throttled.asyncio import RateLimiterType, Throttled, rate_limiter, store

from benchmarks.apps import endpoint

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from benchmarks.apps.endpoint import Receive, Send

_store = store.RedisStore(server=os.environ["BENCH_STORE"])


def _limit(attempts: int, minutes: int) -> Throttled:
    quota = rate_limiter.per_duration(timedelta(minutes=minutes), attempts, burst=attempts)
    return Throttled(using=RateLimiterType.GCRA.value, quota=quota, store=_store)


_by_address, _by_account, _by_device = _limit(20, 10), _limit(5, 5), _limit(30, 10)


async def _allowed(keys: endpoint.Keys) -> bool:
    return not (
        (await _by_address.limit(f"ip:{keys.address}")).limited
        or (await _by_account.limit(f"account:{keys.account}")).limited
        or (await _by_device.limit(f"device:{keys.device}")).limited
    )


async def _login(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    body = await endpoint.read(receive)
    allowed = await _allowed(endpoint.keys_of(scope["headers"], body))
    await endpoint.answer(send, endpoint.verdict(body) if allowed else endpoint.REFUSED)


app = endpoint.Service(_login)
