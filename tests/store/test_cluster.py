"""The lines to a real Cluster, healthy and with faults."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, cast

import pytest
from redis.crc import key_slot
from redis.exceptions import ResponseError

from sekisho.model import StoreUnavailable
from sekisho.settings.store import Several
from sekisho.store.batch import packed_keys
from sekisho.store.cluster import read_map
from tests.servers import free_port
from tests.store.lines import DEADLINE_US, SLACK_S, Watched, question, until, watched

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.store.cluster import ClusterLine
    from tests.server_groups import ClusterNode, RedisCluster

KEYS = [b"{%d}" % number for number in range(600)]
DEADLINE_S = DEADLINE_US / 1e6
PATIENT_US = 5_000_000  # in tests that are not about deadlines a slow machine must not matter


def counts(cluster: RedisCluster, keys: Iterable[bytes] = KEYS) -> int:
    """The number of operations on these keys, whether their answers arrived or not."""
    return sum(int(cluster.owner(key).cli("GET", key) or 0) for key in keys)


def total(cluster: RedisCluster) -> int:
    """The same over all keys except those that probe."""
    script = """
    local sum = 0
    for _, key in ipairs(redis.call('KEYS', '*')) do
      if key ~= 'probe' then sum = sum + redis.call('GET', key) end
    end
    return sum
    """
    return sum(cluster.each("EVAL", script, 0))


def of(cluster: RedisCluster, node: ClusterNode, count: int = 60) -> list[bytes]:
    """Keys that live on `node`."""
    first, last = next(
        (first, last) for first, last, primary, *_ in node.cli("CLUSTER", "SLOTS") if primary[1] == node.port
    )
    return [key for key in KEYS if first <= key_slot(key) <= last][:count]


def two(cluster: RedisCluster, key: bytes) -> tuple[ClusterNode, ClusterNode]:
    """The key's primary, and another node."""
    source = cluster.owner(key)
    return source, next(node for node in cluster.primaries if node is not source)


def begin_move(slot: int, source: ClusterNode, target: ClusterNode) -> None:
    target.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
    source.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)


def move_keys(slot: int, source: ClusterNode, target: ClusterNode) -> None:
    while keys := source.cli("CLUSTER", "GETKEYSINSLOT", slot, 100, text=False):
        source.cli("MIGRATE", "127.0.0.1", target.port, "", 0, 5_000, "KEYS", *keys)


def end_move(slot: int, source: ClusterNode, target: ClusterNode) -> None:
    for node in (target, source):
        node.cli("CLUSTER", "SETSLOT", slot, "NODE", target.id)


def move(slot: int, source: ClusterNode, target: ClusterNode) -> None:
    begin_move(slot, source, target)
    move_keys(slot, source, target)
    end_move(slot, source, target)


def there_and_back(places: dict[int, tuple[ClusterNode, ClusterNode]]) -> None:
    """Move slots one by one to the other node and back."""
    for slot, (source, target) in places.items():
        move(slot, source, target)
    for slot, (source, target) in places.items():
        move(slot, target, source)


# A healthy Cluster.


async def test_everybody_gets_their_own_answer(redis_cluster: RedisCluster, redis_cluster_url: str) -> None:
    """Each caller gets its own answer over all slots and nodes, in any order of answers, and each question runs
    once.
    """
    async with watched(redis_cluster_url, deadline_us=PATIENT_US) as found:
        answers = await asyncio.gather(*[found.ask(n, (KEYS[n % 600],)) for n in range(3_000)])

    assert answers == [question(n) for n in range(3_000)]
    assert counts(redis_cluster) == 3_000


async def test_what_shares_a_slot_shares_a_call(redis_cluster: RedisCluster, redis_cluster_url: str) -> None:
    """Operations at one node share a call: a hundred attempts at three slots are three calls."""
    keys = [of(redis_cluster, node, 1)[0] for node in redis_cluster.primaries]
    async with watched(redis_cluster_url, deadline_us=PATIENT_US) as found:
        await asyncio.gather(*[found.ask(0, (key,)) for key in keys])
        redis_cluster.each("CONFIG", "RESETSTAT")
        await asyncio.gather(*[found.ask(n, (keys[n % 3],)) for n in range(99)])

        stats = redis_cluster.each("INFO", "commandstats")
        assert [each["cmdstat_evalsha"]["calls"] for each in stats] == [1, 1, 1]


