"""The results as a page of the documentation: `python -m benchmarks.corpus figures`.

The page is generated from the JSON, so it cannot claim an unmeasured figure. With `--quick` the page of a first look
goes to the screen alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.corpus.common import private_bytes
from benchmarks.corpus.cost import LOAD_HEADINGS, load_cells
from benchmarks.corpus.structures import wrong
from benchmarks.result import interval_text, machine_text, read_result, write_page
from benchmarks.tables import markdown_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

_MIB = 2**20
_MICROSECONDS_MAX = 3.0


def write_corpus_figures(options: argparse.Namespace) -> None:
    write_page("corpus-figures.md", page(quick=options.quick), quick=options.quick)


def page(*, quick: bool) -> Iterator[str]:
    """The lines of the page, without unmeasured parts."""
    yield "# The corpus in figures"
    yield ""
    yield (
        "Written by `python -m benchmarks.corpus figures` from `benchmarks/results/corpus*.json`; how it is measured "
        "stands in `benchmarks/README.md`. Medians, with 95% intervals from order statistics in brackets. All data is "
        "made up: digests that look like chance, counts with a heavy tail."
    )
    parts = (
        ("corpus-build", _build),
        ("corpus-build-piped", _piped),
        ("corpus-lookups", _lookups),
        ("corpus-structures", _structures),
        ("corpus-cost", _cost),
    )
    for stem, say in parts:
        if found := read_result(stem, quick=quick):
            yield ""
            yield from say(found)


def _build(result: dict[str, Any]) -> Iterator[str]:
    yield "## A build"
    yield ""
    yield (
        f"`sekisho corpus build` on {result['plan']['entries']:,} lines of text that lay in the page cache, in a "
        f"process of its own, writing to disk. {_machine(result)}"
    )
    yield ""
    yield from _builds(result)
    yield ""
    same = "both inputs gave the same file, byte for byte" if result["same_file_from_any_order"] else "THE FILES DIFFER"
    yield f"- {same[0].upper()}{same[1:]} (but for the build date)."
    yield from _checked(result)


def _piped(result: dict[str, Any]) -> Iterator[str]:
    yield "## A build from a pipe"
    yield ""
    yield (
        f"{result['plan']['entries']:,} sorted lines on standard input, made up by another process on the other core "
        "while they were read; no text on disk."
    )
    yield ""
    yield from _builds(result)
    yield ""
    yield from _checked(result)


def _builds(result: dict[str, Any]) -> Iterator[str]:
    yield from markdown_table(
        ("lines", "hashes", "seconds", "CPU seconds", "hashes a second", "peak memory", "file", "bytes per hash"),
        [
            (
                row["order"],
                f"{row['lines']:,}",
                f"{row['wall_seconds']:.0f}",
                f"{row['cpu_seconds']:.0f}",
                f"{row['lines_per_second']:,.0f}",
                f"{row['peak_rss_bytes'] / _MIB:,.0f} MiB",
                f"{row['file_bytes'] / _MIB:,.0f} MiB",
                f"{row['bytes_per_hash']:.3f}",
            )
            for row in result["builds"]
        ],
    )


def _checked(result: dict[str, Any]) -> Iterator[str]:
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


def _lookups(result: dict[str, Any]) -> Iterator[str]:
    warm, cold, plan = result["warm"], result["cold"], result["plan"]
    single = warm["single_ns"]
    yield "## Look-ups"
    yield ""
    yield (
        f"In a file of {plan['entries']:,} hashes; {plan['keys']:,} keys from all over it, half of them present, in "
        f"random order; {plan['rounds']} rounds of one process and of two, in turns, each process on a core of its own."
    )
    yield ""
    yield from markdown_table(
        ("what", "figure"),
        [
            ("warm, one process", f"{interval_text(warm['one_process_per_second'], ',.0f')} a second"),
            ("warm, two processes together", f"{interval_text(warm['two_processes_per_second'], ',.0f')} a second"),
            ("warm, p50 / p99 / p99.9", f"{single['p50']:.0f} / {single['p99']:.0f} / {single['p99.9']:.0f} ns"),
            ("of which reading the clock", f"{single['clock']['p50']:.0f} ns"),
            ("cold, p50", f"{interval_text(cold['p50_us'], '.0f')} µs"),
            ("cold, p99", f"{interval_text(cold['p99_us'], '.0f')} µs"),
            ("cold, pages fetched per look-up", interval_text(cold["major_faults_per_lookup"])),
            ("cold, look-ups that fetched more than one", interval_text(cold["share_with_more"], ".1%")),
            ("cold, bytes read per look-up", interval_text(cold["bytes_read_per_lookup"], ",.0f")),
        ],
    )
    yield ""
    yield from _shared([pages["file"] for pages in warm["memory"]])


def _shared(files: Sequence[dict[str, int]]) -> Iterator[str]:
    mapped = " and ".join(f"{file['Rss'] / _MIB:,.0f}" for file in files)
    own = " and ".join(f"{private_bytes(file) / _MIB:,.1f}" for file in files)
    share = sum(file["Pss"] for file in files) / _MIB
    yield (
        f"The two processes have {mapped} MiB of the file mapped, and {own} MiB of that to themselves: together they "
        f"use {share:,.0f} MiB (the sum of their proportional shares, `Pss`)."
    )


def _structures(result: dict[str, Any]) -> Iterator[str]:
    plan = result["plan"]
    yield "## What one would pick instead"
    yield ""
    yield (
        f"The same {plan['entries']:,} hashes in each, one run; {plan['rounds']} rounds in turns in one process. "
        "*How often* says whether it tells the prevalence; *a worker* is what each further process of a service adds."
    )
    yield ""
    headings = ("structure", "bytes per hash", "false positives", "build", "present", "absent", "absent, times ours")
    yield from markdown_table(
        (*headings, "cold", "how often", "shared", "a worker", "needs"),
        [
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
                f"{max(0, *row['worker_bytes']) / _MIB:,.1f} MiB",
                row["needs"],
            )
            for row in result["structures"]
        ],
    )
    yield ""
    yield "![The same as a picture](../benchmarks/results/corpus-structures.svg)"


def _cost(result: dict[str, Any]) -> Iterator[str]:
    inside, outside, plan = result["in_process"], result["over_http"], result["plan"]
    yield "## What it adds to an attempt"
    yield ""
    yield (
        f"Both files of {plan['entries']:,} entries; the one call that the guard makes (`Breaches.look`) against the "
        f"same call with nothing configured, {plan['rounds']} rounds in turns."
    )
    yield ""
    rows = [(f"added, {name}", interval_text(added)) for name, added in inside["added_us"].items()]
    steps = [(f"of it, {name}", interval_text(spent)) for name, spent in inside["steps_us"].items()]
    yield from markdown_table(("in process", "µs"), [*rows, *steps])
    usual = next(iter(inside["added_us"].values()))
    kept = "kept" if usual["high"] <= _MICROSECONDS_MAX else "NOT kept"
    yield ""
    yield f"The promise of {_MICROSECONDS_MAX:.0f} µs at most for an attempt that neither file knows is {kept}."
    yield ""
    yield f"Over HTTP, server time per request, {plan['rounds']} pairs of the guard with both files and without them:"
    yield ""
    yield from markdown_table(LOAD_HEADINGS, map(load_cells, outside["loads"]))


def _machine(result: dict[str, Any]) -> str:
    about = result["machine"]
    return f"{machine_text(about)}, load before {about['load_average_before']}."
