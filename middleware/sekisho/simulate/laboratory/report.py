"""The table of the laboratory, as text, as Markdown and as JSON."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.simulate.laboratory.copies import (
    AGED,
    ALONE,
    AT_OWNER,
    ATTACK,
    CALM,
    COPY_FIRST,
    ELSEWHERE,
    NO_TOKEN,
    OWNER_FIRST,
    OWNER_GONE,
    PROVED,
    SEEN,
)
from sekisho.simulate.laboratory.results import COPIED, KNOWN, SET_BY_BOT, OwnerCounts, summed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sekisho.simulate.laboratory.results import Results
    from sekisho.simulate.laboratory.scenario import Scenario

COLUMNS = (
    "policy",
    "right pairs",
    "taken over",
    "reached check",
    "known refused",
    "strangers refused",
    "NAT refused",
    "proxy refused",
    "no proof",
    "asked",
    "asked elsewhere",
    "worked",
    "alarm",
)


COPIES: Mapping[tuple[str, ...], Sequence[tuple[str, ...]]] = {
    ("kind", "phase"): list(product((PROVED, AGED, SEEN, NO_TOKEN), (CALM, ATTACK))),
    ("kind", "first"): list(product((PROVED, AGED, SEEN), (ALONE, COPY_FIRST, OWNER_FIRST, OWNER_GONE))),
    ("place", "phase"): list(product((ELSEWHERE, AT_OWNER), (CALM, ATTACK))),
}
"""The tables of copied tokens: by which attributes of a use, and their rows."""

RESETS = (
    "scenario",
    "policy",
    "bots' requests",
    "passed on",
    "passwords set, of right ones",
    "owners' resets (after a bot's)",
    "refused",
    "worked",
    "no letter",
    "password set",
    "asked at the log-in",
    "entered",
)
"""The columns of the table of resets."""


class Played(NamedTuple):
    """One run: a scenario under a policy, with a seed.

    Attributes:
        took_s: how long it took, in seconds.
        at: of the code, as `--at` named it; empty where it did not.
    """

    scenario: Scenario
    policy: str
    seed: int
    results: Results
    took_s: float = 0.0
    at: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "scenario": self.scenario.name,
            "policy": self.policy,
            "seed": self.seed,
            "scale": self.scenario.scale,
            "accounts": self.scenario.owners.count,
            **self.results.as_json(),
        }

    def row(self) -> tuple[str, ...]:
        """Return the cells of this run's row in the table, in the order of `COLUMNS`."""
        results, kinds = self.results, self.results.by_kind
        return (
            self.policy,
            f"{results.right.total():,}",
            _taken(results),
            share(results.reached, results.attempts),
            _refused(kinds.get(KNOWN)),
            _refused(results.strangers),
            _refused(kinds.get("carrier NAT")),
            _refused(kinds.get("company proxy")),
            share(results.owners.unproved, results.owners.log_ins),
            share(results.owners.asked, results.owners.log_ins),
            share(results.owners.asked_elsewhere, results.owners.log_ins),
            share(results.owners.worked, results.owners.log_ins),
            _span(results.alarms[0]) if results.alarms else "–",
        )


def _taken(results: Results) -> str:
    if not results.taken:
        return "0"
    if set(results.taken) == {"none"}:
        return f"{results.taken_over:,}"
    by_class = ", ".join(f"{name} {len(owners):,}" for name, owners in sorted(results.taken.items()))
    return f"{results.taken_over:,} ({by_class})"


def _refused(counts: OwnerCounts | None) -> str:
    return "–" if counts is None or not counts.log_ins else share(counts.refused, counts.log_ins)


def share(some: float, every: float) -> str:
    """Return `some` of `every` as a percentage of two digits; a dash if `every` is 0."""
    if not every:
        return "–"
    percent = 100 * some / every
    return "0" if not some else f"{percent:.2g}%" if percent < 10 else f"{percent:.0f}%"


def _span(seconds: float) -> str:
    if seconds < 0:
        return f"{_span(-seconds)} before"
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )


def table(played: Sequence[Played]) -> str:
    """Return the tables of all scenarios, a row for each run, as text for a terminal."""
    return "\n\n".join(f"{title}\n{_aligned(rows)}" for title, rows in _tables(played))


def summary(played: Sequence[Played]) -> str:
    """Return the table of one scenario in Markdown: a row for each policy, with the sums of all seeds."""
    rows: list[tuple[str, ...]] = [(COLUMNS[0], "seeds", *COLUMNS[1:3], "by seed", *COLUMNS[3:])]
    for name in dict.fromkeys(each.policy for each in played):
        runs = [each for each in played if each.policy == name]
        cells = runs[0]._replace(results=summed([each.results for each in runs])).row()
        by_seed = ", ".join(str(each.results.taken_over) for each in runs)
        rows.append((cells[0], seeds_of(runs), *cells[1:3], by_seed, *cells[3:-1], _alarms(runs)))
    return pipes(rows)


def seeds_of(played: Iterable[Played]) -> str:
    """The seeds, as `1-4, 7`."""
    seeds = sorted({each.seed for each in played})
    starts = [seed for seed in seeds if seed - 1 not in seeds]
    ends = [seed for seed in seeds if seed + 1 not in seeds]
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))


