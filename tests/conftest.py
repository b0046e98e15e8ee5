"""Fixtures for all tests: a real, empty Redis among others, and Hypothesis's profiles."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import uvloop
from hypothesis import HealthCheck, settings

from tests.browser import browsing
from tests.mariadb import MariaServer
from tests.owners.postgres import PostgresServer
from tests.server_groups import RedisCluster, SentinelGroup
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

    from playwright.async_api import Browser

# On a shared machine deadlines fail at random. `ci` gives one verdict per commit; `dev` keeps
# searching, and `fuzz` does so for long.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "fuzz", deadline=None, max_examples=1_000, print_blob=True, suppress_health_check=list(HealthCheck)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

# Shells let background jobs ignore it, and so would the processes that are interrupted here.
signal.signal(signal.SIGINT, signal.default_int_handler)

# uvicorn's own loop, if installed: its arguments and failures differ from asyncio's.
if os.environ.get("TEST_LOOP") == "uvloop":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


# The longest files by the clock, longest first: started last, one would keep a worker busy when all others are done.
LONG = (
    "tests/test_benchmarks_replay.py",
    "tests/metrics/test_deploy.py",
    "examples/wallet/test_stories.py",
    "tests/owners/test_contract.py",
    "tests/stepup/pages/test_chromium.py",
    "tests/outbox/test_sigkill.py",
    "tests/owners/test_mysql.py",
    "tests/acceptance/test_step_up_in_a_browser.py",
    "tests/owners/test_faults.py",
    "tests/simulate/test_cli.py",
    "tests/matrix/",
    "tests/real/",
    "tests/kit/",
    "tests/simulate/test_demo.py",
    "tests/owners/",
    "tests/upgrade/",
    "tests/launching/",
    "tests/test_start.py",
    "tests/simulate/",
    "tests/breach/test_fetch_",
    "tests/test_quick_start.py",
    "tests/feed/test_fronts.py",
    "tests/test_benchmarks_loadtest.py",
    "tests/store/",
    "tests/doctor/test_service.py",
    "tests/ledger/",
    "tests/stepup/flow/test_relay.py",
    "tests/read/test_collation.py",
    "tests/acceptance/",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several workers: the longest files first."""
    if hasattr(config, "workerinput"):
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """The place of a test's file in `LONG`."""
    return next((turn for turn, start in enumerate(LONG) if item.nodeid.startswith(start)), len(LONG))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collected tests live until the end: no collection of garbage needs to walk them, at a seventh of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes that are not plain text by their argument: workers compare names, and some bytes are random."""
    return argname if isinstance(val, bytes) and not (val.isascii() and val.decode().isprintable()) else None


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One Redis for the whole run. Leave it as it was; to break one, use `own_redis_server`."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One for the whole run; `in_postgres` empties its database for each test."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaServer]:
    """One for the whole run; each test has its own database in it."""
    with MariaServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis_without_functions() -> Iterator[RedisServer]:
    """A Redis without functions, as before version 7 or behind a proxy, for the whole run."""
    with RedisServer("--rename-command", "FUNCTION", "", "--rename-command", "FCALL", "") as server:
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
def redis_without_functions_url(redis_without_functions: RedisServer) -> str:
    """The same, emptied."""
    redis_without_functions.cli("FLUSHALL")
    return redis_without_functions.url


@pytest.fixture
def redis_unix_url(redis_server: RedisServer) -> str:
    """The shared Redis over its unix socket, emptied."""
    redis_server.cli("FLUSHALL")
    return redis_server.unix_url


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    """One Cluster of three primaries and three replicas for the whole run. To break one, use `frail_cluster`."""
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def sentinel_group() -> Iterator[SentinelGroup]:
    """A primary, two replicas and three Sentinels for the whole run. To break them, use `frail_sentinels`."""
    with SentinelGroup() as group:
        yield group


@pytest.fixture
def redis_cluster_url(redis_cluster: RedisCluster) -> str:
    """The shared Cluster, emptied."""
    redis_cluster.each("FLUSHALL")
    return redis_cluster.url


@pytest.fixture
def sentinel_url(sentinel_group: SentinelGroup) -> str:
    """The shared servers behind Sentinels, emptied."""
    sentinel_group.each("FLUSHALL")
    return sentinel_group.url


@pytest.fixture(scope="session")
def _frail_cluster() -> Iterator[RedisCluster]:
    with RedisCluster(timeout_ms=1_000) as cluster:
        yield cluster


@pytest.fixture
def frail_cluster(_frail_cluster: RedisCluster) -> Iterator[RedisCluster]:
    """An empty Cluster to be broken: it detects failures soon, and is repaired after each test."""
    _frail_cluster.mend()
    _frail_cluster.empty()
    yield _frail_cluster
    _frail_cluster.mend()


@pytest.fixture
def frail_sentinels() -> Iterator[SentinelGroup]:
    """Servers behind Sentinels for one test: they detect failures soon and take long to recover."""
    with SentinelGroup(timeout_ms=500) as group:
        group.empty()
        yield group


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for the whole run, in the session's event loop; each visit has its own profile."""
    async with browsing() as opened:
        yield opened


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore this machine's proxy, which is not under test."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
