"""The script as a Redis function library: called by name where possible, else by `EVALSHA`, without loss."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sekisho.store import Script
from sekisho.store.script import RUN
from tests.servers import RedisServer
from tests.store.lines import ECHO, Watched, calls_by, counted, question, until, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server_groups import RedisCluster, SentinelGroup

LIBRARY = f"local function run(KEYS, ARGV)\n{ECHO}end\n{RUN}"
OTHER = LIBRARY.replace("600", "601")
PATIENT_US = 5_000_000


@pytest.fixture
def server(redis_server: RedisServer) -> Iterator[RedisServer]:
    """The shared Redis, empty, without script and library."""
    redis_server.cli("FLUSHALL")
    redis_server.cli("SCRIPT", "FLUSH")
    redis_server.cli("FUNCTION", "FLUSH")
    yield redis_server
    redis_server.cli("ACL", "SETUSER", "default", "+@all")


async def by_name(found: Watched) -> None:
    """Wait until calls go by name."""
    await until(lambda: found.line._how == found.line._script.by_name)


async def ran(found: Watched, server: RedisServer, asks: int = 20) -> dict[str, int]:
    """Ask in sequence, check each answer, and tell the commands that ran."""
    server.cli("CONFIG", "RESETSTAT")
    for number in range(asks):
        assert await found.ask(number) == question(number)
    return calls_by(server)


async def test_it_is_called_by_its_name(server: RedisServer) -> None:
    async with watched(server.url, script=LIBRARY) as found:
        await by_name(found)

        assert await ran(found, server) == {"fcall": 20}
        assert counted(server) == 20


async def test_what_is_asked_before_it_is_loaded_is_done_by_the_script(server: RedisServer) -> None:
    """Questions before the library is loaded run by the script: without delay, and counted once."""
    server.cli("CONFIG", "RESETSTAT")
    found = Watched(server.url, script=LIBRARY, deadline_us=PATIENT_US)
    try:
        assert await asyncio.gather(*map(found.ask, range(300))) == [question(number) for number in range(300)]
    finally:
        await found.line.aclose()

    assert counted(server) == 300
    assert calls_by(server)["eval"] > 0


async def test_a_flushed_library_is_loaded_again(server: RedisServer) -> None:
    """A flushed library is loaded again: each operation runs once, then by name again."""
    async with watched(server.url, script=LIBRARY, deadline_us=PATIENT_US) as found:
        await by_name(found)
        for turn in range(20):
            answers = [found.ask(number) for number in range(200)]  # in several calls, all of them refused
            server.cli("FUNCTION", "FLUSH")
            assert await asyncio.gather(*answers) == [question(number) for number in range(200)]
            assert counted(server) == 200 * (turn + 1)
        await by_name(found)

        assert await ran(found, server) == {"fcall": 20}


async def test_workers_share_it(server: RedisServer) -> None:
    """Workers share the library: *already exists* is as good as loaded."""
    async with watched(server.url, script=LIBRARY) as one, watched(server.url, script=LIBRARY) as two:
        await by_name(one)
        await by_name(two)

        assert await ran(one, server) == await ran(two, server) == {"fcall": 20}
        assert len(server.cli("FUNCTION", "LIST")) == 1


async def test_workers_of_two_versions_leave_each_other_theirs(server: RedisServer) -> None:
    """Workers of two versions keep a library each: replacing would load them back and forth in a rolling update."""
    async with watched(server.url, script=LIBRARY) as one, watched(server.url, script=OTHER) as two:
        await by_name(one)
        await by_name(two)

        assert await ran(one, server) == await ran(two, server) == await ran(one, server) == {"fcall": 20}
        assert len(server.cli("FUNCTION", "LIST")) == 2


@pytest.mark.parametrize("right", ["function|load", "fcall"])
async def test_without_the_right_the_script_does_it(server: RedisServer, right: str) -> None:
    """Without the right to load or to call functions, the script runs instead."""
    server.cli("ACL", "SETUSER", "default", f"-{right}")
    async with watched(server.url, script=LIBRARY, deadline_us=PATIENT_US) as found:
        await found.ask()
        await until(lambda: not found.line._in_flight and not found.line._intake.calls)
        await found.ask()

        assert await ran(found, server) == {"evalsha": 20}
        assert (counted(server), found.turns) == (22, [True])


async def test_a_server_without_functions_runs_the_script(redis_without_functions: RedisServer) -> None:
    redis_without_functions.cli("FLUSHALL")
    async with watched(redis_without_functions.url, script=LIBRARY) as found:
        await found.ask()

        assert await ran(found, redis_without_functions) == {"evalsha": 20}
        assert found.turns == [True]


async def test_a_server_that_loads_it_and_cannot_call_it_runs_the_script() -> None:
    """With `FCALL` renamed or unknown to a proxy, the script runs: nothing is refused or runs twice, and the connection
    lasts.
    """
    with RedisServer("--rename-command", "FCALL", "") as server:
        async with watched(server.url, script=LIBRARY) as found:
            assert await asyncio.gather(*map(found.ask, range(300))) == [question(number) for number in range(300)]
            await until(lambda: found.line._how == found.line._script.by_digest)

            assert await ran(found, server) == {"evalsha": 20}
            assert counted(server) == 320
            assert found.turns == [True]


async def test_a_server_that_comes_back_empty_is_given_it_again(own_redis_server: RedisServer) -> None:
    async with watched(own_redis_server.url, script=LIBRARY, deadline_us=PATIENT_US) as found:
        await by_name(found)
        own_redis_server.restart()
        await until(found.down.is_set)
        await found.recovers()
        await by_name(found)

        assert await ran(found, own_redis_server) == {"fcall": 20}


async def test_every_node_of_a_cluster_has_it(redis_cluster: RedisCluster, redis_cluster_url: str) -> None:
    redis_cluster.each("FUNCTION", "FLUSH")
    async with watched(redis_cluster_url, script=LIBRARY, deadline_us=PATIENT_US) as found:
        keys = [(b"key%d" % number,) for number in range(60)]
        await asyncio.gather(*[found.ask(number, key) for number, key in enumerate(keys)])
        await until(lambda: all(len(each) == 1 for each in redis_cluster.each("FUNCTION", "LIST")))
        await asyncio.gather(*[found.ask(number, key) for number, key in enumerate(keys)])
        redis_cluster.each("CONFIG", "RESETSTAT")
        await asyncio.gather(*[found.ask(number, key) for number, key in enumerate(keys)])

        assert {name for node in redis_cluster.primaries for name in calls_by(node)} == {"fcall"}


async def test_a_promoted_replica_has_it(frail_sentinels: SentinelGroup) -> None:
    """A promoted replica has the library, which replicates like writes; a lost one is loaded again."""
    async with watched(frail_sentinels.url, script=LIBRARY, deadline_us=PATIENT_US) as found:
        await by_name(found)
        frail_sentinels.primary.kill()
        await until(found.down.is_set)
        await found.recovers()
        await by_name(found)

        assert await ran(found, frail_sentinels.primary) == {"fcall": 20}


def test_a_script_is_named_by_what_it_says() -> None:
    """A script's name is derived from its text, and text without `run` at its end is no library."""
    one, two, none = (Script(source, (), 8) for source in (LIBRARY, OTHER, ECHO))

    assert one.by_name != two.by_name
    assert none.library is None
    assert one.library is not None
    assert one.library.startswith(b"#!lua name=%s\n" % one.by_name[1])
