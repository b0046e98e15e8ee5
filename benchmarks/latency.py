"""How long a log-in waits at fixed rates: `python -m benchmarks.latency [--quick]`.

The bare endpoint and the guarded one under an open loop (`benchmarks.open_loop`), at shares of what the guarded one can
answer at all, and the bare one at half of what it can itself. Every rate in turn, and all of it again in every round;
a run in which the generator was late is thrown away and done again.
"""

from __future__ import annotations

import os
import statistics
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import arguments, measure, open_loop
from benchmarks.login_post import numbered_login
from benchmarks.measure import Meter, Server, Service, median_interval
from benchmarks.open_loop import OpenLoop, Run, poisson
from benchmarks.pairs import BARE, GUARDED, followed
from benchmarks.result import draw_result, interval_text, write_result
from benchmarks.tables import screen_table, wide_console
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
HALF = 0.5
PERCENTILES = ("p50", "p90", "p99", "p99.9")
TRIES_MAX = 3
FIRST_NUMBER = 2_000_000  # beyond what finding the saturation has used


class Plan(NamedTuple):
    """`rounds` of every rate, for so long each; new processes every `rounds_per_start`."""

    rounds: int = 9
    rounds_per_start: int = 3
    seconds: float = 3.0
    warm_s: float = 0.5
    shares: Sequence[float] = SHARES
    saturation_slices: int = 3


QUICK = Plan(rounds=2, rounds_per_start=2, seconds=1.0, shares=(0.1, 0.5, 0.9), saturation_slices=1)


class Point(NamedTuple):
    """A rate at which a service is asked.

    Attributes:
        share: of the saturation of `of`.
        rate: requests a second.
    """

    service: Service
    share: float
    of: Service
    rate: float


class Latency:
    """Runs a plan on one Redis."""

    def __init__(self, plan: Plan, redis: RedisServer) -> None:
        self._plan = plan
        self._redis = redis
        self._meter = Meter(redis)
        self._number = FIRST_NUMBER
        self.saturation: dict[Service, float] = {}
        self.runs: dict[Point, dict[int, Run]] = {}  # by round
        self.refused: dict[Point, list[str]] = {}

    @property
    def steps(self) -> int:
        return self._plan.rounds * (2 * len(self._plan.shares) + 1)

    def measure_points(self) -> Iterator[None]:
        """Yields after each run, for the progress bar."""
        for numbers in measure.starts(self._plan.rounds, self._plan.rounds_per_start):
            with ExitStack() as stack:
                servers = {one: stack.enter_context(one.start(self._redis, {})) for one in (BARE, GUARDED)}
                for server in servers.values():
                    server.wait_until_up()
                    self._meter.slice(server, "fail", seconds=1)
                if not self.saturation:
                    self.saturation = {one: self._saturation(server) for one, server in servers.items()}
                for number in numbers:
                    for point in self.points():
                        self._measure(point, servers[point.service], number)
                        yield

    def points(self) -> list[Point]:
        """Both at each share of what the guarded one can do, side by side; the bare one at half of its own."""
        guarded, bare = self.saturation[GUARDED], self.saturation[BARE]
        shared = [
            Point(service, share, GUARDED, share * guarded)
            for share in self._plan.shares
            for service in (BARE, GUARDED)
        ]
        return [*shared, Point(BARE, HALF, BARE, HALF * bare)]

    def _saturation(self, server: Server) -> float:
        slices = [self._meter.slice(server, "fail", seconds=2) for _ in range(self._plan.saturation_slices)]
        return statistics.median(one.per_second for one in slices)

    def _measure(self, point: Point, server: Server, number: int) -> None:
        """One run at a rate; done again where the generator was late, and left out where it always was."""
        for again in range(TRIES_MAX):
            self._redis.cli("FLUSHALL")
            due = poisson(point.rate, self._plan.warm_s + self._plan.seconds, number + 1_000 * again)
            requests = [numbered_login("fail", self._number + place) for place in range(len(due))]
            self._number += len(due)
            with OpenLoop(server.port) as generator, open_loop.first_on_its_core():
                run = generator.send_when_due(requests, due).after(due, self._plan.warm_s)
            if wrong := {status for status in run.statuses if status != b"401"}:
                raise SystemExit(f"at {point.rate:.0f}/s, failing log-ins were answered {wrong}")
            if not (why := run.refusal()):
                self.runs.setdefault(point, {})[number] = run
                return
            self.refused.setdefault(point, []).append(why)