async def test_a_commands_key_finds_its_node(redis_cluster: RedisCluster, redis_cluster_url: str) -> None:
    """A command's key finds its node: scripts name it after the key count, others after the command. Errors reach the
    caller.
    """
    async with watched(redis_cluster_url, deadline_us=PATIENT_US) as found:
        for key in KEYS[:50]:
            await found.line.execute(b"SET", key, b"1")
            await found.line.execute(b"EVAL", b"return redis.call('INCR', KEYS[1])", b"1", key)
        with pytest.raises(ResponseError, match="wrong number of arguments"):
            await found.line.execute(b"INCR", KEYS[0], b"1")

        assert found.turns == [True]
    assert counts(redis_cluster, KEYS[:50]) == 100


async def test_whoever_asks_before_the_map_is_known_waits_for_it(redis_cluster_url: str) -> None:
    """A caller before the slot map is known waits for it: a worker's first request is counted like any other."""
    found = Watched(redis_cluster_url, deadline_us=PATIENT_US)
    try:
        asks = [found.ask(n, (key,)) for n, key in enumerate(KEYS[:20])]
        executed = asyncio.ensure_future(found.line.execute(b"ECHO", b"hello"))
        found.tell(7, (KEYS[0],))

        assert await asyncio.gather(*asks) == [question(n) for n in range(20)]
        assert await executed == b"hello"
        assert found.turns == [True]
    finally:
        await found.line.aclose()


async def test_one_node_that_answers_is_enough_to_begin_with(redis_cluster: RedisCluster) -> None:
    """One answering node of the URL is enough to start, even a replica."""
    replica = next(node for node in redis_cluster.nodes if not node.is_primary)
    gone = ",".join(f"127.0.0.1:{free_port()}" for _ in range(3))
    async with watched(f"redis+cluster://{gone},127.0.0.1:{replica.port}", deadline_us=PATIENT_US) as found:
        assert await found.ask(3) == question(3)


async def test_scripts_flushed_at_one_node_lose_nothing(redis_cluster: RedisCluster, redis_cluster_url: str) -> None:
    """Row 98: a script flushed at one node is loaded again, and every attempt runs once."""
    async with watched(redis_cluster_url, deadline_us=PATIENT_US) as found:
        for _ in range(10):
            asks = [found.ask(n, (KEYS[n],)) for n in range(600)]
            await asyncio.sleep(0)
            redis_cluster.primaries[0].cli("SCRIPT", "FLUSH")
            assert await asyncio.gather(*asks) == [question(n) for n in range(600)]

        assert found.turns == [True]
    assert counts(redis_cluster) == 6_000


async def test_closing_writes_what_is_queued_and_leaves_nothing_behind(
    redis_cluster: RedisCluster, redis_cluster_url: str
) -> None:
    """Closing writes the last settlements and leaves no task, timer or socket; it is no loss of the store."""
    found = Watched(redis_cluster_url, deadline_us=PATIENT_US)
    await found.recovers()
    for number in range(2_000):
        found.tell(number, (KEYS[number % 600],))

    await found.line.aclose()
    await asyncio.sleep(0)

    assert counts(redis_cluster) == 2_000
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert found.turns == [True]
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(found.ask(), 1)
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(found.line.execute(b"PING", b"x"), 1)
    gc.collect()  # an open socket warns here, and warnings are errors


async def test_a_flood_at_one_slot_is_many_calls(redis_cluster: RedisCluster, redis_cluster_url: str) -> None:
    """A flood at one slot is split into calls of 128 operations, so that no call keeps a node busy for long."""
    async with watched(redis_cluster_url, deadline_us=PATIENT_US) as found:
        await found.ask(0, (KEYS[0],))
        redis_cluster.each("CONFIG", "RESETSTAT")
        await asyncio.gather(*[found.ask(n, (KEYS[0],)) for n in range(1_000)])

        stats = redis_cluster.owner(KEYS[0]).cli("INFO", "commandstats")
        assert stats["cmdstat_evalsha"]["calls"] == 8


# Moving slots.


async def test_a_slot_that_has_moved_is_followed(redis_cluster: RedisCluster, redis_cluster_url: str) -> None:
    """MOVED means that nothing ran: the operation is sent on, runs once, and later ones go to the new node."""
    key = KEYS[0]
    source, target = two(redis_cluster, key)
    async with watched(redis_cluster_url, deadline_us=PATIENT_US) as found:
        await found.ask(0, (key,))
        move(key_slot(key), source, target)
        try:
            asks = [found.ask(n, (key,)) for n in range(1, 50)]
            found.tell(50, (key,))
            assert await asyncio.gather(*asks) == [question(n) for n in range(1, 50)]
            assert await found.line.execute(b"GET", key) in {b"50", b"51"}
            source.cli("CONFIG", "RESETSTAT")
            await found.ask(51, (key,))
            assert "cmdstat_evalsha" not in source.cli("INFO", "commandstats")
            assert counts(redis_cluster, [key]) == 52
            assert found.turns == [True]
        finally:
            move(key_slot(key), target, source)


