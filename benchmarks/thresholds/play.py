"""Runs the laboratory with another value of a threshold."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.thresholds.compare import Counts
from benchmarks.thresholds.grid import SCALES, THRESHOLDS
from sekisho.cli.guards import build_of
from sekisho.simulate.laboratory import packaged, read_scenario, simulate
from sekisho.simulate.laboratory.kept import run_key
from sekisho.simulate.laboratory.policy import policies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from benchmarks.thresholds.grid import Threshold
    from sekisho.simulate.laboratory import Results, Scenario
    from sekisho.simulate.laboratory.kept import KeptRun, KeptRuns
    from sekisho.simulate.laboratory.policy import PlayedPolicy


class Cell(NamedTuple):
    """A value of a threshold in a scenario. Numbers are places in `THRESHOLDS` and among its values."""

    threshold: int
    value: int
    scenario: str


def cells(thresholds: Sequence[Threshold] = THRESHOLDS) -> list[Cell]:
    return [
        Cell(number, at, scenario)
        for number, threshold in enumerate(thresholds)
        for scenario in threshold.scenarios
        for at in range(len(threshold.values))
    ]


@contextmanager
def constants_set(constants: Mapping[str, Any]) -> Iterator[None]:
    """Constants of modules at other values. Raises `SystemExit` where a module is compiled: it has them inlined."""
    before = {}
    for name, value in constants.items():
        module, _, attribute = name.rpartition(".")
        loaded = import_module(module)
        if not (loaded.__file__ or "").endswith(".py"):
            raise SystemExit(f"{module} is compiled: run from the sources")
        before[loaded, attribute] = getattr(loaded, attribute)
        setattr(loaded, attribute, value)
    try:
        yield
    finally:
        for (loaded, attribute), value in before.items():
            setattr(loaded, attribute, value)


def played(cell: Cell, seed: int, kept: KeptRuns, thresholds: Sequence[Threshold] = THRESHOLDS) -> KeptRun:
    """The run of a cell with a seed; the one of before where there is one."""
    threshold = thresholds[cell.threshold]
    value, base = threshold.values[cell.value], policies()[threshold.policy]
    policy = base._replace(settings={**base.settings, **value.settings})
    scenario = read_scenario(cell.scenario, packaged()[cell.scenario]).scaled(SCALES[cell.scenario])
    # The label names the constants: a value that is no number has no text of its own.
    said = {**policy.settings, **dict.fromkeys(value.constants, value.label)}
    play = partial(_play, scenario, policy, value.constants, seed)
    return kept.played(run_key(scenario, policy.name, said, seed), play, time.process_time)


def _play(scenario: Scenario, policy: PlayedPolicy, constants: Mapping[str, Any], seed: int) -> Results:
    build, has_factors = build_of(policy.name, {policy.name: policy})
    with constants_set(constants):
        return simulate(scenario, build, seed=seed, has_factors=has_factors)


def summed(runs: Sequence[Results]) -> dict[str, Any]:
    """The counts of a cell: of all runs, and of each seed."""
    return {
        "right": sum(each.right.total() for each in runs),
        "attempts": sum(each.attempts for each in runs),
        "log_ins": sum(each.owners.log_ins for each in runs),
        "by_seed": [list(Counts.of(each)) for each in runs],
    }