def _alarms(runs: Sequence[Played]) -> str:
    """The first alarms: the earliest and the latest, and in how many runs there were some."""
    firsts = sorted(each.results.alarms[0] for each in runs if each.results.alarms)
    if not firsts:
        return "–"
    some = "" if len(firsts) == len(runs) else f" in {len(firsts)} of {len(runs)}"
    earliest, latest = _span(firsts[0]), _span(firsts[-1])
    return (earliest if earliest == latest else f"{earliest} to {latest}") + some


def overview(played: Sequence[Played], cell: Callable[[Results], str]) -> str:
    """Return a Markdown table: a row for each scenario, a column for each policy, seeds together.

    `cell`: makes a cell from results. A cell without a run has a dash.
    """
    names = list(dict.fromkeys(each.policy for each in played))
    rows: list[tuple[str, ...]] = [("scenario", *names)]
    for scenario, runs in by_scenario(played).items():
        found = summed_by_policy(runs)
        rows.append((scenario, *(cell(found[name]) if name in found else "–" for name in names)))
    return pipes(rows)


def by_scenario(played: Iterable[Played]) -> dict[str, list[Played]]:
    found: dict[str, list[Played]] = {}
    for each in played:
        found.setdefault(each.scenario.name, []).append(each)
    return found


def summed_by_policy(played: Iterable[Played]) -> dict[str, Results]:
    """Return the results of one scenario by policy, all seeds together."""
    found: dict[str, list[Results]] = {}
    for each in played:
        found.setdefault(each.policy, []).append(each.results)
    return {name: summed(results) for name, results in found.items()}


def taken_cell(results: Results) -> str:
    """Return a cell for `overview`: accounts taken over, of the right pairs that were sent."""
    right = results.right.total()
    return f"{results.taken_over:,} of {right:,}" if right else "none sent"


def asked_cell(results: Results) -> str:
    """Return a cell for `overview`: of the owners' log-ins, the shares asked for a proof, in all and elsewhere."""
    owners = results.owners
    return f"{share(owners.asked, owners.log_ins)}, {share(owners.asked_elsewhere, owners.log_ins)}"


def lost_cell(results: Results) -> str:
    """Return a cell for `overview`: shares of log-ins refused on known devices, on others, and lost without a proof."""
    owners, known = results.owners, _refused(results.by_kind.get(KNOWN))
    return f"{known}, {_refused(results.strangers)}, {share(owners.unproved, owners.log_ins)}"


def resets_table(played: Sequence[Played]) -> str:
    """Return a Markdown table: a row for each scenario with resets and each policy, seeds together.

    It shows the requests of bots, then the resets of owners, of which `SET_BY_BOT` are told apart.
    """
    rows: list[tuple[str, ...]] = [RESETS]
    for scenario, runs in by_scenario(played).items():
        rows += [
            (scenario, name, *_resets_row(found)) for name, found in summed_by_policy(runs).items() if found.resets
        ]
    return pipes(rows) if len(rows) > 1 else ""


def copies_tables(played: Sequence[Played]) -> Iterator[str]:
    """Markdown tables of the uses of copied tokens: a column for each policy, all scenarios and seeds together.

    The last one is of the owners' log-ins on the devices that were copied.
    """
    found = summed_by_policy(each for each in played if each.results.copies)
    for names, rows in COPIES.items() if found else ():
        wanted = [dict(zip(names, values, strict=True)) for values in rows]
        cells = [(each, [_copies_cell(results, each) for results in found.values()]) for each in wanted]
        yield pipes([(*names, *found), *((*each.values(), *row) for each, row in cells if set(row) != {"–"})])
        yield ""
    if found:
        owners = [results.kind(COPIED) for results in found.values()]
        yield pipes(
            [
                ("owners on copied devices", *found),
                ("log-ins", *(f"{each.log_ins:,}" for each in owners)),
                ("asked", *(share(each.asked, each.log_ins) for each in owners)),
                ("worked or told to wait", *(share(each.worked + each.waited, each.log_ins) for each in owners)),
                ("refused", *(share(each.refused, each.log_ins) for each in owners)),
                ("no proof", *(share(each.unproved, each.log_ins) for each in owners)),
            ]
        )


def _copies_cell(results: Results, wanted: dict[str, str]) -> str:
    counts = results.copies_where(**wanted)
    refused = counts.used - counts.entered - counts.asked
    return f"{counts.entered:,} of {counts.used:,}{f', {refused:,} refused' if refused else ''}" if counts.used else "–"


def _resets_row(results: Results) -> tuple[str, ...]:
    counts = results.owners_resets
    return (
        f"{results.attempts:,}",
        f"{results.reached:,}",
        f"{results.taken_over:,} of {results.right.total():,}",
        f"{counts.begun:,} ({results.resets_for(SET_BY_BOT).begun:,})",
        *(f"{number:,}" for number in (counts.refused, counts.worked, counts.unsent, counts.done)),
        f"{counts.asked:,} of {counts.done:,}",
        f"{counts.entered:,} of {counts.done:,}",
    )


def _tables(played: Iterable[Played]) -> list[tuple[str, list[tuple[str, ...]]]]:
    found: dict[str, tuple[str, list[tuple[str, ...]]]] = {}
    for each in played:
        title = f"{each.scenario.name}: {each.scenario.title}"
        found.setdefault(each.scenario.name, (title, [("seed", *COLUMNS)]))[1].append((str(each.seed), *each.row()))
    return list(found.values())


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def pipes(rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table; the first row is its head."""
    head, *rest = rows
    lines = [head, ("---",) * len(head), *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