async def test_a_command_follows_its_slot(redis_cluster: RedisCluster, redis_cluster_url: str) -> None:
    """A vault command is sent on after MOVED too."""
    key = KEYS[1]
    source, target = two(redis_cluster, key)
    async with watched(redis_cluster_url, deadline_us=PATIENT_US) as found:
        await found.line.execute(b"SET", key, b"sealed")
        move(key_slot(key), source, target)
        try:
            assert await found.line.execute(b"GETDEL", key) == b"sealed"
            assert await found.line.execute(b"GETDEL", key) is None
        finally:
            move(key_slot(key), target, source)


async def test_a_slot_on_its_way_is_asked_for_at_both_places(
    redis_cluster: RedisCluster, redis_cluster_url: str
) -> None:
    """ASK: existing keys are counted at the old node, new ones at the new node, and the map stays."""
    here, new = b"{move}here", b"{move}new"
    slot = key_slot(here)
    source, target = two(redis_cluster, here)
    async with watched(redis_cluster_url, deadline_us=PATIENT_US) as found:
        await found.ask(0, (here,))
        begin_move(slot, source, target)
        try:
            asks = [found.ask(n, (here if n % 2 else new,)) for n in range(1, 50)]
            executed = found.line.execute(b"SET", b"{move}command", b"1")
            assert await asyncio.gather(*asks) == [question(n) for n in range(1, 50)]
            assert await executed == b"OK"
            assert (source.cli("GET", here), source.cli("EXISTS", here)) == ("26", 1)

            move_keys(slot, source, target)
            end_move(slot, source, target)
            assert await found.ask(50, (here,)) == question(50)
            assert counts(redis_cluster, [here, new, b"{move}command"]) == 52
            assert found.turns == [True]
        finally:
            move(slot, *two(redis_cluster, here))


async def test_keys_that_are_parted_are_waited_for(redis_cluster: RedisCluster, redis_cluster_url: str) -> None:
    """TRYAGAIN (one of an operation's keys has moved, one has not): the operation waits within its deadline."""
    keys = (b"{part}a", b"{part}b")
    slot = key_slot(keys[0])
    source, target = two(redis_cluster, keys[0])
    async with watched(redis_cluster_url, deadline_us=PATIENT_US) as found:
        for key in keys:
            await found.ask(0, (key,))
        begin_move(slot, source, target)
        try:
            source.cli("MIGRATE", "127.0.0.1", target.port, keys[0], 0, 5_000)
            ask = found.line.ask(packed_keys(keys), question(1))
            await asyncio.sleep(0.05)
            assert not ask.done()
            move_keys(slot, source, target)
            end_move(slot, source, target)
            assert await ask == question(1)
            assert found.turns == [True]
        finally:
            move(slot, *two(redis_cluster, keys[0]))


async def test_keys_that_stay_parted_are_not_waited_for_longer(
    redis_cluster: RedisCluster, redis_cluster_url: str
) -> None:
    """At the deadline an operation on parted keys is judged without the store, and its node is not considered lost."""
    keys = (b"{part}a", b"{part}b")
    slot = key_slot(keys[0])
    source, target = two(redis_cluster, keys[0])
    async with watched(redis_cluster_url) as found:
        for key in keys:
            source.cli("SET", key, 0)
        begin_move(slot, source, target)
        try:
            source.cli("MIGRATE", "127.0.0.1", target.port, keys[0], 0, 5_000)
            start = asyncio.get_running_loop().time()
            answers = await asyncio.wait_for(
                asyncio.gather(
                    *[found.line.ask(packed_keys(keys), question(n)) for n in range(9)], return_exceptions=True
                ),
                5,
            )
            found.line.tell(packed_keys(keys), b"!0000000")
            assert {type(answer) for answer in answers} == {StoreUnavailable}
            assert asyncio.get_running_loop().time() - start < DEADLINE_S + SLACK_S
            assert await found.ask(1, (of(redis_cluster, source, 1)[0],)) == question(1)
        finally:
            move_keys(slot, source, target)
            end_move(slot, source, target)
            counted = counts(redis_cluster, keys)
            move(slot, *two(redis_cluster, keys[0]))
    assert counted <= 2


