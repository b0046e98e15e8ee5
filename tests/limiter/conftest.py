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
    "memory": ("", ""),
    "tcp": ("redis_url", "redis_server"),
    "unix": ("redis_unix_url", "redis_server"),
    "script": ("redis_without_functions_url", "redis_without_functions"),
    "sentinel": ("sentinel_url", "sentinel_group"),
    "cluster": ("redis_cluster_url", "redis_cluster"),
}


@pytest.fixture(params=list(STORES.values()), ids=list(STORES))
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    url, server = request.param
    if not url:
        yield InMemory()
        return
    async with in_redis(request.getfixturevalue(url), request.getfixturevalue(server)) as found:
        yield found
