"""What a decision costs a Redis Cluster, and how that spreads: `python -m benchmarks.cluster [--quick]`.

A single Redis and Clusters of one, two and three primaries take turns; each decides the same failing attempts, every
one by identities of its own, from one worker with few or with many under way. Two cores cannot show by the clock what
three machines would do. What they can show is what each node spends on its core for a decision: a node that spends
20 µs has room for 50,000 a second, and a Cluster for as many as its busiest node has.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.progress import track

from benchmarks import arguments, measure
from benchmarks.lua import stuffing
from benchmarks.measure import median_interval
from benchmarks.result import interval_text, write_result
from benchmarks.tables import screen_table, wide_console
from sekisho.ledger.opening import ledger_on, open_line
from sekisho.settings import load
from tests.server_groups import RedisCluster
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from sekisho.model import Charge

PRIMARIES = (1, 2, 3)
AT_ONCE = (32, 384)  # attempts under way at a worker: one of many workers, and one that carries a flood by itself
PATIENT_US = 10_000_000  # no decision is to be lost to a deadline here
IDENTITIES = 5  # of each attempt: network, address, device, account, secret


class Cost(NamedTuple):
    """Of one decision.

    Attributes:
        node_us: time on its core, for each node.
        calls: of the script, over all nodes.
        worker_us: time of this process: packing, writing, reading.
        bytes: that Redis holds more of after it, over all nodes.
    """

    node_us: tuple[float, ...]
    calls: float
    worker_us: float
    bytes: float

    @property
    def busiest_us(self) -> float:
        return max(self.node_us)

    @property
    def balance(self) -> float:
        """The busiest node's share, as a multiple of an even one."""
        return self.busiest_us * len(self.node_us) / sum(self.node_us)


class Contender(NamedTuple):
    name: str
    url: str
    nodes: Sequence[RedisServer]


def contenders(stack: ExitStack) -> Iterator[Contender]:
    server = stack.enter_context(RedisServer())
    yield Contender("one Redis", server.url, [server])
    for primaries in PRIMARIES:
        cluster = stack.enter_context(RedisCluster(primaries, replicas=0))
        name = f"Cluster of {primaries}"
        yield Contender(name, cluster.url, cluster.primaries)


async def cost(contender: Contender, charges: list[Charge], at_once: int) -> Cost:
    """Decide these attempts once, on nodes that have not seen their identities."""
    for node in contender.nodes:
        node.cli("FLUSHALL")
    limits = load({}, ephemeral_secret=bytes(32)).limits
    line = open_line(contender.url, limits, deadline_us=PATIENT_US)
    ledger = ledger_on(line, contender.url, "bench", deadline_us=PATIENT_US)
    try:
        # The script is known everywhere, and connections are open, before anything is measured.
        await asyncio.gather(*[ledger.charge(each) for each in charges[:at_once]])
        waiting = iter(charges[at_once:])

        async def caller() -> None:
            for each in waiting:
                await ledger.charge(each)

        for node in contender.nodes:
            node.cli("CONFIG", "RESETSTAT")
        before = [_memory(node) for node in contender.nodes]
        cpu, own = [node.cpu_seconds() for node in contender.nodes], time.process_time()
        await asyncio.gather(*[caller() for _ in range(at_once)])
        own = time.process_time() - own
        spent = [node.cpu_seconds() - start for node, start in zip(contender.nodes, cpu, strict=True)]
    finally:
        await line.aclose()
    decided = len(charges) - at_once
    grown = sum(_memory(node) - start for node, start in zip(contender.nodes, before, strict=True))
    return Cost(
        tuple(seconds * 1e6 / decided for seconds in spent),
        sum(_calls(node) for node in contender.nodes) / decided,
        own * 1e6 / decided,
        grown / decided,
    )


def _memory(node: RedisServer) -> int:
    return int(node.cli("INFO", "memory")["used_memory"])


def _calls(node: RedisServer) -> int:
    stats = node.cli("INFO", "commandstats")["cmdstat_fcall"]
    if stats["failed_calls"]:
        raise RuntimeError("not every call ran as a script")
    return int(stats["calls"])


def measured(every: Sequence[Contender], rounds: int, attempts: int) -> list[dict[str, Any]]:
    chance = random.Random(7)
    costs: dict[tuple[str, int], list[Cost]] = {(each.name, at_once): [] for at_once in AT_ONCE for each in every}
    for _ in track(range(rounds), "Measuring"):
        charges = list(stuffing(chance, attempts + max(AT_ONCE)))
        for at_once in AT_ONCE:
            for each in every:
                costs[each.name, at_once].append(asyncio.run(cost(each, charges, at_once)))
    return [
        {"store": each.name, "nodes": len(each.nodes), "at_once": at_once}
        | _summary(costs[each.name, at_once], costs[every[0].name, at_once])
        for at_once in AT_ONCE
        for each in every
    ]


def _summary(costs: Sequence[Cost], single: Sequence[Cost]) -> dict[str, Any]:
    busiest = median_interval([each.busiest_us for each in costs])
    ratios = [one.busiest_us / each.busiest_us for each, one in zip(costs, single, strict=True)]
    return {
        "redis_us": median_interval([sum(each.node_us) for each in costs])._asdict(),
        "busiest_us": busiest._asdict(),
        "decisions_per_s": round(1e6 / busiest.median),
        "against_one": median_interval(ratios)._asdict(),
        "balance": median_interval([each.balance for each in costs])._asdict(),
        "calls": median_interval([each.calls for each in costs])._asdict(),
        "worker_us": median_interval([each.worker_us for each in costs])._asdict(),
        "bytes_an_identity": median_interval([each.bytes / IDENTITIES for each in costs])._asdict(),
    }


def cluster_table(rows: Sequence[dict[str, Any]]) -> Table:
    headings = ("store", "at once", "all nodes, µs", "busiest, µs", "room for /s", "against one", "balance", "calls")
    return screen_table(
        "A decision on one Redis and on Clusters: medians, and of the busiest node the 95% interval",
        (*headings, "worker, µs", "bytes an identity"),
        [
            (
                row["store"],
                str(row["at_once"]),
                f"{row['redis_us']['median']:.1f}",
                interval_text(row["busiest_us"], ".1f"),
                f"{row['decisions_per_s']:,}",
                f"{row['against_one']['median']:.2f} ×",
                f"{row['balance']['median']:.2f}",
                f"{row['calls']['median']:.2f}",
                f"{row['worker_us']['median']:.1f}",
                f"{row['bytes_an_identity']['median']:.0f}",
            )
            for row in rows
        ],
    )


def main() -> None:
    quick = arguments.parser(__doc__).parse_args().quick
    rounds, attempts = (6, 1_920) if quick else (20, 6_400)
    os.sched_setaffinity(0, {measure.SERVER_CORE})  # servers stay where they were started
    with ExitStack() as stack:
        every = list(contenders(stack))
        os.sched_setaffinity(0, {measure.LOAD_CORE})
        about = measure.machine(every[0].nodes[0])
        rows = measured(every, rounds, attempts)
    wide_console().print(cluster_table(rows))
    plan = {"rounds": rounds, "attempts": attempts}
    write_result("cluster", {"machine": about, "plan": plan, "stores": rows}, quick=quick)


if __name__ == "__main__":
    main()
