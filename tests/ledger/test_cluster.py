"""The ledger on a real Cluster: three record families at three nodes, and the loss of one node."""

from __future__ import annotations

import asyncio
import gc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.crc import key_slot

from sekisho.ledger.cluster import ClusterLedger
from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.opening import open_line
from sekisho.ledger.receipt import pack_receipt, unpack_receipt
from sekisho.ledger.redis import ACCOUNT, NETWORK, PLACES, SECRET, ClusterKeys
from sekisho.model import Charged, Effect, Limit, StoreUnavailable
from tests.ledger.charges import HOUR, LIMITS, MINUTE, SECOND, T0, charge
from tests.ledger.stores import WIDE, InMemory, ask, in_redis, let_in, only
from tests.store.lines import calls_by
from tests.store.test_cluster import begin_move, move, there_and_back, two

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.model import Charge, LimitSet
    from sekisho.store import AnyStoreConnection
    from sekisho.store.batch import PackedKeys
    from tests.server_groups import ClusterNode, RedisCluster

PATIENT_US = 5_000_000
DEADLINE_US = 600_000
SIX = only(account=(Limit(6, HOUR),))
KEYS = ClusterKeys("t")


class Worker(NamedTuple):
    """One of two workers, for all three `STORE_DOWN` settings."""

    line: AnyStoreConnection
    down: asyncio.Event
    up: asyncio.Event
    own: MemoryLedger
    local: ClusterLedger
    closed: ClusterLedger
    opened: ClusterLedger

    async def loses(self, node: ClusterNode, each: Charge) -> None:
        """Wait until the worker knows that the node which counts this part of a charge is silent."""
        node.pause()
        for key in (KEYS.account(each), KEYS.secret(each), KEYS.network(each)[0]):
            await asyncio.gather(self.line.execute(b"GET", key), return_exceptions=True)
        assert self.down.is_set()


@asynccontextmanager
async def worker(url: str, limits: LimitSet = SIX, *, deadline_us: int = DEADLINE_US) -> AsyncIterator[Worker]:
    down, up = asyncio.Event(), asyncio.Event()

    def turn(answers: bool) -> None:
        (down.clear if answers else up.clear)()
        (up if answers else down).set()

    line = open_line(url, limits, deadline_us=deadline_us, on_change=turn)
    own = MemoryLedger(limits.shared_between(2), entries_max=1_000, clock_us=lambda: T0)
    try:
        await asyncio.wait_for(up.wait(), 10)
        yield Worker(
            line,
            down,
            up,
            own,
            ClusterLedger(line, "t", deadline_us=deadline_us, own=own),
            ClusterLedger(line, "t", deadline_us=deadline_us),
            ClusterLedger(line, "t", deadline_us=deadline_us, let_in=True),
        )
    finally:
        await line.aclose()


def apart(cluster: RedisCluster, family: int, *, known_device: int | None = None) -> tuple[ClusterNode, Charge]:
    """A node, and a charge of which this family's records alone are on it."""
    for number in range(1_000):
        each = charge(number, number % 30, network=number, known_device=known_device)
        owners = {NETWORK: KEYS.network(each)[0], ACCOUNT: KEYS.account(each), SECRET: KEYS.secret(each)}
        nodes = {name: cluster.owner(key) for name, key in owners.items()}
        if [name for name, node in nodes.items() if node is nodes[family]] == [family]:
            return nodes[family], each
    raise AssertionError("no such charge")


def guess(each: Charge, number: int) -> Charge:
    """The same charge with a fresh secret whose records are where the first secret's are."""
    return each._replace(pair_tag=number.to_bytes(4), member_tag=number.to_bytes(4))


# Where records are.


