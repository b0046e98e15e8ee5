"""Plays thresholds of the judge beside other values, seeds 101 to 120: `python -m benchmarks.thresholds [--quick]`.

All runs of a seed before the next seed; runs are kept in build/thresholds.jsonl, and a command that was cut off goes
on. Writes `benchmarks/results/thresholds.json` and `docs/thresholds.md`. All seeds take some fifty minutes of a core;
`--add` plays only the thresholds that the result does not have yet, and adds them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import arguments, measure
from benchmarks.pairs import followed
from benchmarks.result import read_result, write_page, write_result
from benchmarks.tables import screen_table, wide_console
from benchmarks.thresholds.grid import SEEDS, THRESHOLDS
from benchmarks.thresholds.page import HEADINGS, page, rows
from benchmarks.thresholds.play import Cell, cells, played, summed
from sekisho.cli.simulate import settings_hidden
from sekisho.simulate.laboratory.kept import KeptRuns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from benchmarks.thresholds.grid import Threshold
    from sekisho.simulate.laboratory.kept import KeptRun

KEPT = Path(__file__).parents[2] / "build" / "thresholds.jsonl"


def _runs(
    thresholds: Sequence[Threshold], seeds: Sequence[int], kept: KeptRuns, found: dict[Cell, list[KeptRun]]
) -> Iterator[None]:
    """Yields after each run, for the progress bar."""
    for seed in seeds:
        for cell in cells(thresholds):
            found.setdefault(cell, []).append(played(cell, seed, kept, thresholds))
            yield


def report(thresholds: Sequence[Threshold], found: dict[Cell, list[KeptRun]]) -> list[dict[str, Any]]:
    """The thresholds with what came of each value in each scenario."""
    return [
        {
            "name": threshold.name,
            "what": threshold.what,
            "policy": threshold.policy,
            "values": [
                {
                    "label": value.label,
                    "scenarios": {
                        name: summed([run.results for run in found[Cell(number, at, name)]])
                        for name in threshold.scenarios
                    },
                }
                for at, value in enumerate(threshold.values)
            ],
        }
        for number, threshold in enumerate(thresholds)
    ]


def added(before: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """A result with the thresholds of another one behind its own."""
    commits = (f"{before['machine']['commit']}, {found['machine']['commit']}").split(", ")
    return {
        "machine": {**found["machine"], "commit": ", ".join(dict.fromkeys(commits))},
        "seeds": before["seeds"],
        "runs": before["runs"] + found["runs"],
        "took_s": round(before["took_s"] + found["took_s"], 1),
        "thresholds": [*before["thresholds"], *found["thresholds"]],
    }


def _measured(thresholds: Sequence[Threshold], seeds: Sequence[int], console: Console) -> dict[str, Any]:
    about = measure.machine()
    KEPT.parent.mkdir(exist_ok=True)
    found: dict[Cell, list[KeptRun]] = {}
    with settings_hidden():
        kept = KeptRuns(KEPT, about["commit"])
        followed(_runs(thresholds, seeds, kept, found), len(seeds) * len(cells(thresholds)), console)
    every = {id(run): run for runs in found.values() for run in runs}.values()  # present values are shared
    return {
        "machine": {**about, "commit": ", ".join(dict.fromkeys(run.at for run in every))},
        "seeds": list(seeds),
        "runs": len(every),
        "took_s": round(sum(run.took_s for run in every), 1),
        "thresholds": report(thresholds, found),
    }


def main() -> None:
    parser = arguments.parser(__doc__, quick="one seed")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), metavar="N", help="the first N of 101 to 120 [all]")
    parser.add_argument("--add", action="store_true", help="play what the result lacks, with its seeds")
    options = parser.parse_args()
    quick, seeds = options.quick, SEEDS[: 1 if options.quick else options.seeds]
    before = read_result("thresholds", quick=quick) if options.add else None
    there = {each["name"] for each in before["thresholds"]} if before is not None else set()
    thresholds = [each for each in THRESHOLDS if each.name not in there]
    console = wide_console()
    found = _measured(thresholds, before["seeds"] if before is not None else seeds, console)
    for each in found["thresholds"]:
        console.print(screen_table(each["name"], HEADINGS, rows(each), left=HEADINGS[:2]))
    whole = write_result("thresholds", found if before is None else added(before, found), quick=quick)
    write_page("thresholds.md", page(whole), quick=quick)


if __name__ == "__main__":
    main()
