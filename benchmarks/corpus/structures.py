"""The corpus beside what a user would pick instead, on the same data in one run.

`python -m benchmarks.corpus structures [--quick] [--entries N] [--work DIR] [--keep]`

Each is built in a process of its own, opened in two workers at once to see what a worker costs, asked for absent keys
until its false positives can be counted, asked cold, and then all of them are asked in turns in one process.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.corpus import common, contenders, synthetic
from benchmarks.corpus.contenders import Contender, Find, Leak, RedisSet
from benchmarks.corpus.lookups import cold, cold_keys, sample
from benchmarks.corpus.synthetic import Synthetic
from benchmarks.measure import LOAD_CORE, SERVER_CORE, median_interval
from benchmarks.result import draw_result, interval_text
from benchmarks.tables import screen_table, wide_console
from sekisho.cli.progress import Drawing, drawing
from tests.servers import RedisServer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

REDIS_SHARE = 10  # a round trip is fifty look-ups: so many fewer of them are as exact
BYTES_ON_DISK = 75.0  # of all of them, per key


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is asked: keys of each kind a round, and absent keys for the false positives."""

    rounds: int = 20
    keys: int = 50_000
    absent: int = 10_000_000


@dataclass(slots=True)
class Measured:
    """All that was seen of one contender."""

    contender: Contender
    bytes: int = 0
    build_seconds: float = 0.0
    worker_bytes: list[int] = field(default_factory=list)
    cold: dict[str, float] | None = None
    false_positives: dict[str, Any] | None = None
    present_ns: list[float] = field(default_factory=list)
    absent_ns: list[float] = field(default_factory=list)

    def report(self, entries: int, ours: Measured) -> dict[str, Any]:
        by = self.contender
        return {
            "name": by.name,
            "ours": self is ours,
            "bytes_per_hash": self.bytes / entries,
            "build_seconds": self.build_seconds,
            "false_positives": self.false_positives,
            "exact": by.exact,
            "prevalence": by.prevalence,
            "shared": by.shared,
            "needs": by.needs,
            "worker_bytes": self.worker_bytes,
            "cold": self.cold,
            "present_ns": median_interval(self.present_ns)._asdict(),
            "absent_ns": median_interval(self.absent_ns)._asdict(),
            "present_over_ours": _over(self.present_ns, ours.present_ns),
            "absent_over_ours": _over(self.absent_ns, ours.absent_ns),
        }


def compare_structures(options: argparse.Namespace) -> None:
    plan = Plan(6, 10_000, 500_000) if options.quick else Plan()
    source = Synthetic(options.entries)
    asked = {"rounds": plan.rounds, "keys": plan.keys, "absent": plan.absent, "cold_keys": cold_keys(source)}
    record = common.Record.begin("corpus-structures", asked, options)
    os.sched_setaffinity(0, {LOAD_CORE})
    with common.work_folder(options) as folder, RedisServer() as server, drawing() as drawn:
        common.require_room(folder, BYTES_ON_DISK * source.entries)
        os.sched_setaffinity(0, {SERVER_CORE})  # Redis stays where it was started
        every = [Measured(contender) for contender in contenders.all_of(str(server.socket_path))]
        _build(every, source, folder, drawn)
        _look_into(every, source, folder, drawn)
        _ask_in_turns(every, source, folder, plan, drawn)
        _count_false_positives(every, source, folder, plan, drawn)
        redis_version = server.cli("INFO", "server")["redis_version"]
    rows = [measured.report(source.entries, every[0]) for measured in every]
    title = f"The same {source.entries:,} hashes in each: medians; false positives with their 95% interval"
    wide_console().print(screen_table(title, STRUCTURE_HEADINGS, structure_rows(rows)))
    kept = record.write({"structures": rows}, redis=redis_version)
    draw_result(record.stem, kept, quick=record.quick)


def _build(every: Sequence[Measured], source: Synthetic, folder: Path, drawn: Drawing) -> None:
    drawn.begin("building", len(every), "structures")
    for measured in every:
        with common.workers(_serve_build, measured.contender, source, _own(folder, measured), count=1) as (builder,):
            measured.bytes, measured.build_seconds = builder.answer_to("build")
        drawn.advance(1)
    drawn.end()


def _serve_build(pipe: Connection, _number: int, contender: Contender, source: Synthetic, folder: Path) -> None:
    leak = Leak.of(source)
    for _ in common.orders(pipe):
        begun = time.perf_counter()
        size = contender.build(leak, folder)
        pipe.send((size, time.perf_counter() - begun))


def _look_into(every: Sequence[Measured], source: Synthetic, folder: Path, drawn: Drawing) -> None:
    """Memory of two workers at once, and cold look-ups of those that answer from a file."""
    drawn.begin("looking into", len(every), "structures")
    for measured in every:
        own = _own(folder, measured)
        if measured.contender.mapped:
            for file in own.iterdir():
                common.evict(file)
            with common.workers(_serve_cold, measured.contender, source, own, count=1) as (worker,):
                measured.cold = worker.answer_to("cold")
        with common.workers(_serve_memory, measured.contender, source, own) as both:
            for order in ("open", "memory"):
                for worker in both:
                    worker.tell(order)
                measured.worker_bytes = [worker.answer() for worker in both]
        drawn.advance(1)
    drawn.end()


def _serve_cold(pipe: Connection, _number: int, contender: Contender, source: Synthetic, folder: Path) -> None:
    count = cold_keys(source)
    keys = sample(source, max(count, 2 * source.partitions), seed=3)[:count]
    find = contender.open(folder)
    for _ in common.orders(pipe):
        time.sleep(
            0.2
        )  # what it asked the kernel to fetch ahead is there, as in a service that has been up for a while
        pipe.send(cold(find, keys))


