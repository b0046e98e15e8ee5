"""Memory, Redis by TCP, by unix socket, without functions, behind Sentinels, and a Cluster: what is claimed of one is
claimed of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.limiter.stores import InMemory, in_redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.limiter.stores import Store


STORES = {
    "memory": "memory",
    "tcp": "redis_url",
    "unix": "redis_unix_url",
    "script": "redis_without_functions_url",
    "sentinel": "sentinel_url",
    "cluster": "redis_cluster_url",
}


@pytest.fixture(params=list(STORES.values()), ids=list(STORES))
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield InMemory()
        return
    async with in_redis(request.getfixturevalue(request.param)) as found:
        yield found
