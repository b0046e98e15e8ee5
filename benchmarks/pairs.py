"""Slices in pairs: what every comparison of servers is made of.

A slice of load on one service and one on another right after it, in turns, with new processes every few rounds; the
figure is the median of the pairs' ratios.
"""

from __future__ import annotations

import os
import statistics
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from benchmarks import measure
from benchmarks.measure import Interval, Meter, Server, Service, Slice, median_interval
from benchmarks.result import interval_text
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import Console

BARE = Service("bare")
GUARDED = Service("guarded", compiled=True)
PLAIN = GUARDED._replace(compiled=False)


@dataclass(frozen=True, slots=True)
class Variant:
    """One service under one load.

    Attributes:
        name: as the table and the picture call it.
        service: the measured service.
        load: what `script` sends; the service beside it gets the same.
        lead_in_seconds: how long the load runs before it is measured.
        ours: of this project; all others are peers.
        against: the other half of each pair.
        connections: of the load generator.
        script: of this folder, for wrk.
    """

    name: str
    service: Service
    load: str = "fail"
    lead_in_seconds: int = 0
    ours: bool = False
    against: Service = BARE
    connections: int = measure.CONNECTIONS
    script: str = "attack.lua"

    def fits(self, seen: Slice) -> bool:
        """Whether the guard did what this variant is meant to measure."""
        if self.load == "shed":
            return seen.reached < 0.05 * seen.requests
        if self.script == "share.lua":
            return abs(1 - float(self.load) - seen.reached / seen.requests) < 0.05
        return seen.reached >= seen.requests


@dataclass(slots=True)
class Pairs:
    """All that was measured of one variant: slices of the bare endpoint (or of what it is held `against`) and of the
    variant, side by side.
    """

    variant: Variant
    bare: list[Slice] = field(default_factory=list)
    guarded: list[Slice] = field(default_factory=list)

    @property
    def speed(self) -> list[float]:
        """For each pair, how fast the variant is by server time: 1 is bare, less is slower."""
        return [bare.cpu_us / guarded.cpu_us for bare, guarded in zip(self.bare, self.guarded, strict=True)]

    def report(self) -> dict[str, Any]:
        return {
            "name": self.variant.name,
            "load": self.variant.load,
            "ours": self.variant.ours,
            "speed_of_bare": self.speed_of_bare._asdict(),
            "server_cpu_us": median_interval([s.cpu_us for s in self.guarded])._asdict(),
            "bare_server_cpu_us": median_interval([s.cpu_us for s in self.bare])._asdict(),
            "redis_cpu_us": median_interval([s.redis_us for s in self.guarded])._asdict(),
            "requests_per_second": median_interval([s.per_second for s in self.guarded])._asdict(),
            "bare_requests_per_second": median_interval([s.per_second for s in self.bare])._asdict(),
            "p50_ms": statistics.median(s.p50_ms for s in self.guarded),
            "p99_ms": statistics.median(s.p99_ms for s in self.guarded),
            "pairs": [
                {"bare": _short(bare), "guarded": _short(guarded)}
                for bare, guarded in zip(self.bare, self.guarded, strict=True)
            ],
        }

    @property
    def speed_of_bare(self) -> Interval:
        return median_interval(self.speed)