async def test_resharding_under_load_loses_nothing(redis_cluster: RedisCluster, redis_cluster_url: str) -> None:
    """Two dozen slots move to another node and back under constant load, and nothing is lost."""
    moved = KEYS[:24]
    slots = {key_slot(key) for key in moved}
    places = {slot: two(redis_cluster, key) for key in moved if (slot := key_slot(key)) in slots}
    asked = 0
    async with watched(redis_cluster_url, deadline_us=PATIENT_US) as found:
        moving = asyncio.create_task(asyncio.to_thread(there_and_back, places))
        while not moving.done():
            keys = [*moved, *KEYS[100:110]]
            asks = [found.ask(n, (key,)) for n, key in enumerate(keys)]
            found.tell(0, (moved[asked % 24],))
            asked += len(asks) + 1
            assert await asyncio.gather(*asks) == [question(n) for n in range(len(keys))]
        await moving
        await asyncio.gather(*[found.ask(0, (key,)) for key in moved])

        assert found.turns == [True]
    assert counts(redis_cluster, [*moved, *KEYS[100:110]]) == asked + 24


async def test_a_slot_that_nobody_has_is_nobodys_fault(redis_cluster: RedisCluster, redis_cluster_url: str) -> None:
    """A slot without a node (CLUSTERDOWN) is refused until it has one; the asked node still serves the rest."""
    key = KEYS[0]
    node = redis_cluster.owner(key)
    other = next(each for each in of(redis_cluster, node, 9) if key_slot(each) != key_slot(key))
    async with watched(redis_cluster_url) as found:
        await found.is_answered(key)
        node.cli("CLUSTER", "DELSLOTS", key_slot(key))
        try:
            for number in range(3):
                with pytest.raises(StoreUnavailable):
                    await asyncio.wait_for(found.ask(number, (key,)), 10)
                await found.is_answered(other)
            assert cast("ClusterLine", found.line)._nodes["127.0.0.1", node.port].answers
        finally:
            node.cli("CLUSTER", "ADDSLOTS", key_slot(key))
            redis_cluster.wait_until_whole()
        await found.is_answered(key)


# Lost nodes.


async def test_a_lost_node_takes_its_slots_and_nothing_else(frail_cluster: RedisCluster) -> None:
    """A killed node affects its own slots alone: refused at once, then served by its replica."""
    lost, *_ = frail_cluster.primaries
    its, others = (
        of(frail_cluster, lost),
        [key for node in frail_cluster.primaries[1:] for key in of(frail_cluster, node)],
    )
    async with watched(frail_cluster.url, deadline_us=PATIENT_US) as found:
        await asyncio.gather(*[found.ask(0, (key,)) for key in its + others])
        lost.kill()
        await asyncio.wait_for(found.down.wait(), 5)
        assert {type(found.ask(0, (key,)).exception()) for key in its} == {StoreUnavailable}
        assert await asyncio.gather(*[found.ask(n, (key,)) for n, key in enumerate(others)]) == [
            question(n) for n in range(len(others))
        ]
        for key in its:
            found.tell(0, (key,))
        with pytest.raises(StoreUnavailable):
            await found.line.execute(b"GET", its[0])

        await asyncio.wait_for(found.up.wait(), 20)
        assert await asyncio.gather(*[found.ask(n, (key,)) for n, key in enumerate(its)]) == [
            question(n) for n in range(len(its))
        ]
        assert {port for _, port in cast("ClusterLine", found.line)._nodes} == {
            node.port for node in frail_cluster.primaries
        }
        # Once before the loss and once now; settlements in between went to the successor.
        assert counts(frail_cluster, its) == 3 * len(its)
        assert counts(frail_cluster, others) == 2 * len(others)


