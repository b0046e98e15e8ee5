"""The results as a page of the documentation: `python -m benchmarks.figures [--quick]`.

The page is generated from the JSON. With `--quick` the page of a first look goes to the screen alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import arguments
from benchmarks.growth import cost_cells
from benchmarks.instructions import BARE, PACKED, WHOLE, step_rows
from benchmarks.latency import RATE_HEADINGS, rate_rows
from benchmarks.pairs import pair_headings, pair_rows
from benchmarks.result import interval_text, measured_text, read_result, write_page
from benchmarks.tables import markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PICTURES = "../benchmarks/results"


def page(found: Mapping[str, Mapping[str, Any] | None]) -> Iterator[str]:
    """The lines of the page, without unmeasured parts."""
    yield "# The benchmarks in figures"
    yield ""
    yield (
        "Written by `python -m benchmarks.figures` from the results in `benchmarks/results/`; how they were measured "
        "is said in [benchmarks/README.md](../benchmarks/README.md), what they mean in "
        "[performance.md](performance.md). Medians, with 95% intervals from order statistics in brackets."
    )
    for part, write in PARTS.items():
        if kept := found.get(part):
            yield ""
            yield from write(kept)
            yield ""
            yield measured_text(kept)


def _http(found: Mapping[str, Any]) -> Iterator[str]:
    plan = found["plan"]
    yield from ("## A log-in behind each guard", "")
    yield (
        f"{plan['rounds']} interleaved pairs of {plan['seconds']} s with the bare endpoint beside each; one uvicorn "
        f"process on a core, wrk with {plan['connections']} connections and Redis on the other."
    )
    yield ""
    yield from markdown_table(pair_headings("of bare's speed"), pair_rows(found["variants"]))
    if peers := found.get("over_peers"):
        yield from ("", "How many times as fast as each peer, on the allowed path, by server time:", "")
        yield from markdown_table(("peer", "times"), [(name, interval_text(times)) for name, times in peers.items()])
    yield from ("", f"![Server time per log-in against a bare endpoint]({PICTURES}/http.svg)")


def _setups(found: Mapping[str, Any]) -> Iterator[str]:
    plan = found["plan"]
    yield from ("## Set up otherwise", "")
    yield (
        f"{plan['rounds']} pairs of {plan['seconds']} s: what stands before the slash, in share of the speed of what "
        "stands behind it, by server time. Two workers share both cores with the load and Redis."
    )
    yield ""
    yield from markdown_table(pair_headings("speed"), pair_rows(found["variants"]))


def _latency(found: Mapping[str, Any]) -> Iterator[str]:
    plan, saturation = found["plan"], found["saturation"]
    yield from ("## Latency at fixed rates", "")
    yield (
        f"An open loop: requests leave at instants of a Poisson process, and latency counts from those. "
        f"{plan['rounds']} rounds of {plan['seconds']} s a rate. Closed-loop saturation: bare "
        f"{saturation['bare']:,.0f}, guarded {saturation['guarded']:,.0f} requests a second. Microseconds."
    )
    yield ""
    yield from markdown_table(RATE_HEADINGS, rate_rows(found))
    yield ""
    for name, times in found["p99_at_half"].items():
        figure = interval_text(times) if times else "every run was refused"
        yield f"- p99 at half of saturation, {name.replace('_', ' ')}: {figure}"
    yield from ("", f"![Latency over the rate]({PICTURES}/latency.svg)")


def _growth(found: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## As something grows", "")
    yield "Processor time for each attempt, and requests a second at saturation."
    for curve in found["curves"]:
        yield ""
        rows = [
            (
                *cost_cells(point),
                f"{point['redis_bytes'] / point['held']:.0f}" if "held" in point else "",
            )
            for point in curve["points"]
        ]
        headings = (curve["name"], "server µs", "bare µs", "Redis µs", "req/s", "Redis bytes an identity")
        narrow = not any(row[-1] for row in rows)
        yield from markdown_table(headings[:-1] if narrow else headings, [row[:-1] if narrow else row for row in rows])
    yield from ("", f"![What an attempt costs as something grows]({PICTURES}/growth.svg)")


def _instructions(found: Mapping[str, Any]) -> Iterator[str]:
    loads = found["loads"]
    yield from ("## Instructions of each step", "")
    yield (
        "Thousands of instructions for each request, interpreter included, as callgrind counts them; the ledger is a "
        "constant. What the marks between the steps add is taken off as far as it can be, so the sum of the steps "
        "comes out some per cent above the whole."
    )
    yield ""
    rows = list(step_rows(loads))
    wholes = [one["whole"] for one in loads.values()]
    rows.append(("**measured as a whole**", *(f"**{one[WHOLE]:.1f}**" for one in wholes)))
    rows.append(("of it the application", *(f"{one[BARE]:.1f}" for one in wholes)))
    rows.append(("packing for Redis, on top", *(f"{one[PACKED] - one[WHOLE]:.1f}" for one in wholes)))
    yield from markdown_table(("step", *loads), rows)
    yield from ("", f"![Where a saturated server is]({PICTURES}/flame.svg)")


PARTS = {"http": _http, "setups": _setups, "latency": _latency, "growth": _growth, "instructions": _instructions}


def main() -> None:
    quick = arguments.parser(__doc__, quick="of the quick runs, to the screen").parse_args().quick
    found = {part: read_result(part, quick=quick) for part in PARTS}
    write_page("benchmark-figures.md", page(found), quick=quick)


if __name__ == "__main__":
    main()
