"""What each guard costs a log-in over HTTP: `python -m benchmarks.over_http [--quick] [--only NAME]…`.

One run on loopback: a bare endpoint, this guard and four others, all on one real Redis, measured in interleaved pairs
(bare, variant) as `benchmarks/README.md` says. Writes JSON and a picture to `benchmarks/results/`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from benchmarks import measure, picture
from benchmarks.measure import Interval, Server, Slice, median_interval
from tests.servers import RedisServer, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True, slots=True)
class Variant:
    """One guard under one load.

    Attributes:
        name: as the table and the picture call it.
        app: module in `benchmarks.apps`.
        load: what `attack.lua` sends; the bare endpoint beside it gets the same.
        lead_in_seconds: how long the load runs before it is measured.
        ours: of this project; all others are peers.
        against: the app of the other half of each pair.
    """

    name: str
    app: str
    load: str = "fail"
    lead_in_seconds: int = 0
    ours: bool = False
    against: str = "bare"

    def fits(self, seen: Slice) -> bool:
        """Whether the guard did what this variant is meant to measure."""
        if self.load == "shed":
            return seen.reached < 0.05 * seen.requests
        return seen.reached >= seen.requests


VARIANTS = (
    Variant("sekisho, allowed", "guarded", ours=True),
    Variant("sekisho, allowed, right passwords", "guarded", load="success", ours=True),
    # A worker remembers a refusal once the charges under it are two seconds old: until then they may yet be given back.
    Variant("sekisho, shed", "guarded", load="shed", lead_in_seconds=3, ours=True),
    Variant("throttled-py (GCRA)", "with_throttled"),
    Variant("limits (sliding window counter)", "with_limits"),
    Variant("fastapi-limiter", "with_fastapi_limiter"),
    Variant("slowapi", "with_slowapi"),
)


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
                {"bare": bare._asdict(), "guarded": guarded._asdict()}
                for bare, guarded in zip(self.bare, self.guarded, strict=True)
            ],
        }

    @property
    def speed_of_bare(self) -> Interval:
        return median_interval(self.speed)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. New processes every `rounds_per_start` rounds: where memory lies differs from start to
    start by several per cent of speed, and one lucky start would be measured to three digits.
    """

    rounds: int = 20
    rounds_per_start: int = 5
    seconds: int = 2


class Bench:
    """Runs a plan: servers up, slices in turn, everything down."""

    def __init__(
        self, variants: Sequence[Variant], plan: Plan, redis: RedisServer, environment: Mapping[str, str] | None = None
    ) -> None:
        """`environment` is for the servers, beside `BENCH_STORE`."""
        self._plan = plan
        self._redis = redis
        self._environment = {"BENCH_STORE": redis.url, **(environment or {})}
        self._attempts = 0  # of all slices so far, so that no slice repeats another's accounts
        self.measured = [Pairs(variant) for variant in variants]

    @property
    def slices(self) -> int:
        return 2 * len(self.measured) * self._plan.rounds

    def run(self) -> Iterator[None]:
        """Yields after each slice, for the progress bar."""
        for start in range(0, self._plan.rounds, self._plan.rounds_per_start):
            with ExitStack() as stack:
                servers = self._start(stack)
                for number in range(start, min(start + self._plan.rounds_per_start, self._plan.rounds)):
                    for pairs in self.measured:
                        yield from self._pair(pairs, servers, bare_first=number % 2 == 0)

    def _start(self, stack: ExitStack) -> dict[str, Server]:
        apps = {app for pairs in self.measured for app in (pairs.variant.app, pairs.variant.against)}
        servers = {
            app: stack.enter_context(Server(f"benchmarks.apps.{app}:app", free_port(), self._environment))
            for app in sorted(apps)
        }
        for server in servers.values():
            server.wait_until_up()
            self._slice(server, "fail", seconds=1)  # connections, caches and code paths warm
        return servers

    def _pair(self, pairs: Pairs, servers: dict[str, Server], *, bare_first: bool) -> Iterator[None]:
        """One slice each. Who goes first alternates: a machine that slows down would else favour the first."""
        both = [(pairs.bare, servers[pairs.variant.against]), (pairs.guarded, servers[pairs.variant.app])]
        for slices, server in both if bare_first else reversed(both):
            self._redis.cli("FLUSHALL")
            if slices is pairs.guarded and pairs.variant.lead_in_seconds:
                self._slice(server, pairs.variant.load, seconds=pairs.variant.lead_in_seconds)
            slices.append(self._slice(server, pairs.variant.load, seconds=self._plan.seconds))
            yield
        if not pairs.variant.fits(pairs.guarded[-1]):
            raise SystemExit(f"{pairs.variant.name} did not do what it is measured for: {pairs.guarded[-1]}")

    def _slice(self, server: Server, load: str, *, seconds: int) -> Slice:
        before = server.cpu_seconds(), self._redis.cpu_seconds(), server.reached()
        report = measure.attack(server.url, load=load, first=self._attempts, seconds=seconds)
        after = server.cpu_seconds(), self._redis.cpu_seconds(), server.reached()
        self._attempts += report["requests"] + measure.CONNECTIONS
        requests = report["requests"]
        return Slice(
            cpu_us=(after[0] - before[0]) * 1e6 / requests,
            redis_us=(after[1] - before[1]) * 1e6 / requests,
            per_second=requests / report["seconds"],
            p50_ms=report["p50_ms"],
            p99_ms=report["p99_ms"],
            requests=requests,
            reached=after[2] - before[2],
        )