def report(found: Latency) -> dict[str, Any]:
    return {
        "saturation": {one.app: rate for one, rate in found.saturation.items()},
        "points": [_row(point, found) for point in found.points()],
        "p99_at_half": at_half(found.runs),
    }


def _row(point: Point, found: Latency) -> dict[str, Any]:
    runs = list(found.runs.get(point, {}).values())
    measured = [run.percentiles_us() for run in runs]
    return {
        "service": point.service.app,
        "share": point.share,
        "of": point.of.app,
        "rate": point.rate,
        "runs": len(runs),
        "refused": found.refused.get(point, []),
        "requests": sum(len(run.latency) for run in runs),
        "lost": sum(run.lost for run in runs),
        "queued": sum(run.queued for run in runs),
        "generator_cpu_share": max((run.cpu_share for run in runs), default=None),
        "late_p99_us": max((each["late_p99"] for each in measured), default=None),
        "latency_us": {
            name: median_interval([each[name] for each in measured])._asdict() for name in PERCENTILES if measured
        },
    }


def at_half(runs: Mapping[Point, Mapping[int, Run]]) -> dict[str, Any]:
    """The guarded 99th percentile at half of its saturation over the bare one's, round by round: at half of that one's
    own saturation, and at the same rate. Of rounds in which neither was refused.
    """
    p99 = {
        (point.service, point.of): {number: run.percentiles_us()["p99"] for number, run in each.items()}
        for point, each in runs.items()
        if point.share == HALF
    }
    guarded = p99.get((GUARDED, GUARDED), {})
    found = {}
    for name, of in (("over_bare_at_half_of_its_own", BARE), ("over_bare_at_the_same_rate", GUARDED)):
        bare = p99.get((BARE, of), {})
        ratios = [guarded[number] / bare[number] for number in guarded.keys() & bare.keys()]
        found[name] = median_interval(ratios)._asdict() if ratios else None
    return found


RATE_HEADINGS = ("service", "req/s", *PERCENTILES, "generator late, p99 at most", "runs kept / refused")


def rate_rows(found: Mapping[str, Any]) -> list[Sequence[str]]:
    """A row for each rate, for the screen and the page."""
    return [
        (
            f"{row['service']} at {row['share']:.0%} of {row['of']}",
            f"{row['rate']:,.0f}",
            *([interval_text(row["latency_us"][name], ",.0f") for name in PERCENTILES] if row["runs"] else _REFUSED),
            "" if row["late_p99_us"] is None else f"{row['late_p99_us']:.0f}",
            f"{row['runs']} / {len(row['refused'])}",
        )
        for row in found["points"]
    ]


_REFUSED = ["refused"] * len(PERCENTILES)


def main() -> None:
    quick = arguments.parser(__doc__, quick="two short rounds").parse_args().quick
    measure.require_tools()
    os.sched_setaffinity(0, {measure.LOAD_CORE})  # and with it Redis and wrk, which inherit it
    plan, console = QUICK if quick else Plan(), wide_console()
    # A store that grows would stand still for a millisecond ten times a second (docs/capacity.md).
    with RedisServer("--activerehashing", "no") as redis:
        about = measure.machine(redis)
        latency = Latency(plan, redis)
        followed(latency.measure_points(), latency.steps, console)
    found = report(latency)
    rates = ", ".join(f"{name} {rate:,.0f}" for name, rate in found["saturation"].items())
    title = f"Latency in µs under an open loop, median of rounds. Saturation by wrk, req/s: {rates}"
    console.print(screen_table(title, RATE_HEADINGS, rate_rows(found)))
    for name, ratio in found["p99_at_half"].items():
        times = interval_text(ratio) if ratio else "?"
        console.print(f"p99 at half of saturation, {name.replace('_', ' ')}: {times}")
    about_plan = plan._asdict() | {"connections": open_loop.CONNECTIONS}
    kept = write_result("latency", {"machine": about, "plan": about_plan, **found}, quick=quick)
    draw_result("latency", kept, quick=quick)


if __name__ == "__main__":
    main()
