"""Build the file at full size, then ask it for every key it was made from, and for many it was not.

`python -m benchmarks.corpus build [--quick] [--entries N] [--absent N] [--work DIR] [--keep] [--piped]`

The command that users run does the building, in a process of its own: its time, its processor time and its peak memory
are what the kernel says. Sorted input, then the same lines in random order; both must give the same file. Then two
processes ask `Corpus.find` for all present keys (each must be found, in its class) and for absent ones (the share that
is found is the false-positive rate, beside what the header claims).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks.corpus import common, synthetic
from benchmarks.corpus.common import GIB, MIB, rate_interval
from benchmarks.corpus.synthetic import Synthetic
from benchmarks.tables import screen_table, wide_console
from sekisho.breach.corpus_file import Corpus
from sekisho.breach.header import SUFFIX_BITS
from sekisho.cli.progress import Drawing, drawing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection

LINE_BYTES = 43.5  # of text, on average
BILLION = 10**9


class Built(NamedTuple):
    """One run of the builder.

    Attributes:
        order: of the lines: `sorted` or `shuffled`.
        entries: in the file; fewer than lines where two agree in all that it keeps.
        peak_rss_bytes: the most it held at a time, mapped files included.
    """

    order: str
    lines: int
    entries: int
    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    file_bytes: int
    payload: str

    def report(self) -> dict[str, Any]:
        return self._asdict() | {
            "lines_per_second": self.lines / self.wall_seconds,
            "bytes_per_hash": self.file_bytes / self.lines,
        }


class Checked(NamedTuple):
    """What the look-ups of one process found.

    Attributes:
        missing: present keys that were not found. One is too many.
        classes_off: keys found in another class than their own.
        classes_shared: keys, among those, that agree with another in all bits that the file keeps.
    """

    present: int = 0
    missing: int = 0
    classes_off: int = 0
    classes_shared: int = 0
    absent: int = 0
    found: int = 0

    def __add__(self, other: object) -> Checked:
        if not isinstance(other, Checked):
            return NotImplemented
        return Checked(*(a + b for a, b in zip(self, other, strict=True)))


def measure_build(options: argparse.Namespace) -> None:
    source = Synthetic(options.entries)
    options.absent = options.absent or options.entries
    plan = {"absent": options.absent, "piped": options.piped, "seed": source.seed}
    record = common.Record.begin("corpus-build-piped" if options.piped else "corpus-build", plan, options)
    with common.work_folder(options) as folder, drawing() as drawn:
        common.require_room(folder, options.entries * (0 if options.piped else LINE_BYTES) + options.entries * 20)
        built = [build(source, folder, "sorted", piped=options.piped)]
        path = corpus_path(folder, "sorted")
        if not options.piped:
            built.append(build(source, folder, "shuffled", piped=False))
        same = len({each.payload for each in built}) == 1
        checked = check(path, source, options.absent, drawn)
        header = Corpus.open(path).header
        stated = header.false_positive_rate
    _report(built, checked, stated, same=same, record=record)
    if checked.missing or checked.classes_off > checked.classes_shared or not same:
        raise SystemExit("the file is not what it was made from")


def corpus_path(folder: Path, order: str) -> Path:
    return folder / f"{order}.corpus"


def build(source: Synthetic, folder: Path, order: str, *, piped: bool) -> Built:
    """Have the lines written, then the real command build a file from them."""
    path, took = corpus_path(folder, order), folder / "took.json"
    command = [sys.executable, "-m", "benchmarks.corpus.rusage", str(took), *builder(path)]
    if piped:
        with subprocess.Popen(_synthesize(source, order), stdout=subprocess.PIPE) as lines:
            subprocess.run([*command, "-"], stdin=lines.stdout, check=True)
    else:
        text = folder / f"{order}.txt"
        subprocess.run([*_synthesize(source, order), "--output", str(text)], check=True)
        subprocess.run([*command, str(text)], check=True)
        text.unlink()
    header = Corpus.open(path).header
    return Built(
        order=order,
        lines=source.entries,
        entries=header.entries,
        file_bytes=path.stat().st_size,
        payload=header.payload_blake2b,
        **json.loads(took.read_text()),
    )


def builder(path: Path) -> list[str]:
    """The command that users run; what it reads comes last."""
    return [str(Path(sys.executable).with_name("sekisho")), "corpus", "build", str(path)]


def _synthesize(source: Synthetic, order: str) -> list[str]:
    words = [sys.executable, "-m", "benchmarks.corpus", "synthesize", "--entries", str(source.entries)]
    return [*words, "--seed", str(source.seed), *(["--shuffled"] if order == "shuffled" else [])]


def check(path: Path, source: Synthetic, absent: int, drawn: Drawing) -> Checked:
    """Ask for everything, in two processes that take every other partition."""
    drawn.begin("asking for every key", source.entries + absent, "keys")
    with common.workers(_serve, str(path), source, absent) as running:
        parts: Sequence[Checked] = common.together(running, drawn)
    drawn.end()
    return parts[0] + parts[1]


def _serve(pipe: Connection, number: int, path: str, source: Synthetic, absent: int) -> None:
    corpus = Corpus.open(path)
    share = -(-absent // source.partitions)
    for _ in common.orders(pipe):
        total = Checked()
        for partition in range(number, source.partitions, 2):
            present = _ask_present(corpus, source.present(partition))
            absences = _ask_absent(corpus, source.absent(partition, share))
            total = total + present + absences
            pipe.send(present.present + absences.absent)
        pipe.send(total)


def _ask_present(corpus: Corpus, heads: synthetic.Heads) -> Checked:
    find = corpus.find
    found = np.array([find(digest) for digest in synthetic.as_bytes(heads)])
    off = (found != synthetic.classes(heads)) & (found != 0)
    # What the file keeps of two keys may be equal, and then one answer serves both.
    kept = heads >> np.uint64(64 - corpus.header.bits - SUFFIX_BITS)
    same = kept[1:] == kept[:-1]
    shared = np.append(same, [False]) | np.append([False], same)
    return Checked(
        present=len(heads),
        missing=int((found == 0).sum()),
        classes_off=int(off.sum()),
        classes_shared=int((off & shared).sum()),
    )


def _ask_absent(corpus: Corpus, heads: synthetic.Heads) -> Checked:
    find = corpus.find
    return Checked(absent=len(heads), found=sum(map(bool, map(find, synthetic.as_bytes(heads)))))


def _report(built: Sequence[Built], checked: Checked, stated: float, *, same: bool, record: common.Record) -> None:
    measured = rate_interval(checked.found, checked.absent)
    bytes_per_hash = built[0].file_bytes / built[0].lines
    result = {
        "builds": [each.report() for each in built],
        "same_file_from_any_order": same,
        "gib_at_a_billion": bytes_per_hash * BILLION / GIB,
        "checked": checked._asdict(),
        "false_positives": measured._asdict() | {"stated_in_the_header": stated},
    }
    console = wide_console()
    console.print(screen_table("The builder, in a process of its own", BUILD_HEADINGS, build_rows(result)))
    console.print(*build_words(result), sep="\n", highlight=False)
    record.write(result)


BUILD_HEADINGS = (
    "lines",
    "hashes",
    "seconds",
    "CPU seconds",
    "hashes a second",
    "peak memory",
    "file",
    "bytes per hash",
)


def build_rows(result: dict[str, Any]) -> list[Sequence[str]]:
    """A row for each build, for the screen and the page."""
    return [
        (
            row["order"],
            f"{row['lines']:,}",
            f"{row['wall_seconds']:.0f}",
            f"{row['cpu_seconds']:.0f}",
            f"{row['lines_per_second']:,.0f}",
            f"{row['peak_rss_bytes'] / MIB:,.0f} MiB",
            f"{row['file_bytes'] / MIB:,.0f} MiB",
            f"{row['bytes_per_hash']:.3f}",
        )
        for row in result["builds"]
    ]


def build_words(result: dict[str, Any]) -> Iterator[str]:
    checked, rate = result["checked"], result["false_positives"]
    yield f"- At 10⁹ hashes, by the same bytes per hash: {result['gib_at_a_billion']:.2f} GiB."
    yield (
        f"- All {checked['present']:,} present keys were asked for through `Corpus.find`: {checked['missing']:,} are "
        f"missing. {checked['classes_off']:,} have another class than their own; {checked['classes_shared']:,} of "
        "those agree with another key in every bit that the file keeps, and share the commoner one's class."
    )
    yield (
        f"- Of {rate['trials']:,} absent keys {rate['hits']:,} were found: {rate['rate']:.2g} ({rate['low']:.2g} - "
        f"{rate['high']:.2g}). The header states {rate['stated_in_the_header']:.2g}."
    )
