"""What every test may ask for: a real Redis, empty, and how hard Hypothesis should try."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

# A shared machine makes deadlines a coin toss. `ci` gives the same verdict for the same commit; `dev` keeps looking.
settings.register_profile("dev", deadline=None)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One Redis for the whole run. Leave it as you found it; to break one, take `own_redis_server`."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def own_redis_server() -> Iterator[RedisServer]:
    """A Redis for one test alone, to be paused, killed and restarted."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The shared Redis over TCP, emptied."""
    redis_server.cli("FLUSHALL")
    return redis_server.url


@pytest.fixture
def redis_unix_url(redis_server: RedisServer) -> str:
    """The shared Redis over its unix socket, emptied."""
    redis_server.cli("FLUSHALL")
    return redis_server.unix_url


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever proxy this machine has is not what is tested."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
