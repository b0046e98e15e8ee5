"""All stores under test: memory, Redis (TCP, unix socket, without functions, Sentinels) and a Cluster; a claim about
one holds for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import redis

from tests.ledger.charges import LIMITS
from tests.ledger.stores import PATIENT_US, InMemory, LuaLedger, in_redis
from tests.ledger.ways import Lua, Parts, Reference

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.ledger.stores import Store
    from tests.ledger.ways import Counts
    from tests.servers import RedisServer


STORES = {
    "memory": ("", ""),
    "tcp": ("redis_url", "redis_server"),
    "unix": ("redis_unix_url", "redis_server"),
    "script": ("redis_without_functions_url", "redis_without_functions"),
    "sentinel": ("sentinel_url", "sentinel_group"),
    "cluster": ("redis_cluster_url", "redis_cluster"),
}


@pytest.fixture(params=list(STORES.values()), ids=list(STORES))
async def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    for module in ("connection", "cluster"):
        monkeypatch.setattr(f"sekisho.store.{module}.CONNECT_US", PATIENT_US)
    url, server = request.param
    if not url:
        yield InMemory()
        return
    async with in_redis(request.getfixturevalue(url), request.getfixturevalue(server)) as found:
        yield found


@pytest.fixture(scope="module")
def lua(redis_server: RedisServer) -> Iterator[LuaLedger]:
    """The script alone, called directly."""
    found = LuaLedger(redis_server, LIMITS)
    yield found
    found.close()


@pytest.fixture(scope="module")
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A client to inspect what the script has written."""
    with redis.Redis(unix_socket_path=str(redis_server.socket_path)) as found:
        yield found


@pytest.fixture(params=["reference", "lua", "parts"])
def counts(request: pytest.FixtureRequest, redis_server: RedisServer) -> Iterator[Counts]:
    redis_server.cli("FLUSHALL")
    if request.param == "reference":
        yield Reference()
    else:
        made = Lua(redis_server) if request.param == "lua" else Parts(redis_server)
        yield made
        (made.lua if isinstance(made, Lua) else made.parted.lua).close()
