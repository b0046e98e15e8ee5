"""How fast one look-up is: warm in one process and in two over the same pages, and cold from the disk.

`python -m benchmarks.corpus lookups [--quick] [--entries N] [--file CORPUS] [--work DIR] [--keep]`

*Warm* means that the pages are in memory, as they are in a service minutes after its start; not that the processor has
them in its caches: half a million keys all over the file are asked for in random order, half of them present. *Cold*
means that the kernel was made to forget the file, and only the index has been read again.
"""

from __future__ import annotations

import random
import resource
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.corpus import common, synthetic
from benchmarks.corpus.build import build, corpus_path
from benchmarks.corpus.common import MIB, private_bytes
from benchmarks.corpus.synthetic import Synthetic
from benchmarks.measure import median_interval
from benchmarks.result import interval_text
from benchmarks.tables import screen_table, wide_console
from sekisho.breach.corpus_file import Corpus
from sekisho.cli.progress import Drawing, drawing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection

KEYS = 500_000
COLD_KEYS_MAX = 4_000
KEYS_A_COLD_ONE = 20_000  # fewer, and they would meet in pages that were fetched already


def measure_lookups(options: argparse.Namespace) -> None:
    source = Synthetic(options.entries)
    rounds, cold_rounds = (6, 2) if options.quick else (20, 6)
    keys = KEYS if not options.quick else KEYS // 10
    plan = {"rounds": rounds, "keys": keys, "cold_rounds": cold_rounds, "cold_keys": cold_keys(source)}
    record = common.Record.begin("corpus-lookups", plan, options)
    with common.work_folder(options) as folder, drawing() as drawn:
        path = _file(options, source, folder)
        warm = _warm(path, source, keys, rounds, drawn)
        cold = _cold_rounds(path, source, cold_rounds, drawn)
    result = {"file_entries": source.entries, "warm": warm, "cold": cold}
    console = wide_console()
    title = f"Look-ups in a file of {source.entries:,} hashes: median (95%)"
    console.print(screen_table(title, LOOKUP_HEADINGS, lookup_rows(result)))
    console.print(shared_pages(result), highlight=False)
    if cold["major_faults_per_lookup"]["median"] < 0.5:
        # The file system is in memory, or the kernel reads the whole file ahead.
        console.print("The file was in memory all the same: the cold figures mean nothing.")
    record.write(result)


def _file(options: argparse.Namespace, source: Synthetic, folder: Path) -> Path:
    """The corpus of `source`: one that was kept, or a new one."""
    if options.file:
        return Path(options.file).resolve()
    build(source, folder, "sorted", piped=True)
    return corpus_path(folder, "sorted")


