"""Invariant 7 with real servers: one dies or hangs under load, and another takes over by itself.

Every attempt is answered within its deadline. The store admits at most the limit and lone workers at most their shares;
afterwards the store counts again.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import pytest

from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.opening import ledger_on, open_line
from sekisho.ledger.redis import ClusterKeys
from sekisho.model import Limit
from tests.ledger.charges import HOUR, charge
from tests.ledger.stores import let_in, only
from tests.store.lines import SLACK_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.model import Charge, Ledger, Verdict
    from sekisho.store import AnyStoreConnection
    from tests.server_groups import RedisCluster, SentinelGroup
    from tests.servers import RedisServer

    Group: TypeAlias = RedisCluster | SentinelGroup

DEADLINE_US = 500_000
LIMIT, WORKERS = 6, 2
SIX = only(account=(Limit(LIMIT, HOUR),))
VICTIM = charge()
KEYS = ClusterKeys("t")
WAVE = 12  # parallel attempts of one worker
PAUSE_S = 0.02  # between two waves
CALM_S = 0.3  # before the fault, and after recovery


class Storm:
    """Guesses at one account from ever new networks, at two workers, until told to end."""

    def __init__(self, url: str) -> None:
        self.verdicts: list[Verdict] = []
        self.asked = 0
        self.slowest_s = 0.0
        self.recovered = asyncio.Event()
        self._ended = False
        self._struck = False
        self._up = [asyncio.Event() for _ in range(WORKERS)]
        self.lines = [self._line(url, up) for up in self._up]
        self.ledgers = [self._ledger(line, url) for line in self.lines]

    async def run(self) -> None:
        while not self._ended:
            await asyncio.gather(*[self._wave(ledger) for ledger in self.ledgers])
            await asyncio.sleep(PAUSE_S)

    async def is_up(self) -> None:
        for up in self._up:
            await asyncio.wait_for(up.wait(), 60)

    def strike(self, how: Callable[[], None]) -> None:
        """Apply a fault from which the load must recover."""
        for up in self._up:
            up.clear()
        how()

    async def end(self, running: asyncio.Task[None]) -> None:
        await asyncio.sleep(CALM_S)
        self._ended = True
        await running
        for line in self.lines:
            await line.aclose()

    def guesses(self, count: int) -> list[Charge]:
        self.asked += count
        numbers = range(self.asked - count, self.asked)
        return [guess(number) for number in numbers]

    async def _wave(self, ledger: Ledger) -> None:
        guesses = self.guesses(WAVE)
        start = time.monotonic()
        self.verdicts += await asyncio.gather(*[ledger.charge(each) for each in guesses])
        self.slowest_s = max(self.slowest_s, time.monotonic() - start)

    @staticmethod
    def _line(url: str, up: asyncio.Event) -> AnyStoreConnection:
        def turn(answers: bool) -> None:
            (up.set if answers else up.clear)()

        return open_line(url, SIX, deadline_us=DEADLINE_US, on_change=turn)

    @staticmethod
    def _ledger(line: AnyStoreConnection, url: str) -> Ledger:
        own = MemoryLedger(SIX.shared_between(WORKERS), entries_max=100_000, clock_us=lambda: time.time_ns() // 1_000)
        return ledger_on(line, url, "t", deadline_us=DEADLINE_US, own=own)


def guess(number: int) -> Charge:
    from_anywhere = charge(0, number % 30, network=number % 50, ip=number)
    return from_anywhere._replace(pair_tag=number.to_bytes(4), member_tag=number.to_bytes(4))


class Bookkeeping(NamedTuple):
    """Totals of the load."""

    asked: int
    answered: int
    by_store: int
    in_all: int
    alone: int
    slowest_s: float


def books(storm: Storm) -> Bookkeeping:
    return Bookkeeping(
        storm.asked,
        len(storm.verdicts),
        let_in([verdict for verdict in storm.verdicts if not verdict.counters_lost]),
        let_in(storm.verdicts),
        sum(verdict.counters_lost for verdict in storm.verdicts),
        storm.slowest_s,
    )


async def weather(group: Group, strike: Callable[[RedisServer], None]) -> Bookkeeping:
    """Load during which the victim's primary is struck, and which lasts until recovery."""
    storm = Storm(group.url)
    await storm.is_up()
    running = asyncio.create_task(storm.run())
    await asyncio.sleep(CALM_S)
    storm.strike(lambda: strike(primary_of(group)))
    await storm.is_up()
    answered = len(storm.verdicts)
    await storm.end(running)
    assert not any(verdict.counters_lost for verdict in storm.verdicts[-WAVE:])
    assert len(storm.verdicts) > answered
    return books(storm)


