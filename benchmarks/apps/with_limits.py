"""`limits`, asynchronous, by the strategy that `BENCH_STRATEGY` names: three hits one after the other, as its
documentation awaits them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from limits import parse
from limits.aio.strategies import STRATEGIES
from limits.storage import storage_from_string

from benchmarks.apps import endpoint

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from benchmarks.apps.endpoint import Receive, Send

# redis-py, as everyone else here uses it; the default would be coredis.
_storage = storage_from_string(f"async+{os.environ['BENCH_STORE']}", implementation="redispy")
_limiter = STRATEGIES[os.environ["BENCH_STRATEGY"]](_storage)  # type: ignore[abstract]  # none of them is
_BY_ADDRESS, _BY_ACCOUNT, _BY_DEVICE = parse("20/10minute"), parse("5/5minute"), parse("30/10minute")


async def _login(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    body = await endpoint.read(receive)
    keys = endpoint.keys_of(scope["headers"], body)
    allowed = (
        await _limiter.hit(_BY_ADDRESS, "ip", keys.address)
        and await _limiter.hit(_BY_ACCOUNT, "account", keys.account)
        and await _limiter.hit(_BY_DEVICE, "device", keys.device)
    )
    await endpoint.answer(send, endpoint.verdict(body) if allowed else endpoint.REFUSED)


app = endpoint.Service(_login)
