"""What all parts of this benchmark share: work folders, results, rates with intervals, processes on cores."""

from __future__ import annotations

import ctypes
import gc
import math
import multiprocessing
import os
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import measure
from benchmarks.result import write_result

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection

    from sekisho.cli.progress import Drawing

MIB, GIB = 2**20, 2**30
BUSY = 0.5  # of two cores: more, and somebody else is at work
_PAGE_KINDS = ("Rss", "Pss", "Private_Clean", "Private_Dirty", "Shared_Clean", "Shared_Dirty")


class Rate(NamedTuple):
    """How often something happened, and between which rates the true one lies in at least 95 runs of 100."""

    hits: int
    trials: int
    low: float
    rate: float
    high: float


def rate_interval(hits: int, trials: int) -> Rate:
    """The exact interval for rare events (Garwood 1936): right for no event at all, too."""
    low = _mean_where(hits - 1, 0.975) if hits else 0.0
    return Rate(hits, trials, low / trials, hits / trials, _mean_where(hits, 0.025) / trials)


def _mean_where(events: int, chance: float) -> float:
    """The mean at which `events` or fewer have this chance."""
    low, high = 0.0, 10.0 + 2 * events
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _poisson(events, middle) > chance else (low, middle)
    return high


def _poisson(events: int, mean: float) -> float:
    """Chance of at most so many events, by logarithms: `exp(-mean)` alone would vanish."""
    return math.fsum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(events + 1))


@contextmanager
def work_folder(options: argparse.Namespace) -> Iterator[Path]:
    """Where gigabytes go meanwhile: below `--work`, and away afterwards unless `--keep`."""
    parent = Path(options.work or tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="sekisho-bench-corpus-", dir=parent))
    try:
        yield folder
    finally:
        if options.keep:
            print(f"Kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def require_room(folder: Path, needed_bytes: float) -> None:
    """Raises `SystemExit` before hours of work end in a full disk."""
    if (free := shutil.disk_usage(folder).free) < needed_bytes:
        raise SystemExit(f"about {needed_bytes / GIB:.0f} GiB are needed in --work, {free / GIB:.0f} GiB are free")


@dataclass(frozen=True, slots=True)
class Record:
    """The record of a run, beside its result: the machine's state before it, and the options."""

    stem: str
    plan: dict[str, Any]
    machine: dict[str, Any]
    quick: bool

    @classmethod
    def begin(cls, stem: str, plan: dict[str, Any], options: argparse.Namespace) -> Record:
        """Look at the machine before it is put to work."""
        packages = ("numpy", "pyfusefilter", "rbloom", "redis", "hiredis")
        about = measure.machine()
        about["versions"] |= {name: version(name) for name in packages} | {"sqlite": sqlite3.sqlite_version}
        about["read_ahead_kib"] = read_ahead_kib(Path(options.work or tempfile.gettempdir()))
        if about["load_average_before"] > BUSY:
            print(f"This machine is busy (load {about['load_average_before']}): the figures will be of that, too.")
        return cls(stem, {"entries": options.entries, **plan}, about, options.quick)

    def write(self, result: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Write the result with its record. `more` belongs to the plan. Returns the written content."""
        head = {"machine": self.machine, "plan": self.plan | more}
        return write_result(self.stem, head | result, quick=self.quick)


def read_ahead_kib(folder: Path) -> int | None:
    """How far the kernel reads ahead on a folder's disk, unless told not to; `None` where that is not known."""
    try:
        found = folder.stat().st_dev
        return int(Path(f"/sys/class/bdi/{os.major(found)}:{os.minor(found)}/read_ahead_kb").read_text())
    except FileNotFoundError:
        return None


def memory(mapped: Path | None = None) -> dict[str, int]:
    """Bytes of this process by kind, from the kernel (Linux); of one mapped file alone where one is named.

    `Pss` counts each page by the share that this process has in it, so the sum over all processes is what is used.
    """
    if mapped is None:
        return _pages(Path("/proc/self/smaps_rollup").read_text().splitlines())
    inside, lines = False, []
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0]:  # the first line of a mapping: its addresses and its file
            inside = line.endswith(str(mapped))
        elif inside:
            lines.append(line)
    return _pages(lines)


def _pages(lines: Sequence[str]) -> dict[str, int]:
    out = dict.fromkeys(_PAGE_KINDS, 0)
    for line in lines:
        kind, _, rest = line.partition(":")
        if kind in out:
            out[kind] += 1024 * int(rest.split()[0])
    return out


def private_bytes(pages: dict[str, int]) -> int:
    """What another process like this one would add."""
    return pages["Private_Clean"] + pages["Private_Dirty"]


def give_back_memory() -> None:
    """Have the allocator return what is free, so that what is measured next is what is held."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def evict(path: Path) -> None:
    """Have the kernel forget a file's pages; those that some process maps stay."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # a dirty page cannot be dropped
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def read_bytes() -> int:
    """Bytes that the kernel has fetched from disk for this process so far."""
    return next(
        int(line.split()[1]) for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("read_bytes")
    )


@dataclass(slots=True)
class Worker:
    """A process on a core of its own that does what it is told through a pipe: a worker of a service, in short."""

    process: multiprocessing.process.BaseProcess
    pipe: Connection

    @classmethod
    def start(cls, core: int | None, serve: Callable[..., None], *args: Any) -> Worker:
        """Run `serve(pipe, *args)` in a new process, on `core` or wherever it pleases."""
        spawn = multiprocessing.get_context("spawn")  # a fork would share this process's memory with it
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=_on_core, args=(core, serve, theirs, *args), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours)

    def tell(self, *order: Any) -> None:
        self.pipe.send(order)

    def answer(self) -> Any:
        """What it sends next. Raises `SystemExit` where it died instead; what it said is on stderr."""
        try:
            return self.pipe.recv()
        except EOFError:
            raise SystemExit("a process of the benchmark died") from None

    def answer_to(self, *order: Any) -> Any:
        self.tell(*order)
        return self.answer()

    def end(self) -> None:
        self.pipe.close()
        self.process.join()


@contextmanager
def workers(serve: Callable[..., None], *args: Any, count: int = 2) -> Iterator[list[Worker]]:
    """So many alike, each on a core of its own. `serve(pipe, number, *args)` ends when its pipe closes."""
    running = [Worker.start(number, serve, number, *args) for number in range(count)]
    try:
        yield running
    finally:
        for worker in running:
            worker.end()


def orders(pipe: Connection) -> Iterator[tuple[Any, ...]]:
    """The orders of a worker, until their sender closes the pipe."""
    while True:
        try:
            yield pipe.recv()
        except EOFError:
            return


def together(running: Sequence[Worker], drawn: Drawing, *order: Any) -> list[Any]:
    """Give all the same order; draw the progress they send as plain numbers until each has sent its result."""
    for worker in running:
        worker.tell(*order)
    results: dict[int, Any] = {}
    while len(results) < len(running):
        waiting = {running[number].pipe: number for number in range(len(running)) if number not in results}
        for pipe in multiprocessing.connection.wait(list(waiting)):
            number = waiting[pipe]  # type: ignore[index]  # only pipes were waited for
            told = running[number].answer()
            if isinstance(told, int):
                drawn.advance(told)
            else:
                results[number] = told
    return [results[number] for number in range(len(running))]


def _on_core(core: int | None, serve: Callable[..., None], pipe: Connection, *args: Any) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    serve(pipe, *args)
