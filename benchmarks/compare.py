"""Changes since a kept result: `python -m benchmarks.compare BASE NEW [--fail-above PCT] [--absolute]`.

BASE and NEW are results as the benchmarks write them; `REVISION:benchmarks/results/http.json` is read from git. Each
figure's change is a ratio with a 95% interval, derived from the two figures' own intervals on the scale of logarithms,
by the method of variance estimates recovery (Zou and Donner 2008). An interval that holds 1 is within the noise. Of
twenty figures that have not changed, one falls outside by chance.

Ratios are comparable between machines and days: with `--fail-above`, those alone decide. `--absolute` lets microseconds
and requests per second decide too, which only means something on the same idle machine.

Exit code: 0; 1 if a figure is worse by more than PCT per cent and outside the noise; 2 if there is nothing to compare.
"""

from __future__ import annotations

import json
import subprocess
import sys
from math import exp, log, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import arguments
from benchmarks.measure import Interval
from benchmarks.result import interval_text
from benchmarks.tables import screen_table, wide_console

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table

MORE_IS_BETTER = frozenset({"speed_of_bare", "requests_per_second", "times", "over_peers"})
TRAVEL = frozenset({"speed_of_bare", "times", "over_peers", "p99_at_half", "ratio", "steps", "whole"})
APART = frozenset({"machine", "plan", "pairs", "saturation", "harness", "bare"})
SAME_MACHINE = ("processor", "cores", "kernel", "python")


class Figure(NamedTuple):
    """Attributes:
    value: its median and interval; of what is counted and not measured, three times the count.
    more_is_better: otherwise less is.
    travels: is a ratio, or a count, which another machine would find as well.
    """

    value: Interval
    more_is_better: bool
    travels: bool


class Change(NamedTuple):
    """Attributes:
    name: of the figure.
    base, new: medians.
    ratio: new over base.
    gain: the same the way round in which more is better.
    travels: see `Figure`.
    """

    name: str
    base: float
    new: float
    ratio: Interval
    gain: Interval
    travels: bool

    @property
    def verdict(self) -> str:
        if self.gain.low > 1:
            return "better"
        return "worse" if self.gain.high < 1 else "within the noise"

    def is_loss(self, per_cent: float) -> bool:
        """Whether it is worse by more than that, and outside the noise."""
        return self.verdict == "worse" and self.gain.median < 1 - per_cent / 100


def figures(found: Mapping[str, Any]) -> dict[str, Figure]:
    """All figures of a result that are of this project's code, by a name that tells where they stand."""
    return {" / ".join(path): figure for path, figure in _walk(found, ())}


def _walk(found: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Figure]]:
    if isinstance(found, dict):
        if {"low", "median", "high"} <= found.keys():
            yield path, _figure(Interval(found["low"], found["median"], found["high"]), path)
        elif found.get("ours", True) and found.get("service") != "bare":
            # What stands beside ours to be held against it is no figure of ours.
            inside = {key: each for key, each in found.items() if key not in APART and not key.startswith("bare_")}
            for key, each in inside.items():
                yield from _walk(each, (*path, key))
    elif isinstance(found, list):
        for each in found:
            if isinstance(each, dict):
                yield from _walk(each, (*path, _name(each)))
    elif isinstance(found, int | float) and path[-2:-1] and path[-2] in {"steps", "whole"}:
        yield path, _figure(Interval(found, found, found), path)


def _name(row: Mapping[str, Any]) -> str:
    """Of a row in a list: its name, or what tells it from its neighbours."""
    return " ".join(str(row[key]) for key in ("name", "script", "batch", "service", "share", "of", "at") if key in row)


def _figure(value: Interval, path: Sequence[str]) -> Figure:
    return Figure(value, not MORE_IS_BETTER.isdisjoint(path), not TRAVEL.isdisjoint(path))


def ratio(base: Interval, new: Interval) -> Interval:
    """`new` over `base`, both positive, with the interval that theirs make."""
    # Zou and Donner: the variances of the two are recovered from the arms of their intervals.
    middle = log(new.median) - log(base.median)
    down = sqrt(log(new.median / new.low) ** 2 + log(base.high / base.median) ** 2)
    up = sqrt(log(new.high / new.median) ** 2 + log(base.median / base.low) ** 2)
    return Interval(exp(middle - down), exp(middle), exp(middle + up))


def changes(base: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Of all figures that both results have and that are positive in both."""
    before, after = figures(base), figures(new)
    found = []
    for name, figure in after.items():
        if name in before and before[name].value.low > 0 < figure.value.low:
            changed = ratio(before[name].value, figure.value)
            back = Interval(1 / changed.high, 1 / changed.median, 1 / changed.low)
            gain = changed if figure.more_is_better else back
            medians = before[name].value.median, figure.value.median
            found.append(Change(name, *medians, changed, gain, figure.travels))
    return found


def change_table(found: Sequence[Change]) -> Table:
    headings = ("figure", "base", "new", "ratio", "", "decides")
    out = screen_table("New over base: ratio (95%)", headings, (), left=("figure", "", "decides"))
    for one in found:
        changed = interval_text(one.ratio._asdict(), ".3f")
        style = {"better": "green", "worse": "red"}.get(one.verdict)
        decides = "yes" if one.travels else ""
        out.add_row(one.name, f"{one.base:,.3g}", f"{one.new:,.3g}", changed, one.verdict, decides, style=style)
    return out


def read(place: str) -> dict[str, Any]:
    """A result from a file, or from git as `REVISION:path`. Raises `SystemExit` (2) where there is none."""
    path = Path(place)
    if path.exists():
        text = path.read_text()
    else:
        shown = subprocess.run(["git", "show", place], capture_output=True, text=True, check=False)
        if shown.returncode:
            _give_up(f"{place} is neither a file nor a revision and path of git")
        text = shown.stdout
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:
        _give_up(f"{place} is no result")
    return found


def _give_up(why: str) -> None:
    print(why, file=sys.stderr)
    raise SystemExit(2)


def other_machine(base: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """In what the machines of two results differ."""
    one, other = base.get("machine", {}), new.get("machine", {})
    return [name for name in SAME_MACHINE if one.get(name) != other.get(name)]


def main() -> None:
    options = _options()
    base, new = read(options.base), read(options.new)
    found = changes(base, new)
    if not found:
        _give_up("these two have no figure in common")
    console = wide_console()
    console.print(change_table(found))
    if different := other_machine(base, new):
        console.print(f"Not the same machine ({', '.join(different)}): only the ratios mean something.")
    if options.fail_above is None:
        return
    losses = [one for one in found if one.is_loss(options.fail_above) and (one.travels or options.absolute)]
    for one in losses:
        console.print(f"[red]{one.name}: worse by {1 - one.gain.median:.1%}[/red]")
    raise SystemExit(1 if losses else 0)


def _options() -> argparse.Namespace:
    parser = arguments.parser(__doc__, quick="")
    parser.add_argument("base", metavar="BASE")
    parser.add_argument("new", metavar="NEW")
    parser.add_argument("--fail-above", type=float, metavar="PCT", help="exit with 1 where more than this is lost")
    parser.add_argument("--absolute", action="store_true", help="figures that do not travel decide as well")
    return parser.parse_args()


if __name__ == "__main__":
    main()
