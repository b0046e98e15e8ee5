"""What each guard costs a log-in over HTTP: `python -m benchmarks.over_http [--quick] [--only APP]…`.

One run on loopback: a bare endpoint, this guard and others, all on one real Redis, measured in interleaved pairs
(bare, variant) as `benchmarks/README.md` says. Writes JSON and a picture to `benchmarks/results/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import arguments, pairs
from benchmarks.measure import Service, median_interval
from benchmarks.pairs import GUARDED, PLAIN, QUICK, Pairs, Plan, Variant
from benchmarks.result import draw_result, interval_text, write_result
from benchmarks.tables import screen_table, wide_console

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def _limits(strategy: str) -> Service:
    return Service("with_limits", settings=(("BENCH_STRATEGY", strategy),))


VARIANTS = (
    Variant("sekisho, allowed", GUARDED, ours=True),
    Variant("sekisho, allowed, right passwords", GUARDED, load="success", ours=True),
    # A worker remembers a refusal once the charges under it are two seconds old: until then they may yet be given back.
    Variant("sekisho, shed", GUARDED, load="shed", lead_in_seconds=3, ours=True),
    # What the same sources cost where no compiler was, and what no refusal can be quicker than.
    Variant("sekisho, allowed, not compiled", PLAIN, ours=True),
    Variant("sekisho, shed, not compiled", PLAIN, load="shed", lead_in_seconds=3, ours=True),
    Variant("a refusal that does nothing", Service("refusing"), load="shed", ours=True),
    Variant("throttled-py (GCRA)", Service("with_throttled")),
    Variant("limits (fixed window)", _limits("fixed-window")),
    Variant("limits (sliding window counter)", _limits("sliding-window-counter")),
    Variant("limits (moving window)", _limits("moving-window")),
    Variant("pyrate-limiter (sliding window log)", Service("with_pyrate_limiter")),
    Variant("fastapi-limiter", Service("with_fastapi_limiter")),
    Variant("fastapi-sentinel", Service("with_fastapi_sentinel")),
    Variant("slowapi", Service("with_slowapi")),
)


def over_peers(measured: Sequence[Pairs]) -> dict[str, Any]:
    """How many times faster than each peer ours is on the allowed path, round by round; fastest peer first."""
    ours = next((one for one in measured if one.variant.ours and one.variant.load == "fail"), None)
    if ours is None:
        return {}
    peers = sorted((one for one in measured if not one.variant.ours), key=lambda one: -one.speed_of_bare.median)
    return {
        peer.variant.name: median_interval([a / b for a, b in zip(ours.speed, peer.speed, strict=True)])._asdict()
        for peer in peers
    }


def over_fastest_peer(measured: Sequence[Pairs]) -> dict[str, Any] | None:
    """The first of them."""
    return next(({"peer": peer, "times": times} for peer, times in over_peers(measured).items()), None)


def main() -> None:
    options = _options()
    variants = [variant for variant in VARIANTS if not options.only or variant.service.app in options.only]
    plan = QUICK if options.quick else Plan(seconds=options.seconds)
    console = wide_console()
    found, about = pairs.measured(variants, plan, console)
    reports = [one.report() for one in found]
    title = "Server time per log-in, by pairs with the bare endpoint: median (95%)"
    console.print(screen_table(title, pairs.pair_headings("of bare's speed"), pairs.pair_rows(reports)))
    if ahead := over_fastest_peer(found):
        console.print(f"On the allowed path {interval_text(ahead['times'])} times as fast as {ahead['peer']}.")
    kept = write_result(
        "http",
        {
            "machine": about,
            "plan": plan.report(),
            "over_fastest_peer": ahead,
            "over_peers": over_peers(found),
            "variants": reports,
        },
        quick=options.quick,
    )
    draw_result("http", kept, quick=options.quick)


def _options() -> argparse.Namespace:
    parser = arguments.parser(__doc__)
    parser.add_argument("--seconds", type=int, default=Plan().seconds, metavar="N", help="of each slice (%(default)s)")
    apps = sorted({variant.service.app for variant in VARIANTS})
    parser.add_argument("--only", action="append", choices=apps, metavar="APP", help=f"of {', '.join(apps)}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
