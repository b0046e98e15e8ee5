"""The line to the current primary that real Sentinels name, before and after a failover."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import pytest

from sekisho.model import StoreUnavailable
from sekisho.settings.store import Several
from sekisho.store import sentinel as sentinel_module
from sekisho.store.sentinel import SentinelLine
from tests.servers import free_port
from tests.store.lines import DEADLINE_US, SLACK_S, Watched, counted, question, until, watched
from tests.store.proxy import Said

if TYPE_CHECKING:
    from tests.server_groups import SentinelGroup
    from tests.servers import RedisServer

DEADLINE_S = DEADLINE_US / 1e6
PATIENT_US = 5_000_000
SENTINEL_RIGHTS = ("+sentinel|get-master-addr-by-name", "+subscribe")


async def test_the_primary_is_found_and_asked(sentinel_group: SentinelGroup, sentinel_url: str) -> None:
    """The Sentinels' primary is used, with batches, answers and commands of any line."""
    async with watched(sentinel_url, deadline_us=PATIENT_US) as found:
        assert await asyncio.gather(*[found.ask(n) for n in range(300)]) == [question(n) for n in range(300)]
        assert await found.line.execute(b"GET", b"counted") == b"300"
        assert found.turns == [True]

    assert counted(sentinel_group.primary) == 300


async def test_one_sentinel_that_answers_is_enough(sentinel_group: SentinelGroup) -> None:
    """One answering Sentinel of several is enough, and is asked first from then on."""
    gone = ",".join(f"127.0.0.1:{free_port()}" for _ in range(3))
    url = f"redis+sentinel://{gone},127.0.0.1:{sentinel_group.sentinels[2].port}/{sentinel_group.service}"
    async with watched(url, deadline_us=PATIENT_US) as found:
        assert await found.ask(3) == question(3)


async def test_more_sentinels_than_are_asked_at_once(sentinel_group: SentinelGroup) -> None:
    """In a long list whose last Sentinel alone exists, the second attempt to connect reaches it."""
    gone = ",".join(f"127.0.0.1:{free_port()}" for _ in range(6))
    url = f"redis+sentinel://{gone},127.0.0.1:{sentinel_group.sentinels[0].port}/{sentinel_group.service}"
    found = Watched(url)
    try:
        await found.recovers()
    finally:
        await found.line.aclose()


@pytest.mark.parametrize("service", ["nobodys", "ledge"])
async def test_a_service_that_no_sentinel_knows_is_a_lost_store(sentinel_group: SentinelGroup, service: str) -> None:
    """A service unknown to the Sentinels is a lost store: reported in time, without a crash."""
    found = Watched(sentinel_group.url.replace(sentinel_group.service, service))
    try:
        assert await found.fails() < DEADLINE_S + SLACK_S
        await until(lambda: found.turns == [False])
    finally:
        await found.line.aclose()


