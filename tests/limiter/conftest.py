"""Memory, Redis by TCP, Redis by unix socket: what is claimed of one is claimed of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.limiter.stores import InMemory, in_redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.limiter.stores import Store


@pytest.fixture(params=["memory", "redis_url", "redis_unix_url"], ids=["memory", "tcp", "unix"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield InMemory()
        return
    async with in_redis(request.getfixturevalue(request.param)) as found:
        yield found
