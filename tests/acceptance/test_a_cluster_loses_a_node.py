"""Promised: losing a primary of a Redis Cluster during an attack costs owners nothing and helps attackers little.

The whole path from request to answer, at two workers configured by their environment.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from sekisho import LoginGuard
from tests.asgi.driving import RULED, Answer, Shop, address, log_in
from tests.store.lines import SLACK_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.server_groups import ClusterNode, RedisCluster

L = 6
WORKERS = 2
DEADLINE_S = 0.5
SETTINGS = {
    "SECRET": "only for tests: this signs nothing that matters",
    "LOGIN": RULED,
    "LIMIT_ACCOUNT": f"{L}/hour",
    "LIMIT_IP": "100000/hour",
    "LIMIT_NETWORK": "100000/hour",
    "LIMIT_DEVICE": "100000/hour",
    "CHALLENGES": "none",  # the limits alone: a refusal differs from a wrong guess by its status
    "WORKERS": f"{WORKERS}",
    "STORE_DEADLINE_MS": f"{DEADLINE_S * 1000:.0f}",
    "CANARY": "off",  # its look at the start would count as an attempt that reached the application
}


class Site:
    """Two workers of one shop, with all questions and answers."""

    def __init__(self) -> None:
        self.shop = Shop()
        self.guards = [LoginGuard(self.shop) for _ in range(WORKERS)]
        self.asked = 0
        self.device = ""
        self.guesses = Counter[int]()
        self.owners = Counter[int]()
        self.slowest_s = 0.0

    async def log_in(self, worker: int, account: str, password: str, device: str = "") -> Answer:
        """Log in from a fresh address."""
        self.asked += 1
        start = time.monotonic()
        answer = await log_in(self.guards[worker], account, password, client=address(self.asked), token=device)
        self.slowest_s = max(self.slowest_s, time.monotonic() - start)
        return answer

    async def guess(self, worker: int, account: str = "hana") -> None:
        answer = await self.log_in(worker, account, f"guess {self.asked}")
        self.guesses[answer.status] += 1

    async def owner(self) -> None:
        """The owner's log-in at either worker, from the own device."""
        answer = await self.log_in(self.asked % WORKERS, "hana", "right", self.device)
        self.owners[answer.status] += 1
        self.device = answer.device or self.device

    async def wave(self) -> None:
        """A dozen guesses at each worker, and the owner among them."""
        guesses = [self.guess(worker) for worker in range(WORKERS) for _ in range(12)]
        await asyncio.gather(*guesses, self.owner())

    def news(self, what: str) -> int:
        """How often the workers have reported that the store `answers` or is `lost`."""
        return sum(guard.counts["", "store", what] for guard in self.guards)

    async def storm_until(self, what: str, times: int) -> None:
        async with asyncio.timeout(60):
            while self.news(what) < times:
                await self.wave()

    async def stop(self) -> None:
        for guard in self.guards:
            if guard._loops is not None:
                await guard._loops.stop()


@pytest.fixture
async def site(frail_cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    for name, value in {**SETTINGS, "STORE": frail_cluster.url}.items():
        monkeypatch.setenv(f"SEKISHO_{name}", value)
    found = Site()
    yield found
    await found.stop()


def node_of_the_only_account(cluster: RedisCluster) -> ClusterNode:
    script = "return #redis.call('KEYS', 'sekisho:{*}a*')"
    (found,) = [node for node in cluster.primaries if node.cli("EVAL", script, 0)]
    return found


@pytest.mark.parametrize("how", ["kill", "pause"])
async def test_a_primary_is_lost_in_the_middle_of_an_attack(site: Site, frail_cluster: RedisCluster, how: str) -> None:
    """All are answered in time, the limit and the workers' shares hold, the owner is never refused, and the Cluster
    recovers.
    """
    await site.owner()
    await site.storm_until("answers", WORKERS)
    for _ in range(5):
        await site.wave()
    before = site.guesses[401]

    getattr(node_of_the_only_account(frail_cluster), how)()
    await site.storm_until("lost", WORKERS)
    await site.storm_until("answers", 2 * WORKERS)
    for _ in range(5):
        await site.wave()

    assert before == L
    assert site.guesses.keys() == {401, 429}
    assert site.guesses[401] + sum(site.owners.values()) == len(site.shop.reached)
    assert site.guesses[401] <= L + WORKERS * (L // WORKERS)
    assert site.owners.keys() == {303}
    assert site.slowest_s < DEADLINE_S + SLACK_S

    # Afterwards both count together again, at a fresh account.
    before = site.guesses[401]
    await asyncio.gather(*[site.guess(n % WORKERS, "kenji") for n in range(40)])
    assert site.guesses[401] - before == L