def over_fastest_peer(measured: Sequence[Pairs]) -> dict[str, Any] | None:
    """How many times faster than the fastest peer ours is on the allowed path, round by round."""
    peers = [pairs for pairs in measured if not pairs.variant.ours]
    ours = next((pairs for pairs in measured if pairs.variant.ours and pairs.variant.load == "fail"), None)
    if not peers or not ours:
        return None
    peer = max(peers, key=lambda pairs: pairs.speed_of_bare.median)
    times = [a / b for a, b in zip(ours.speed, peer.speed, strict=True)]
    return {"peer": peer.variant.name, "times": median_interval(times)._asdict()}


def table(measured: Sequence[Pairs]) -> Table:
    out = Table(title="Server time per log-in, by pairs with the bare endpoint: median (95%)")
    for heading in ("variant", "of bare's speed", "server µs", "Redis µs", "req/s", "p50 / p99 ms"):
        out.add_column(heading, justify="left" if heading == "variant" else "right", no_wrap=True)
    out.add_row("bare endpoint", "100%", *_costs([bare for pairs in measured for bare in pairs.bare]))
    for pairs in measured:
        low, speed, high = pairs.speed_of_bare
        out.add_row(pairs.variant.name, f"{speed:.0%} ({low:.1%} - {high:.1%})", *_costs(pairs.guarded))
    return out


def _costs(slices: Sequence[Slice]) -> list[str]:
    middle = Slice(*(statistics.median(column) for column in zip(*slices, strict=True)))
    return [
        f"{middle.cpu_us:.1f}",
        f"{middle.redis_us:.1f}",
        f"{middle.per_second:,.0f}",
        f"{middle.p50_ms:.1f} / {middle.p99_ms:.1f}",
    ]


def main() -> None:
    options = _options()
    measure.require_tools()
    os.sched_setaffinity(0, {measure.LOAD_CORE})  # and with it Redis and wrk, which inherit it
    variants = [variant for variant in VARIANTS if not options.only or variant.app in options.only]
    plan = Plan(rounds=6, rounds_per_start=3, seconds=1) if options.quick else Plan()
    console = Console(width=max(120, Console().width))
    with RedisServer() as redis:
        about = measure.machine() | {"redis": redis.cli("INFO", "server")["redis_version"]}
        bench = Bench(variants, plan, redis)
        _run(bench, console)
    _report(bench.measured, plan, about, console, stem="http-quick" if options.quick else "http")


def _run(bench: Bench, console: Console) -> None:
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Measuring", total=bench.slices)
        for _ in bench.run():
            progress.advance(task)


def _report(measured: Sequence[Pairs], plan: Plan, about: dict[str, Any], console: Console, *, stem: str) -> None:
    ahead = over_fastest_peer(measured)
    result = {
        "when": time.strftime("%Y-%m-%d"),
        "machine": about,
        "plan": {"rounds": plan.rounds, "seconds": plan.seconds, "connections": measure.CONNECTIONS},
        "over_fastest_peer": ahead,
        "variants": [pairs.report() for pairs in measured],
    }
    console.print(table(measured))
    if ahead:
        low, times, high = ahead["times"].values()
        console.print(f"On the allowed path {times:.2f} times ({low:.2f} - {high:.2f}) as fast as {ahead['peer']}.")
    _RESULTS.mkdir(exist_ok=True)
    (_RESULTS / f"{stem}.json").write_text(json.dumps(result, indent=1) + "\n")
    picture.bars(result, _RESULTS / f"{stem}.svg")
    console.print(f"Written: benchmarks/results/{stem}.json and {stem}.svg")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="six short rounds: a first look, not a result")
    apps = sorted({variant.app for variant in VARIANTS})
    parser.add_argument("--only", action="append", choices=apps, metavar="APP", help=f"of {', '.join(apps)}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