async def test_a_replica_is_never_asked(sentinel_group: SentinelGroup, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named server is asked for its role: a Sentinel that missed a failover names the old primary."""
    replica = next(server for server in sentinel_group.servers if server is not sentinel_group.primary)
    truth = SentinelLine._ask_sentinel
    lies = 2

    async def late(line: SentinelLine, sentinel: tuple[str, int]) -> tuple[str, int]:
        nonlocal lies
        lies -= 1
        return ("127.0.0.1", replica.port) if lies >= 0 else await truth(line, sentinel)

    monkeypatch.setattr(SentinelLine, "_ask_sentinel", late)
    replica.cli("CONFIG", "RESETSTAT")
    async with watched(sentinel_group.url, deadline_us=PATIENT_US) as found:
        assert await found.ask(3) == question(3)

    assert lies < 0
    stats = replica.cli("INFO", "commandstats")
    assert "cmdstat_role" in stats
    assert not {"cmdstat_eval", "cmdstat_evalsha"} & stats.keys()


async def test_closing_leaves_nothing_behind(sentinel_group: SentinelGroup, sentinel_url: str) -> None:
    """Closing leaves no task and no socket to servers or Sentinels, and reports no loss."""
    found = Watched(sentinel_url, deadline_us=PATIENT_US)
    await found.recovers()
    await found.ask()

    await found.line.aclose()
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert found.turns == [True]
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(found.ask(), 1)
    gc.collect()  # an open socket warns here, and warnings are errors


async def test_the_rights_that_it_needs_are_these(sentinel_group: SentinelGroup, sentinel_url: str) -> None:
    """The server's user needs the usual rights and `ROLE`; the Sentinels' user may ask and subscribe."""
    server = ("on", ">word", "~*", "resetchannels", "-@all", "+role", "+eval", "+evalsha", "+incr", "+expire")
    sentinel = ("on", ">other", "resetchannels", "&+switch-master", "-@all", *SENTINEL_RIGHTS)
    for each in sentinel_group.servers:
        each.cli("ACL", "SETUSER", "guard", *server)
    for each in sentinel_group.sentinels:
        each.cli("ACL", "SETUSER", "asks", *sentinel)
        each.cli("ACL", "SETUSER", "default", "-subscribe")
    url = sentinel_url.replace("//", "//guard:word@") + "?sentinel_username=asks&sentinel_password=other"
    try:
        async with watched(url, deadline_us=PATIENT_US) as found:
            assert await found.ask(3) == question(3)
            await until(lambda: any("cmd=subscribe" in each.cli("CLIENT", "LIST") for each in sentinel_group.sentinels))
            assert found.turns == [True]
    finally:
        for each in sentinel_group.sentinels:
            each.cli("ACL", "SETUSER", "default", "+subscribe")


# Failovers.


@pytest.mark.parametrize("how", ["kill", "pause"])
async def test_after_a_failover_the_new_primary_is_asked(frail_sentinels: SentinelGroup, how: str) -> None:
    """After a killed or silent primary callers are told in time; its successor gets the settlements in between."""
    lost = frail_sentinels.primary
    async with watched(frail_sentinels.url) as found:
        await found.is_answered(b"before")
        await until(lambda: lost.cli("WAIT", 2, 1_000) == 2)
        getattr(lost, how)()
        assert await found.fails() < DEADLINE_S + SLACK_S
        found.tell(2, (b"told",))

        await asyncio.wait_for(found.up.wait(), 20)
        await found.recovers()

        successor = frail_sentinels.primary
        assert successor is not lost
        assert counted(successor, b"before") >= 1
        # The question sent to the paused primary ran there, if at all, and so did settlements that were sent to it.
        assert counted(successor) == 0
        assert counted(successor, b"told") in ({1} if how == "kill" else {0, 1})


async def test_a_primary_that_still_answers_is_left_when_another_is_chosen(frail_sentinels: SentinelGroup) -> None:
    """+switch-master: a primary that still answers is left, as a worker would count alone there."""
    old = frail_sentinels.primary
    async with watched(frail_sentinels.url) as found:
        await found.is_answered(b"before")
        frail_sentinels.sentinels[0].cli("SENTINEL", "FAILOVER", frail_sentinels.service)
        await until(lambda: frail_sentinels.primary is not old)
        await found.recovers()
        async with asyncio.timeout(10):
            while counted(frail_sentinels.primary, b"late") == 0:
                await found.is_answered(b"late")

        assert frail_sentinels.primary is not old


async def test_the_news_alone_ends_the_connection(
    redis_url: str, redis_server: RedisServer, own_redis_server: RedisServer
) -> None:
    """A primary outside the Sentinels' reach that still answers us is left when they report a switch, and only then."""
    async with (
        Said(own_redis_server.port) as sentinel,
        watched(sentinel.service_url, deadline_us=PATIENT_US) as found,
    ):
        await until(lambda: sentinel.confirmed > 0)
        sentinel.publish(b"another 127.0.0.1 1 127.0.0.1 2")
        assert await found.ask(1) == question(1)
        sentinel.named = redis_server.port
        assert await found.ask(2) == question(2)
        assert found.turns == [True]

        sentinel.publish(b"ledger 127.0.0.1 1 127.0.0.1 2")
        await asyncio.wait_for(found.down.wait(), 5)
        await found.recovers()
        assert await found.ask(3) == question(3)

    assert (counted(own_redis_server), counted(redis_server)) == (2, 1)


async def test_a_switch_before_anybody_listened_is_noticed(
    redis_url: str, redis_server: RedisServer, own_redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A switch announced while no Sentinel was subscribed is noticed: the next Sentinel is asked."""
    monkeypatch.setattr(sentinel_module, "LISTEN_US", 50_000)
    async with (
        Said(own_redis_server.port) as sentinel,
        watched(sentinel.service_url, deadline_us=PATIENT_US) as found,
    ):
        sentinel.named = redis_server.port
        await asyncio.wait_for(found.down.wait(), 5)
        await found.recovers()
        assert await found.ask(3) == question(3)

    assert counted(redis_server) == 1


async def test_a_demoted_primary_is_left_at_its_first_refusal(frail_sentinels: SentinelGroup) -> None:
    """READONLY: the Sentinels are asked again until the server that they name has the role of a primary."""
    old = frail_sentinels.primary
    async with watched(frail_sentinels.url) as found:
        await found.ask(1)
        old.cli("REPLICAOF", "127.0.0.1", free_port())
        for _ in range(5):
            assert await found.fails() < DEADLINE_S + SLACK_S

        old.cli("REPLICAOF", "NO", "ONE")
        await found.is_answered()
        assert counted(old) == 1


def test_the_url_of_the_group_is_one_that_settings_let_pass(sentinel_group: SentinelGroup) -> None:
    """The tests' URL is one that the settings accept."""
    assert len(Several.of(sentinel_group.url).hosts) == 3