def _short(seen: Slice) -> dict[str, float]:
    return {name: round(value, 3) for name, value in seen._asdict().items()}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. New processes every `rounds_per_start` rounds: where memory lies differs from start to
    start by several per cent of speed, and one lucky start would be measured to three digits.
    """

    rounds: int = 20
    rounds_per_start: int = 5
    seconds: int = 2

    def report(self) -> dict[str, int]:
        return {"rounds": self.rounds, "seconds": self.seconds, "connections": measure.CONNECTIONS}


QUICK = Plan(rounds=6, rounds_per_start=3, seconds=1)


class Bench:
    """Runs a plan: servers up, slices in turn, everything down."""

    def __init__(
        self, variants: Sequence[Variant], plan: Plan, redis: RedisServer, environment: Mapping[str, str] | None = None
    ) -> None:
        """`environment` is for the servers, beside `BENCH_STORE`."""
        self._plan = plan
        self._redis = redis
        self._environment = environment or {}
        self._meter = Meter(redis)
        self.measured = [Pairs(variant) for variant in variants]

    @property
    def slices(self) -> int:
        return 2 * len(self.measured) * self._plan.rounds

    def measure_slices(self) -> Iterator[None]:
        """Yields after each slice, for the progress bar."""
        for numbers in measure.starts(self._plan.rounds, self._plan.rounds_per_start):
            with ExitStack() as stack:
                servers = self._start(stack)
                for number in numbers:
                    for pairs in self.measured:
                        yield from self._pair(pairs, servers, bare_first=number % 2 == 0)

    def _start(self, stack: ExitStack) -> dict[Service, Server]:
        services = dict.fromkeys(
            service for pairs in self.measured for service in (pairs.variant.service, pairs.variant.against)
        )
        servers = {service: stack.enter_context(service.start(self._redis, self._environment)) for service in services}
        for server in servers.values():
            server.wait_until_up()
            self._meter.slice(server, "fail", seconds=1)  # connections, caches and code paths warm
        return servers

    def _pair(self, pairs: Pairs, servers: Mapping[Service, Server], *, bare_first: bool) -> Iterator[None]:
        """One slice each, in alternating order: a machine that slows down would otherwise favour the first."""
        variant = pairs.variant
        both = [(pairs.bare, variant.against), (pairs.guarded, variant.service)]
        for slices, service in both if bare_first else reversed(both):
            self._redis.cli("FLUSHALL")
            if variant.lead_in_seconds and service.app != BARE.app:
                self._slice(variant, servers[service], seconds=variant.lead_in_seconds)
            slices.append(self._slice(variant, servers[service], seconds=self._plan.seconds))
            yield
        if not variant.fits(pairs.guarded[-1]):
            raise SystemExit(f"{variant.name} did not do what it is measured for: {pairs.guarded[-1]}")

    def _slice(self, variant: Variant, server: Server, *, seconds: int) -> Slice:
        return self._meter.slice(
            server, variant.load, seconds=seconds, connections=variant.connections, script=variant.script
        )


def measured(variants: Sequence[Variant], plan: Plan, console: Console) -> tuple[list[Pairs], dict[str, Any]]:
    """Everything of a plan, on a Redis of its own, with a progress bar; and on which machine."""
    measure.require_tools()
    os.sched_setaffinity(0, {measure.LOAD_CORE})  # and with it Redis and wrk, which inherit it
    with RedisServer() as redis:
        about = measure.machine(redis)
        bench = Bench(variants, plan, redis)
        followed(bench.measure_slices(), bench.slices, console)
    return bench.measured, about


def followed(steps: Iterable[None], total: int, console: Console) -> None:
    """Go through the steps, with a progress bar."""
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Measuring", total=total)
        for _ in steps:
            progress.advance(task)


def pair_headings(speed: str) -> Sequence[str]:
    return ("", speed, "server µs", "beside it µs", "Redis µs", "req/s", "p50 / p99 ms, saturated")


def pair_rows(reports: Iterable[Mapping[str, Any]]) -> list[Sequence[str]]:
    """A row for each variant, for the screen and the page."""
    return [
        (
            row["name"],
            interval_text(row["speed_of_bare"], ".1%"),
            interval_text(row["server_cpu_us"], ".1f"),
            interval_text(row["bare_server_cpu_us"], ".1f"),
            f"{row['redis_cpu_us']['median']:.1f}",
            f"{row['requests_per_second']['median']:,.0f}",
            f"{row['p50_ms']:.1f} / {row['p99_ms']:.1f}",
        )
        for row in reports
    ]
