"""`memory://` beside a Redis: `python -m benchmarks.stores [--quick]`.

The cost of an attempt in server time, Redis' own included, and the memory that 50,000 strangers take. Each round has
new processes and an emptied Redis; both stores take turns. wrk sends wrong passwords, each from a network and for an
account of its own, until so many strangers have come. Both stores have room for all of them.
"""

from __future__ import annotations

import os
import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import arguments, measure
from benchmarks.measure import LOAD_CORE, Meter, Service, median_interval, status_bytes
from benchmarks.pairs import GUARDED, PLAIN
from benchmarks.result import interval_text, write_result
from benchmarks.tables import screen_table, wide_console
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

STRANGERS = 50_000
ROUNDS, QUICK_ROUNDS = 8, 2
ALL_COUNT = (("SEKISHO_MEMORY_ENTRIES_MAX", "1000000"), ("SEKISHO_STRANGERS_MAX", "10000"))
"""A stranger is five identities, and the default of 200,000 is for less; none is to wait for the application."""

MEMORY = (("BENCH_STORE", "memory://"), *ALL_COUNT)
REDIS = (("SEKISHO_STORE_DEADLINE_MS", "2000"), *ALL_COUNT)
STORES = {
    "memory://": GUARDED._replace(settings=MEMORY),
    "Redis": GUARDED._replace(settings=REDIS),
    "memory://, not compiled": PLAIN._replace(settings=MEMORY),
    "Redis, not compiled": PLAIN._replace(settings=REDIS),
}


class Spent(NamedTuple):
    """What the strangers of one round took.

    Attributes:
        server_us, redis_us: processor time for each attempt.
        server_mib: growth of the server's memory, for 50,000 of them.
        redis_mib: that of Redis.
    """

    server_us: float
    redis_us: float
    server_mib: float
    redis_mib: float

    @property
    def whole_us(self) -> float:
        return self.server_us + self.redis_us


def spent(service: Service, redis: RedisServer, meter: Meter) -> Spent:
    """A server's first 50,000 strangers or a few more. Raises `RuntimeError` if some were refused."""
    redis.cli("FLUSHALL")
    with service.start(redis, {}) as server:
        server.wait_until_up()
        before = status_bytes(server.pid, "VmRSS"), used(redis)
        slices, requests = [], 0
        while requests < STRANGERS:
            slices.append(meter.slice(server, "fail", seconds=2))
            requests += slices[-1].requests
        if server.reached() < requests:
            raise RuntimeError("strangers were refused, who cost less")
        grown = status_bytes(server.pid, "VmRSS") - before[0], used(redis) - before[1]
    return Spent(
        server_us=sum(one.cpu_us * one.requests for one in slices) / requests,
        redis_us=sum(one.redis_us * one.requests for one in slices) / requests,
        server_mib=grown[0] * STRANGERS / requests / 2**20,
        redis_mib=grown[1] * STRANGERS / requests / 2**20,
    )


def used(redis: RedisServer) -> int:
    return int(redis.cli("INFO", "memory")["used_memory"])


def summed(rounds: Sequence[Spent]) -> dict[str, Any]:
    return {
        "whole_us": median_interval([one.whole_us for one in rounds])._asdict(),
        **{name: statistics.median(getattr(one, name) for one in rounds) for name in Spent._fields},
    }


def store_table(found: Mapping[str, Mapping[str, Any]]) -> Table:
    return screen_table(
        f"An attempt, and {STRANGERS:,} strangers",
        ("store", "an attempt, µs", "server", "Redis", "server, MiB", "Redis, MiB"),
        [
            (name, interval_text(one["whole_us"], ".1f"), *(f"{one[field]:.1f}" for field in Spent._fields))
            for name, one in found.items()
        ],
    )


def main() -> None:
    quick = arguments.parser(__doc__, quick="two rounds, not compiled").parse_args().quick
    measure.require_tools()
    chosen = {name: one for name, one in STORES.items() if not (quick and one.compiled)}
    rounds: dict[str, list[Spent]] = {name: [] for name in chosen}
    os.sched_setaffinity(0, {LOAD_CORE})  # and with it Redis, which inherits it
    with RedisServer() as redis:
        about, meter = measure.machine(redis), Meter(redis)
        for number in range(QUICK_ROUNDS if quick else ROUNDS):
            for name in sorted(chosen, reverse=number % 2 == 1):
                rounds[name].append(spent(chosen[name], redis, meter))
    found = {name: summed(each) for name, each in rounds.items()}
    wide_console().print(store_table(found))
    write_result("stores", {"machine": about, "strangers": STRANGERS, "stores": found}, quick=quick)


if __name__ == "__main__":
    main()