def primary_of(group: Group) -> RedisServer:
    """The primary that counts the victim's failures."""
    owner = getattr(group, "owner", None)
    found: RedisServer = owner(KEYS.account(VICTIM)) if owner else group.primary  # type: ignore[union-attr]
    return found


@pytest.fixture(params=["frail_cluster", "frail_sentinels"])
def group(request: pytest.FixtureRequest) -> Group:
    found: Group = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("how", ["kill", "pause"])
async def test_a_primary_is_lost_in_the_middle_of_a_storm(group: Group, how: str) -> None:
    """With the primary killed or hanging, all are answered in time, the limit and the shares hold, and counting
    resumes.
    """
    found = await weather(group, lambda primary: getattr(primary, how)())

    assert found.answered == found.asked
    assert found.slowest_s < DEADLINE_US / 1e6 + SLACK_S
    assert found.by_store <= LIMIT
    assert found.in_all <= LIMIT + WORKERS * (LIMIT // WORKERS)
    assert found.alone > 0


async def test_the_rest_of_a_cluster_goes_on_counting(frail_cluster: RedisCluster) -> None:
    """Without one of three primaries, accounts of the other two keep the common limit."""
    storm = Storm(frail_cluster.url)
    await storm.is_up()
    lost = frail_cluster.owner(KEYS.account(charge(1)))
    other = next(n for n in range(2, 99) if frail_cluster.owner(KEYS.account(charge(n))) is not lost)
    storm.strike(lost.kill)
    found = [await ledger.charge(charge(other, n, network=n)) for n in range(20) for ledger in storm.ledgers]
    await storm.end(asyncio.create_task(storm.run()))

    counted = [verdict for verdict in found if not verdict.own_families & 2]
    assert len(counted) == len(found)
    assert let_in(found) == LIMIT


async def test_a_replica_that_knew_less_is_promoted(frail_cluster: RedisCluster) -> None:
    """Row 99: charges that had not reached the promoted replica are lost; the limit passes once more at most."""
    primary = primary_of(frail_cluster)
    replica = next(node for node in frail_cluster.nodes if node.answers and _follows(node, primary))
    replica.pause()
    primary.cli("CLIENT", "KILL", "TYPE", "replica")  # or commands would wait for it in its socket

    def kill(server: RedisServer) -> None:
        assert server.cli("DBSIZE") > 0
        server.kill()
        replica.resume()
        assert replica.cli("DBSIZE") == 0

    found = await weather(frail_cluster, kill)

    assert found.answered == found.asked
    assert found.slowest_s < DEADLINE_US / 1e6 + SLACK_S
    assert found.by_store <= 2 * LIMIT
    assert found.in_all <= 2 * LIMIT + WORKERS * (LIMIT // WORKERS)


def _follows(node: RedisServer, primary: RedisServer) -> bool:
    role, *about = node.cli("ROLE")
    return bool(role == "slave" and about[1] == primary.port)


async def test_scripts_are_flushed_at_one_node_in_the_middle_of_a_storm(frail_cluster: RedisCluster) -> None:
    """Row 98: scripts flushed at one node cause no local verdict and no charge lost or doubled."""
    storm = Storm(frail_cluster.url)
    await storm.is_up()
    running = asyncio.create_task(storm.run())
    for _ in range(20):
        await asyncio.sleep(PAUSE_S)
        primary_of(frail_cluster).cli("SCRIPT", "FLUSH")
    await storm.end(running)
    found = books(storm)

    assert (found.answered, found.alone) == (found.asked, 0)
    assert found.in_all == LIMIT