async def test_what_was_told_and_not_sent_outlives_the_silence(
    frail_cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settlements queued behind a silent node are taken back and written once when it answers again."""
    monkeypatch.setattr("sekisho.store.connection.IN_FLIGHT_MAX", 1)
    node, *_ = frail_cluster.primaries
    key = of(frail_cluster, node, 1)[0]
    async with watched(frail_cluster.url) as found:
        await found.ask(0, (key,))
        node.pause()
        ask = found.ask(1, (key,))
        await until(lambda: not cast("ClusterLine", found.line)._nodes["127.0.0.1", node.port]._intake.queue)
        for number in range(50):
            found.tell(number, (key,))
        await asyncio.wait([ask])
        assert isinstance(ask.exception(), StoreUnavailable)

        node.resume()
        await found.is_answered(key)
        await found.ask(2, (key,))
        # The one that was sent runs late; later probes were refused at once, or counted.
        done = counts(frail_cluster, [key])
        assert done >= 1 + 1 + 50 + 2
        await found.ask(3, (key,))
        assert counts(frail_cluster, [key]) == done + 1


async def test_a_silent_node_is_left_in_time(frail_cluster: RedisCluster) -> None:
    """A paused node costs waiting callers the deadline, later ones nothing; then it is replaced."""
    silent, other, _ = frail_cluster.primaries
    its, others = of(frail_cluster, silent), of(frail_cluster, other)
    async with watched(frail_cluster.url) as found:
        await asyncio.gather(*[found.ask(0, (key,)) for key in its + others])
        silent.pause()
        start = asyncio.get_running_loop().time()
        asks = [found.ask(n, (key,)) for n, key in enumerate(its + others)]
        answers = await asyncio.gather(*asks, return_exceptions=True)
        assert asyncio.get_running_loop().time() - start < DEADLINE_S + SLACK_S
        assert {type(answer) for answer in answers[: len(its)]} == {StoreUnavailable}
        assert answers[len(its) :] == [question(len(its) + n) for n in range(len(others))]

        await asyncio.wait_for(found.up.wait(), 20)
        await asyncio.gather(*[found.ask(0, (key,)) for key in its])
        silent.resume()
        frail_cluster.wait_until_whole()
        await asyncio.gather(*[found.ask(0, (key,)) for key in its])

    # Operations that the paused node ran late are lost with it: at most once each.
    assert counts(frail_cluster, its) == 3 * len(its)


async def test_a_cluster_that_is_down_as_a_whole_is_a_lost_store(frail_cluster: RedisCluster) -> None:
    """A Cluster that is down as a whole is a lost store: reported in time, and used again by itself."""
    lost, other, _ = frail_cluster.primaries
    key = of(frail_cluster, other, 1)[0]
    for node in frail_cluster.nodes:
        node.cli("CONFIG", "SET", "cluster-require-full-coverage", "yes")
    try:
        async with watched(frail_cluster.url) as found:
            lost.kill()
            await asyncio.wait_for(found.down.wait(), 5)
            its = cast("ClusterLine", found.line)._nodes["127.0.0.1", other.port]
            async with asyncio.timeout(10):
                while its.answers:  # after repeated questions the line knows that the Cluster is down
                    await found.is_answered(key, answered=False)

            await asyncio.wait_for(found.up.wait(), 20)
            await found.is_answered(key)
    finally:
        frail_cluster.mend()
        for node in frail_cluster.nodes:
            node.cli("CONFIG", "SET", "cluster-require-full-coverage", "no")


async def test_settlements_are_kept_within_a_bound(
    frail_cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settlements are bounded over all nodes together; the newest are kept."""
    monkeypatch.setattr("sekisho.store.cluster.KEPT_MAX", 50)
    lost, *_ = frail_cluster.primaries
    old, new = of(frail_cluster, lost, 2)
    async with watched(frail_cluster.url, deadline_us=PATIENT_US) as found:
        lost.kill()
        await asyncio.wait_for(found.down.wait(), 5)
        for number in range(80):
            found.tell(number, (old if number < 30 else new,))

        await asyncio.wait_for(found.up.wait(), 20)
        await asyncio.gather(found.ask(0, (old,)), found.ask(0, (new,)))

        assert (counts(frail_cluster, [old]), counts(frail_cluster, [new])) == (1, 51)


async def test_a_cluster_that_is_not_there_is_waited_for(redis_cluster: RedisCluster) -> None:
    """If the Cluster is absent at the start, the first caller waits for a deadline, later ones for nothing."""
    found = Watched(f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{free_port()}")
    try:
        assert await found.fails() < DEADLINE_S + SLACK_S
        await until(lambda: bool(found.turns))
        assert type(found.ask().exception()) is StoreUnavailable
        with pytest.raises(StoreUnavailable):
            await found.line.execute(b"GET", b"key")
        assert (found.turns, found.line.answers) == ([False], False)
        # It starts at the announced addresses.
        cast("ClusterLine", found.line)._asked.extend(Several.of(redis_cluster.url).hosts)
        await found.recovers()
    finally:
        await found.line.aclose()


def test_a_node_without_an_address_is_where_it_was_asked() -> None:
    """A node without an address is reached where it was asked: Redis omits its own until another node tells, or says
    `?`.
    """
    entries = [[0, 5, [b"", 7000, b"id"]], [6, 9, [None, 7001, b"id", []]], [10, 12, [b"?", 7002, b"id"]]]

    assert read_map(entries, "seed") == [(0, 5, ("seed", 7000)), (6, 9, ("seed", 7001))]
