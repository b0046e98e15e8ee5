"""What an attempt costs as something grows: `python -m benchmarks.growth [--quick] [--largest]`.

Four curves of server and Redis time for each attempt, beside the bare endpoint: over the number of limits on every
dimension, of connections at once, over the share of attempts that are refused, and over the identities that Redis
holds (10⁴ to 10⁶; with `--largest` 10⁷, which takes some minutes to fill and some gigabytes).
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import arguments, pairs
from benchmarks.measure import Meter, Server, Service, Slice
from benchmarks.pairs import BARE, GUARDED, Pairs, Plan, Variant
from benchmarks.result import draw_result, interval_text, write_result
from benchmarks.tables import screen_table, wide_console
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console
    from rich.table import Table

CONNECTIONS = (1, 4, 16, 64, 256, 1_024)
SHARES = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
LIMITS = (1, 2, 3, 4)
IDENTITIES, LARGEST = (10_000, 100_000, 1_000_000), 10_000_000
IDENTITIES_EACH = 5  # an attempt from IPv4: its network, address, device, account and secret
FIGURES = ("server_cpu_us", "bare_server_cpu_us", "redis_cpu_us", "requests_per_second", "bare_requests_per_second")
PLAN = Plan(rounds=8, rounds_per_start=4, seconds=2)


class Curve(NamedTuple):
    """Attributes:
    name: of what grows.
    scale: of the axis it is drawn on.
    points: the measured figures, by growth.
    """

    name: str
    scale: str
    points: Sequence[tuple[float, Variant]]


def _limited(limits: int) -> Service:
    return Service("guarded_with_limits", settings=(("BENCH_LIMITS", str(limits)),), compiled=True)


CURVES = (
    Curve(
        "limits on each dimension",
        "linear",
        [(n, Variant(f"{n} limits", _limited(n))) for n in LIMITS],
    ),
    Curve(
        "connections at once",
        "log",
        [(n, Variant(f"{n} connections", GUARDED, connections=n)) for n in CONNECTIONS],
    ),
    Curve(
        "share of attempts from one refused address",
        "linear",
        [(n, Variant(f"{n:.0%} refused", GUARDED, load=f"{n}", script="share.lua", lead_in_seconds=3)) for n in SHARES],
    ),
)


def grown(plan: Plan, console: Console) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The curves whose points are services or loads: all points in turn, as everywhere."""
    found, about = pairs.measured([variant for curve in CURVES for _, variant in curve.points], plan, console)
    by_variant = {one.variant.name: one for one in found}
    curves = [
        {
            "name": curve.name,
            "scale": curve.scale,
            "points": [_point(at, by_variant[variant.name]) for at, variant in curve.points],
        }
        for curve in CURVES
    ]
    return curves, about


def _point(at: float, found: Pairs) -> dict[str, Any]:
    return {
        "at": at,
        **{name: value for name, value in found.report().items() if name not in {"ours", "load", "pairs"}},
    }


class Filled:
    """The curve over what Redis holds: it is filled once, measured, and filled further."""

    def __init__(self, plan: Plan, levels: Sequence[int], redis: RedisServer) -> None:
        self._plan = plan
        self._levels = levels
        self._redis = redis
        self._meter = Meter(redis)
        self.points: list[dict[str, Any]] = []

    @property
    def steps(self) -> int:
        return len(self._levels) * (1 + self._plan.rounds)

    def measure_levels(self) -> Iterator[None]:
        """Yields after each filling and each pair, for the progress bar."""
        with ExitStack() as stack:
            bare, guarded = (stack.enter_context(one.start(self._redis, {})) for one in (BARE, GUARDED))
            for server in (bare, guarded):
                server.wait_until_up()
                self._meter.slice(server, "fail", seconds=1)
            self._redis.cli("FLUSHALL")
            held, empty = 0, self._redis_bytes()
            for level in self._levels:
                held += self._fill(guarded, level - held)
                yield
                found = Pairs(Variant(f"{level:,} identities", GUARDED))
                for number in range(self._plan.rounds):
                    held += self._pair(found, bare, guarded, bare_first=number % 2 == 0)
                    yield
                self.points.append(_point(level, found) | {"held": held, "redis_bytes": self._redis_bytes() - empty})

    def _redis_bytes(self) -> int:
        return int(self._redis.cli("INFO", "memory")["used_memory"])

    def _fill(self, server: Server, identities: int) -> int:
        """Fill the store by attempts over HTTP, so that its records are those of attempts. Returns their number."""
        filled = 0
        while filled < identities:
            filled += self._slice(server, seconds=1 if identities < 100_000 else 5).requests * IDENTITIES_EACH
        return filled

    def _pair(self, found: Pairs, bare: Server, guarded: Server, *, bare_first: bool) -> int:
        both = [(found.bare, bare), (found.guarded, guarded)]
        for slices, server in both if bare_first else reversed(both):
            slices.append(self._slice(server, seconds=self._plan.seconds))
        return found.guarded[-1].requests * IDENTITIES_EACH

    def _slice(self, server: Server, *, seconds: int) -> Slice:
        return self._meter.slice(server, "fail", seconds=seconds)


def filled(plan: Plan, levels: Sequence[int], console: Console) -> dict[str, Any]:
    with RedisServer() as redis:
        curve = Filled(plan, levels, redis)
        pairs.followed(curve.measure_levels(), curve.steps, console)
    return {"name": "identities in Redis", "scale": "log", "points": curve.points}


def growth_table(curves: Sequence[dict[str, Any]]) -> Table:
    return screen_table(
        "Processor time for each attempt, µs: median (95%)",
        ("what grows", "to", "server", "bare beside it", "Redis", "req/s"),
        [row for curve in curves for row in (*((curve["name"], *cost_cells(point)) for point in curve["points"]), ())],
    )


def cost_cells(point: dict[str, Any]) -> list[str]:
    """The cells that the screen and the page show of a point."""
    times = [interval_text(point[name], ".1f") for name in ("server_cpu_us", "bare_server_cpu_us", "redis_cpu_us")]
    return [f"{point['at']:,}", *times, f"{point['requests_per_second']['median']:,.0f}"]


def main() -> None:
    parser = arguments.parser(__doc__, quick="two short rounds, 10⁵ identities")
    parser.add_argument("--largest", action="store_true", help="10⁷ identities as well")
    options = parser.parse_args()
    plan = Plan(rounds=2, rounds_per_start=2, seconds=1) if options.quick else PLAN
    levels = IDENTITIES[:2] if options.quick else (*IDENTITIES, *([LARGEST] if options.largest else []))
    console = wide_console()
    curves, about = grown(plan, console)
    curves.append(filled(plan, levels, console))
    console.print(growth_table(curves))
    found = {"machine": about, "plan": plan.report(), "curves": curves}
    draw_result("growth", write_result("growth", found, quick=options.quick), quick=options.quick)


if __name__ == "__main__":
    main()
