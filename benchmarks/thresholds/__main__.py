"""Plays thresholds of the judge beside other values, seeds 101 to 120: `python -m benchmarks.thresholds [--quick]`.

All runs of a seed before the next seed; runs are kept in build/thresholds.jsonl, and a command that was cut off goes
on. Writes `benchmarks/results/thresholds.json` and `docs/thresholds.md`. All seeds take some forty minutes of a core.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import arguments, measure
from benchmarks.pairs import followed
from benchmarks.result import write_page, write_result
from benchmarks.tables import screen_table, wide_console
from benchmarks.thresholds.grid import SEEDS, THRESHOLDS
from benchmarks.thresholds.page import HEADINGS, page, rows
from benchmarks.thresholds.play import Cell, cells, played, summed
from sekisho.cli.simulate import settings_hidden
from sekisho.simulate.laboratory.kept import KeptRuns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sekisho.simulate.laboratory.kept import KeptRun

KEPT = Path(__file__).parents[2] / "build" / "thresholds.jsonl"


def _runs(seeds: Sequence[int], kept: KeptRuns, found: dict[Cell, list[KeptRun]]) -> Iterator[None]:
    """Yields after each run, for the progress bar."""
    for seed in seeds:
        for cell in cells():
            found.setdefault(cell, []).append(played(cell, seed, kept))
            yield


def report(found: dict[Cell, list[KeptRun]]) -> list[dict[str, Any]]:
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
        for number, threshold in enumerate(THRESHOLDS)
    ]


def main() -> None:
    parser = arguments.parser(__doc__, quick="one seed")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), metavar="N", help="the first N of 101 to 120 [all]")
    options = parser.parse_args()
    quick, seeds = options.quick, SEEDS[: 1 if options.quick else options.seeds]
    about, console = measure.machine(), wide_console()
    KEPT.parent.mkdir(exist_ok=True)
    found: dict[Cell, list[KeptRun]] = {}
    with settings_hidden():
        followed(_runs(seeds, KeptRuns(KEPT, about["commit"]), found), len(seeds) * len(cells()), console)
    thresholds = report(found)
    for each in thresholds:
        console.print(screen_table(each["name"], HEADINGS, rows(each), left=HEADINGS[:2]))
    every = {id(run): run for runs in found.values() for run in runs}.values()  # present values are shared
    whole = write_result(
        "thresholds",
        {
            "machine": {**about, "commit": ", ".join(dict.fromkeys(run.at for run in every))},
            "seeds": list(seeds),
            "runs": len(every),
            "took_s": round(sum(run.took_s for run in every), 1),
            "thresholds": thresholds,
        },
        quick=quick,
    )
    write_page("thresholds.md", page(whole), quick=quick)


if __name__ == "__main__":
    main()
