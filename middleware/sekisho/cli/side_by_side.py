"""Runs of the laboratory in several processes at once: `sekisho simulate --jobs`."""

from __future__ import annotations

import logging
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

from sekisho.cli.guards import build_of
from sekisho.model import SekishoError
from sekisho.simulate.laboratory import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sekisho.simulate.laboratory import Results, Scenario
    from sekisho.simulate.laboratory.policy import PlayedPolicy


class ProcessLost(SekishoError):  # noqa: N818 - a state of the machine
    """A process ended without its result."""


class Run(NamedTuple):
    """One run: a scenario under a policy or before a peer, with a seed."""

    scenario: Scenario
    policy: str
    seed: int


def results_of(
    runs: Sequence[Run], known: Mapping[str, PlayedPolicy], *, jobs: int
) -> Iterator[tuple[Run, Results, float]]:
    """Play runs in so many processes; yield each as it ends, with its results and the seconds that it took.

    Where the caller stops early, the processes are ended. They have this process's environment.

    Raises:
        ProcessLost: one of them was ended from outside, as by a machine without memory.
    """
    others = set(active_children())
    # Not forked: a child that inherits locks of this process may wait for them for ever.
    with ProcessPoolExecutor(min(jobs, len(runs)), get_context("spawn"), _begin) as pool:
        try:
            begun = {pool.submit(_played, run, known): run for run in _longest_first(runs)}
            for done in as_completed(begun):
                yield (begun[done], *done.result())
        except BrokenProcessPool:
            raise ProcessLost(
                "a process ended before its run did, perhaps for want of memory; with fewer --jobs, and the same "
                "--kept, the runs that are left are played"
            ) from None
        except BaseException:  # an interrupt: nobody wants the minutes that the runs under way would take
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(active_children()) - others:
                child.terminate()
            raise


def _longest_first(runs: Sequence[Run]) -> list[Run]:
    """Of each seed the runs of the most hours first: one of a year, begun last, would have all others wait for it."""
    seeds = list(dict.fromkeys(run.seed for run in runs))

    def place(run: Run) -> tuple[int, float]:
        return seeds.index(run.seed), -run.scenario.hours - 24 * run.scenario.owners.history_days

    return sorted(runs, key=place)


def _begin() -> None:
    # The interrupt of a terminal reaches every process; the first one says it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    logging.getLogger("sekisho").setLevel(logging.ERROR)  # refusals are too many to read
    Thread(target=_end_with_the_first, daemon=True).start()


def _end_with_the_first() -> None:
    """End this process when the first one has ended: killed, it leaves runs of hours behind that nobody waits for."""
    if (first := parent_process()) is not None:
        first.join()
        os._exit(1)


def _played(run: Run, known: Mapping[str, PlayedPolicy]) -> tuple[Results, float]:
    build, has_factors = build_of(run.policy, known)
    begun_s = time.monotonic()
    results = simulate(run.scenario, build, seed=run.seed, has_factors=has_factors)
    return results, time.monotonic() - begun_s