def sample(source: Synthetic, count: int, seed: int) -> list[bytes]:
    """About so many digests from all over the file, every other one present, in random order."""
    each = max(1, count // 2 // source.partitions)
    heads = [
        head
        for partition in range(source.partitions)
        for head in (source.sample(partition, each), source.absent(partition, each))
    ]
    keys = [digest for some in heads for digest in synthetic.as_bytes(some)]
    random.Random(seed).shuffle(keys)
    return keys


def per_second(find: Callable[[bytes], object], keys: Sequence[bytes]) -> float:
    """Look-ups a second, the loop around them included."""
    begun = time.perf_counter()
    for key in keys:
        find(key)
    return len(keys) / (time.perf_counter() - begun)


def singles(find: Callable[[bytes], object], keys: Sequence[bytes]) -> list[int]:
    """Nanoseconds of each look-up; reading the clock is in them."""
    clock = time.perf_counter_ns
    took = []
    for key in keys:
        begun = clock()
        find(key)
        took.append(clock() - begun)
    return took


def _warm(path: Path, source: Synthetic, keys: int, rounds: int, drawn: Drawing) -> dict[str, Any]:
    alone: list[float] = []
    both: list[float] = []
    with common.workers(_serve_warm, str(path), source, keys) as running:
        drawn.begin("asking, warm", rounds, "rounds")
        for worker in running:
            worker.tell("warm")
        for worker in running:
            worker.answer()
        for _ in range(rounds):
            alone.append(running[0].answer_to("rate"))
            for worker in running:
                worker.tell("rate")
            both.append(sum(worker.answer() for worker in running))
            drawn.advance(1)
        drawn.end()
        single = running[0].answer_to("singles")
        for worker in running:
            worker.tell("memory")
        pages = [worker.answer() for worker in running]
    return {
        "one_process_per_second": median_interval(alone)._asdict(),
        "two_processes_per_second": median_interval(both)._asdict(),
        "single_ns": single,
        "memory": pages,
    }


def _serve_warm(pipe: Connection, number: int, path: str, source: Synthetic, count: int) -> None:
    """A worker: `warm`, then as often as it likes `rate`, `singles`, `memory`."""
    corpus = Corpus.open(path)
    keys = sample(source, count, seed=number)
    does: dict[str, Callable[[], Any]] = {
        "warm": lambda: [per_second(corpus.find, keys) for _ in range(2)],
        "rate": lambda: per_second(corpus.find, keys),
        "singles": lambda: percentiles(singles(corpus.find, keys)) | {"clock": percentiles(singles(bool, keys))},
        "memory": lambda: {"file": common.memory(Path(path)), "process": common.memory()},
    }
    for (order,) in common.orders(pipe):
        pipe.send(does[order]())


def percentiles(took: Sequence[float]) -> dict[str, Any]:
    cuts = statistics.quantiles(took, n=1000, method="inclusive")
    return {"p50": cuts[499], "p99": cuts[989], "p99.9": cuts[998]}


def _cold_rounds(path: Path, source: Synthetic, rounds: int, drawn: Drawing) -> dict[str, Any]:
    """In a new process each time: pages that are mapped somewhere cannot be evicted."""
    drawn.begin("asking, cold", rounds, "rounds")
    measured = []
    for number in range(rounds):
        with common.workers(_serve_cold, str(path), source, count=1) as (worker,):
            measured.append(worker.answer_to(number))
        drawn.advance(1)
    drawn.end()
    columns = {name: median_interval([row[name] for row in measured])._asdict() for name in measured[0]}
    return {"rounds": measured} | columns


def _serve_cold(pipe: Connection, _number: int, path: str, source: Synthetic) -> None:
    for (seed,) in common.orders(pipe):
        keys = sample(source, max(cold_keys(source), 2 * source.partitions), seed)[: cold_keys(source)]
        common.evict(Path(path))
        corpus = Corpus.open(path)
        layout = corpus.header.layout
        _read(path, layout.index_at, layout.end)
        pipe.send(cold(corpus.find, keys))


def cold_keys(source: Synthetic) -> int:
    """How many can be asked before it shows that each made the file a little less cold."""
    return min(COLD_KEYS_MAX, source.entries // KEYS_A_COLD_ONE)


def _read(path: str, start: int, end: int) -> None:
    """Have a part of a file in memory, as an index is that has been in use."""
    with Path(path).open("rb", buffering=0) as file:
        file.seek(start)
        while start < end and (piece := file.read(min(2**20, end - start))):
            start += len(piece)


def cold(find: Callable[[bytes], object], keys: Sequence[bytes]) -> dict[str, float]:
    """What each of these look-ups took in a process that has touched nothing yet."""
    took: list[float] = []
    faults = [0, 0, 0]
    fetched, minor = common.read_bytes(), _faults()[1]
    for key in keys:
        before = _faults()[0]
        begun = time.perf_counter_ns()
        find(key)
        took.append((time.perf_counter_ns() - begun) / 1000)
        faults[min(2, _faults()[0] - before)] += 1
    cuts = percentiles(took)
    return {
        "p50_us": cuts["p50"],
        "p99_us": cuts["p99"],
        "major_faults_per_lookup": (faults[1] + 2 * faults[2]) / len(keys),
        "share_without_fault": faults[0] / len(keys),
        "share_with_one": faults[1] / len(keys),
        "share_with_more": faults[2] / len(keys),
        "minor_faults_per_lookup": (_faults()[1] - minor) / len(keys),
        "bytes_read_per_lookup": (common.read_bytes() - fetched) / len(keys),
    }


def _faults() -> tuple[int, int]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_majflt, used.ru_minflt


LOOKUP_HEADINGS = ("what", "figure")


def lookup_rows(result: dict[str, Any]) -> list[Sequence[str]]:
    """For the screen and the page."""
    warm, cold_ones = result["warm"], result["cold"]
    single = warm["single_ns"]
    return [
        ("warm, one process", f"{interval_text(warm['one_process_per_second'], ',.0f')} a second"),
        ("warm, two processes together", f"{interval_text(warm['two_processes_per_second'], ',.0f')} a second"),
        ("warm, p50 / p99 / p99.9", f"{single['p50']:.0f} / {single['p99']:.0f} / {single['p99.9']:.0f} ns"),
        ("of which reading the clock", f"{single['clock']['p50']:.0f} ns"),
        ("cold, p50", f"{interval_text(cold_ones['p50_us'], '.0f')} µs"),
        ("cold, p99", f"{interval_text(cold_ones['p99_us'], '.0f')} µs"),
        ("cold, pages fetched per look-up", interval_text(cold_ones["major_faults_per_lookup"])),
        ("cold, look-ups that fetched more than one", interval_text(cold_ones["share_with_more"], ".1%")),
        ("cold, bytes read per look-up", interval_text(cold_ones["bytes_read_per_lookup"], ",.0f")),
    ]


def shared_pages(result: dict[str, Any]) -> str:
    """How much of the file the two processes share, as a sentence."""
    files = [pages["file"] for pages in result["warm"]["memory"]]
    mapped = " and ".join(f"{file['Rss'] / MIB:,.0f}" for file in files)
    own = " and ".join(f"{private_bytes(file) / MIB:,.1f}" for file in files)
    share = sum(file["Pss"] for file in files) / MIB
    return (
        f"The two processes have {mapped} MiB of the file mapped, and {own} MiB of that to themselves: together they "
        f"use {share:,.0f} MiB (the sum of their proportional shares, `Pss`)."
    )