def _serve_memory(pipe: Connection, number: int, contender: Contender, source: Synthetic, folder: Path) -> None:
    """`open`: take it into use. `memory`: what this process holds for itself alone since before."""
    keys = sample(source, 100_000 if not isinstance(contender, RedisSet) else 1_000, seed=number)
    common.give_back_memory()
    before = common.private_bytes(common.memory())
    find = contender.open(folder)
    for (order,) in common.orders(pipe):
        if order == "open":
            for key in keys:
                find(key)
        common.give_back_memory()
        pipe.send(common.private_bytes(common.memory()) - before)


def _ask_in_turns(every: Sequence[Measured], source: Synthetic, folder: Path, plan: Plan, drawn: Drawing) -> None:
    finds = [measured.contender.open(_own(folder, measured)) for measured in every]
    chance = random.Random(11)
    present, absent = _pools(source, plan.keys * 10)
    drawn.begin("warming up", len(every), "structures")
    for measured, find in zip(every, finds, strict=True):
        _warm(measured.contender, find, present, absent)
        drawn.advance(1)
    drawn.begin("asking in turns", plan.rounds, "rounds")
    for number in range(plan.rounds):
        some_present, some_absent = chance.sample(present, plan.keys), chance.sample(absent, plan.keys)
        # Each one finds the processor's caches as its predecessor left them, so all take every place in the order.
        for at in range(len(every)):
            place = (at + number) % len(every)
            measured, find = every[place], finds[place]
            count = plan.keys // REDIS_SHARE if isinstance(measured.contender, RedisSet) else plan.keys
            measured.present_ns.append(_nanoseconds(find, some_present[:count]))
            measured.absent_ns.append(_nanoseconds(find, some_absent[:count]))
        drawn.advance(1)
    drawn.end()


def _pools(source: Synthetic, count: int) -> tuple[list[bytes], list[bytes]]:
    each = max(1, count // source.partitions)
    partitions = range(source.partitions)
    present = [key for each_of in partitions for key in synthetic.as_bytes(source.sample(each_of, each))]
    absent = [key for each_of in partitions for key in synthetic.as_bytes(source.absent(each_of, each))]
    return present, absent


def _warm(contender: Contender, find: Find, present: Sequence[bytes], absent: Sequence[bytes]) -> None:
    """Every page that will be asked for comes into memory. Raises where an answer is wrong."""
    if isinstance(contender, RedisSet):
        present, absent = present[:1000], absent[:1000]
    if not all(map(find, present)) or (contender.exact and any(map(find, absent))):
        raise SystemExit(f"{contender.name} does not know its own keys: the comparison is of something else")
    for key in absent:
        find(key)


def _nanoseconds(find: Find, keys: Sequence[bytes]) -> float:
    begun = time.perf_counter_ns()
    for key in keys:
        find(key)
    return (time.perf_counter_ns() - begun) / len(keys)


def _count_false_positives(
    every: Sequence[Measured], source: Synthetic, folder: Path, plan: Plan, drawn: Drawing
) -> None:
    counted = [measured for measured in every if not measured.contender.exact]
    finds = [measured.contender.open(_own(folder, measured)) for measured in counted]
    hits, trials = [0] * len(counted), 0
    drawn.begin("counting errors", plan.absent, "absent keys")
    for partition in range(source.partitions):
        keys = synthetic.as_bytes(source.absent(partition, -(-plan.absent // source.partitions)))
        trials += len(keys)
        for place, find in enumerate(finds):
            hits[place] += sum(map(bool, map(find, keys)))
        drawn.advance(len(keys))
    drawn.end()
    for measured, found in zip(counted, hits, strict=True):
        measured.false_positives = common.rate_interval(found, trials)._asdict()


def _own(folder: Path, measured: Measured) -> Path:
    own = folder / type(measured.contender).__name__
    own.mkdir(exist_ok=True)
    return own


def _over(theirs: Sequence[float], ours: Sequence[float]) -> dict[str, float]:
    """How many times ours, round by round."""
    return median_interval([a / b for a, b in zip(theirs, ours, strict=True)])._asdict()


STRUCTURE_HEADINGS = (
    "structure", "bytes per hash", "false positives", "build", "present", "absent", "absent, times ours", "cold",
    "how often", "shared", "a worker", "needs",
)  # fmt: skip


def structure_rows(rows: Sequence[dict[str, Any]]) -> list[Sequence[str]]:
    """For the screen and the page."""
    return [
        (
            row["name"],
            f"{row['bytes_per_hash']:.2f}",
            wrong(row),
            f"{row['build_seconds']:.1f} s",
            f"{interval_text(row['present_ns'], ',.0f')} ns",
            f"{interval_text(row['absent_ns'], ',.0f')} ns",
            f"{row['absent_over_ours']['median']:.2f}",
            f"{row['cold']['p50_us']:,.0f} µs" if row["cold"] else "–",
            "yes" if row["prevalence"] else "no",
            row["shared"],
            f"{max(0, *row['worker_bytes']) / common.MIB:,.1f} MiB",
            row["needs"],
        )
        for row in rows
    ]


def wrong(row: dict[str, Any]) -> str:
    """Its false positives in words."""
    if row["exact"]:
        return "none"
    rate = row["false_positives"]
    if not rate["hits"]:
        return f"< {rate['high']:.1e}"
    return f"{rate['rate']:.1e} ({rate['low']:.1e} - {rate['high']:.1e})"