def test_places_are_slots_at_even_distances() -> None:
    """Places are slots at even distances: nodes with equal shares of slots have equal numbers of places, or one
    more.
    """
    slots = {key_slot(KEYS.account(charge(n))) for n in range(5_000)}

    assert slots == {number * 16_384 // PLACES for number in range(PLACES)}


def test_what_one_script_touches_is_in_one_slot() -> None:
    """All records that one script touches are in one slot, under keys of each kind."""
    for number in range(100):
        each = charge(number, number % 30, network=number, v6=True)
        assert len({key_slot(key) for key in KEYS.network(each)}) == 1
        assert key_slot(KEYS.bucket(each)) == key_slot(KEYS.account(each))
        assert len({*KEYS.of(each), KEYS.bucket(each)}) == 7


# A healthy Cluster.

steps = st.lists(
    st.tuples(
        st.sampled_from([0] * 8 + [1, SECOND, 3 * SECOND, MINUTE, 10 * MINUTE, HOUR]),
        st.integers(0, 1),
        st.integers(0, 20),
        st.sampled_from([0, 0, 0, 1]),
        st.sampled_from([None] * 6 + [1, 2]),
        st.sampled_from([False] * 6 + [True]),
    ),
    min_size=8,
    max_size=30,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=steps)
def test_one_after_the_other_verdicts_are_those_of_memory(
    redis_cluster: RedisCluster, history: list[tuple[int, int, int, int, int | None, bool]]
) -> None:
    """Sequential verdicts and resting counters equal those of memory: families and compensations do not show."""
    redis_cluster.each("FLUSHALL")

    async def compare() -> None:
        async with in_redis(redis_cluster.url, redis_cluster) as real:
            memory = InMemory()
            ledgers = [memory.ledger(LIMITS), real.ledger(LIMITS)]
            for wait_us, account, secret, network, known_device, succeeds in history:
                for store in (memory, real):
                    await store.move_to(store.now_us + wait_us)
                each = charge(account, secret, network=network, known_device=known_device)
                (expected,), (found,) = [await ask(ledger, [each]) for ledger in ledgers]
                assert found == expected
                if succeeds:
                    for ledger in ledgers:
                        ledger.settle(each, expected, Effect.RENEWED if known_device is not None else 0)

    asyncio.run(compare())


async def test_two_hundred_at_once_from_one_address_at_one_account(
    redis_cluster: RedisCluster, redis_cluster_url: str
) -> None:
    """Of 200 parallel attempts the address lets three in and, at rest, the account has counted three."""
    limits = only(ip=(Limit(3, HOUR),), account=(Limit(10, HOUR),))
    async with worker(redis_cluster_url, limits, deadline_us=PATIENT_US) as one:
        found = await ask(one.closed, [guess(charge(), n) for n in range(200)])
        assert let_in(found) == 3
        assert [verdict.charged & Charged.FAILURES > 0 for verdict in found] == [True] * 3 + [False] * 197

        elsewhere = await ask(one.closed, [guess(charge(network=1, ip=n), 200 + n) for n in range(20)])
        assert elsewhere[0].failures == 4
        assert let_in(elsewhere) in {6, 7}  # compensated charges counted for some milliseconds


async def test_a_stranger_is_one_round_trip_and_a_device_in_its_bucket_one_question(
    redis_cluster: RedisCluster, redis_cluster_url: str
) -> None:
    """A stranger costs one round trip of three families, a device in its bucket one question, and one without room
    three more.
    """
    async with worker(redis_cluster_url, LIMITS, deadline_us=PATIENT_US) as one:
        _, each = apart(redis_cluster, ACCOUNT)
        await ask(one.closed, [charge(n, n, network=n) for n in range(100, 130)])  # now all have the library
        asked = []
        for known_device in (None, 1, 1, 1, 1):
            redis_cluster.each("CONFIG", "RESETSTAT")
            await ask(one.closed, [each._replace(known_device=b"" if known_device is None else b"l" * 8)])
            asked.append(sum(calls_by(node).get("fcall", 0) for node in redis_cluster.primaries))

    assert asked == [3, 1, 1, 1, 3]


class Silent:
    """Nodes that have not answered yet."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[bytes]] = []

    def ask(self, keys: PackedKeys, argument: bytes) -> asyncio.Future[bytes]:
        self.asked.append(asyncio.get_running_loop().create_future())
        return self.asked[-1]


@pytest.mark.parametrize("parts", [2, 3])
async def test_an_early_cancelled_attempt_is_not_counted_at_its_address_alone(parts: int) -> None:
    """An attempt cancelled before it is written may be uncounted at its account, but never at its address alone."""
    nodes = Silent()
    ledger = ClusterLedger(cast("AnyStoreConnection", nodes), "t", deadline_us=DEADLINE_US)
    task = asyncio.create_task(ledger.charge(charge(1, 1)._replace(secret=b"s" * 16 if parts == 3 else b"")))
    await asyncio.sleep(0)

    task.cancel()

    assert [each.cancelled() for each in nodes.asked] == [False] * (parts - 1) + [True]  # to be written now
    await asyncio.gather(task, return_exceptions=True)
    assert all(each.cancelled() for each in nodes.asked)


async def test_an_attempt_cancelled_while_a_node_is_lost_leaves_no_exception(caplog: pytest.LogCaptureFixture) -> None:
    """An attempt cancelled while a node is lost leaves no unread exception, which asyncio would report."""
    nodes = Silent()
    ledger = ClusterLedger(cast("AnyStoreConnection", nodes), "t", deadline_us=DEADLINE_US)
    task = asyncio.create_task(ledger.charge(charge(1, 1)._replace(secret=b"s" * 16)))
    await asyncio.sleep(0)

    nodes.asked[1].set_exception(StoreUnavailable())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert [each.cancelled() for each in nodes.asked] == [True, False, True]
    nodes.asked.clear()
    gc.collect()
    assert caplog.text == ""


async def test_resharding_under_load_counts_every_attempt_once(
    redis_cluster: RedisCluster, redis_cluster_url: str
) -> None:
    """While attacked accounts' slots move between nodes and back, every failure is counted once."""
    accounts = list(range(12))
    slots = {key_slot(KEYS.account(charge(n))): KEYS.account(charge(n)) for n in accounts}
    places = {slot: two(redis_cluster, key) for slot, key in slots.items()}
    tries = 0
    async with worker(redis_cluster_url, WIDE, deadline_us=PATIENT_US) as one:
        moving = asyncio.create_task(asyncio.to_thread(there_and_back, places))
        while not moving.done():
            tries += 1
            verdicts = await ask(one.closed, [guess(charge(n, network=50), tries) for n in accounts])
            assert [verdict.failures for verdict in verdicts] == [tries] * len(accounts)
            assert not any(verdict.counters_lost for verdict in verdicts)
        await moving
        after = await ask(one.closed, [guess(charge(n, network=50), tries + 1) for n in accounts])

    assert [verdict.failures for verdict in after] == [tries + 1] * len(accounts)


RIGHTS = ["+ping", "+select", "+eval", "+evalsha", "+time", "+mget", "+set", "+del", "+get", "+hget", "+hset", "+hdel"]
RIGHTS += ["+hrandfield", "+pttl", "+pexpire", "+cluster|slots", "+asking"]


@pytest.mark.parametrize("more", [[], ["+function|load", "+fcall"]], ids=["script", "library"])
async def test_the_rights_that_it_needs_are_these(
    redis_cluster: RedisCluster, redis_cluster_url: str, more: list[str]
) -> None:
    """A user with these rights alone can count on every node, also while a secret's slot moves."""
    _, each = apart(redis_cluster, SECRET)
    slot = key_slot(KEYS.secret(each))
    source, target = two(redis_cluster, KEYS.secret(each))
    for every in redis_cluster.nodes:
        every.cli("ACL", "SETUSER", "guard", "on", ">word", "~t:*", "resetchannels", "-@all", *RIGHTS, *more)
    try:
        async with worker(redis_cluster_url.replace("//", "//guard:word@"), WIDE, deadline_us=PATIENT_US) as one:
            assert let_in(await ask(one.closed, [charge(n, n, network=n) for n in range(2_000, 2_060)])) == 60
            begin_move(slot, source, target)
            target.cli("CONFIG", "RESETSTAT")
            assert let_in(await ask(one.closed, [guess(each, n) for n in range(9)])) == 9
            assert target.cli("INFO", "commandstats")["cmdstat_asking"]["calls"] > 0
    finally:
        move(slot, source, target)
        move(slot, target, source)
        for every in redis_cluster.nodes:
            every.cli("ACL", "DELUSER", "guard")


# One lost node.


async def test_a_lost_accounts_node_leaves_the_address_counted_by_all(frail_cluster: RedisCluster) -> None:
    """Without the account's node the account is judged by this worker's share, the network by all; the verdict says
    so.
    """
    node, each = apart(frail_cluster, ACCOUNT)
    async with worker(frail_cluster.url) as one:
        await one.loses(node, each)
        found = await ask(one.local, [guess(each, n) for n in range(9)])

        assert let_in(found) == 3
        assert {(verdict.counters_lost, verdict.own_families) for verdict in found} == {(True, ACCOUNT)}
        assert {verdict.charged & Charged.NETWORK for verdict in found} == {Charged.NETWORK}
        assert frail_cluster.owner(KEYS.network(each)[0]).cli("EXISTS", KEYS.network(each)[0]) == 1


async def test_a_lost_networks_node_leaves_the_account_counted_by_all(frail_cluster: RedisCluster) -> None:
    """Without the network's node two workers each allow their share at the address and hold one limit at the
    account.
    """
    node, each = apart(frail_cluster, NETWORK)
    async with worker(frail_cluster.url) as one, worker(frail_cluster.url) as other:
        await one.loses(node, each)
        await other.loses(node, each)
        found = await ask(one.local, [guess(each, n) for n in range(9)])
        found += await ask(other.local, [guess(each, 10 + n) for n in range(9)])

        assert let_in(found) == 6
        assert {verdict.own_families for verdict in found} == {NETWORK}


async def test_a_lost_secrets_node_costs_what_is_seen_of_it_alone(frail_cluster: RedisCluster) -> None:
    """Without the secret's node nothing is charged there, and the verdict says that its set could not be read."""
    node, each = apart(frail_cluster, SECRET)
    async with worker(frail_cluster.url) as one:
        await one.loses(node, each)
        found = await ask(one.local, [guess(each, n) for n in range(9)])

        assert (let_in(found), {verdict.own_families for verdict in found}) == (6, {SECRET})
        assert len(one.own.book) == 0
        one.local.settle(guess(each, 0), found[0])
        assert len(one.own.book) == 0


async def test_a_device_whose_accounts_node_is_lost_has_a_bucket_here(frail_cluster: RedisCluster) -> None:
    """Without its account's node a known device has a bucket at this worker, and beyond it is a stranger."""
    node, each = apart(frail_cluster, ACCOUNT, known_device=1)
    limits = only(known_device=(Limit(4, HOUR),))
    async with worker(frail_cluster.url, limits) as one:
        await one.loses(node, each)
        found = [verdict for n in range(3) for verdict in await ask(one.local, [guess(each, n)])]

        assert [verdict.charged & Charged.KNOWN_DEVICE for verdict in found] == [
            Charged.KNOWN_DEVICE,
            Charged.KNOWN_DEVICE,
            0,
        ]
        assert {verdict.own_families for verdict in found} == {ACCOUNT}
        assert found[2].charged & Charged.NETWORK


async def test_what_the_network_refuses_is_not_charged_at_the_account_here_either(
    frail_cluster: RedisCluster,
) -> None:
    """An attempt that the network refuses is not charged at the account here either, or one address could empty its
    budget.
    """
    node, each = apart(frail_cluster, ACCOUNT)
    async with worker(frail_cluster.url, only(ip=(Limit(2, HOUR),), account=(Limit(6, HOUR),))) as one:
        await one.loses(node, each)
        found = [verdict for n in range(9) for verdict in await ask(one.local, [guess(each, n)])]
        assert let_in(found) == 2

        elsewhere = each._replace(network=b"e" * 16, networks=(b"e" * 16,), ip=b"e" * 16, device=b"e" * 16)
        # Three is this worker's share of six.
        assert let_in(await ask(one.local, [guess(elsewhere, 20 + n) for n in range(9)])) == 1


async def test_what_was_charged_here_is_given_back_here(frail_cluster: RedisCluster) -> None:
    """A local charge is refunded locally, by receipt too; the network's part at its node."""
    node, each = apart(frail_cluster, ACCOUNT)
    limits = only(ip=(Limit(3, HOUR),), account=(Limit(6, HOUR),))
    async with worker(frail_cluster.url, limits) as one:
        await one.loses(node, each)
        for number in range(9):
            (verdict,) = await ask(one.local, [guess(each, number)])
            assert (let_in([verdict]), verdict.failures) == (1, 1)
            one.local.settle(*unpack_receipt(pack_receipt(guess(each, number), verdict)))


async def test_a_factor_ends_the_count_here_and_at_the_node(frail_cluster: RedisCluster) -> None:
    """A factor shown while the account's node is gone clears its failures here, and at the node when it is back."""
    node, each = apart(frail_cluster, ACCOUNT)
    async with worker(frail_cluster.url, WIDE) as one:
        assert (await ask(one.local, [guess(each, n) for n in range(4)]))[-1].failures == 4
        await one.loses(node, each)
        (here,) = await ask(one.local, [guess(each, 5)])
        assert here.own_families & ACCOUNT
        one.local.settle(guess(each, 5), here, Effect.PROVED)
        assert (await ask(one.local, [guess(each, 6)]))[0].failures == 1

        node.resume()
        await asyncio.wait_for(one.up.wait(), 60)
        assert (await ask(one.local, [guess(each, 7)]))[0].failures == 1


async def test_closed_takes_back_what_it_charged_elsewhere(frail_cluster: RedisCluster) -> None:
    """With `closed` the parts charged at other nodes are refunded: a refused caller has tried nothing."""
    node, each = apart(frail_cluster, ACCOUNT)
    async with worker(frail_cluster.url, only(ip=(Limit(2, HOUR),))) as one:
        await one.loses(node, each)
        for number in range(5):
            with pytest.raises(StoreUnavailable):
                await one.closed.charge(guess(each, number))

        node.resume()
        await asyncio.wait_for(one.up.wait(), 60)
        assert let_in([await one.closed.charge(guess(each, 10 + n)) for n in range(3)]) == 2


async def test_open_lets_in_what_cannot_be_counted(frail_cluster: RedisCluster) -> None:
    """With `open` an uncountable account passes without a limit, while its address is still counted."""
    node, each = apart(frail_cluster, ACCOUNT)
    async with worker(frail_cluster.url, only(ip=(Limit(8, HOUR),), account=(Limit(2, HOUR),))) as one:
        await one.loses(node, each)
        found = await ask(one.opened, [guess(each, n) for n in range(20)])
        one.opened.settle(guess(each, 0), found[0], Effect.RENEWED)

        assert (let_in(found), {verdict.counters_lost for verdict in found}) == (8, {True})


class Slow(Silent):
    """Nodes of which the first answers late and the others never."""

    def __init__(self, line: AnyStoreConnection, seconds: float) -> None:
        super().__init__()
        self._line, self._seconds = line, seconds

    def ask(self, keys: PackedKeys, argument: bytes) -> asyncio.Future[bytes]:
        return super().ask(keys, argument) if self.asked else self._first(keys, argument)

    def _first(self, keys: PackedKeys, argument: bytes) -> asyncio.Future[bytes]:
        self.asked.append(asyncio.ensure_future(self._late(keys, argument)))
        return self.asked[0]

    async def _late(self, keys: PackedKeys, argument: bytes) -> bytes:
        await asyncio.sleep(self._seconds)
        return await self._line.ask(keys, argument)


async def test_two_questions_share_one_deadline(
    redis_cluster: RedisCluster, redis_cluster_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full bucket's second question shares the deadline of the first, at silent nodes too."""
    _, each = apart(redis_cluster, ACCOUNT, known_device=1)
    async with worker(redis_cluster_url, only(known_device=(Limit(1, HOUR),)), deadline_us=PATIENT_US) as one:
        await ask(one.local, [guess(each, 0)])
        left_s: list[float] = []

        async def recorded(_: object, *, timeout: float) -> None:  # noqa: ASYNC109 - asyncio's own signature
            left_s.append(timeout)

        monkeypatch.setattr("asyncio.wait", recorded)
        nodes = Slow(one.line, 0.2)
        ledger = ClusterLedger(cast("AnyStoreConnection", nodes), "t", deadline_us=PATIENT_US, own=one.own)
        (verdict,) = await ask(ledger, [guess(each, 1)])

    assert len(nodes.asked) == 3
    assert verdict.own_families & NETWORK
    assert [0 < left < 4.9 for left in left_s] == [True]  # the first took 0.2 s of five, by the loop's own clock
