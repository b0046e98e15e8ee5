"""The results as a page of the documentation: `python -m benchmarks.corpus figures`.

The page is generated from the JSON, so it cannot claim an unmeasured figure. With `--quick` the page of a first look
goes to the screen alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.corpus.build import BUILD_HEADINGS, build_rows, build_words
from benchmarks.corpus.cost import LOAD_HEADINGS, load_cells
from benchmarks.corpus.lookups import LOOKUP_HEADINGS, lookup_rows, shared_pages
from benchmarks.corpus.structures import STRUCTURE_HEADINGS, structure_rows
from benchmarks.result import interval_text, machine_text, read_result, write_page
from benchmarks.tables import markdown_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

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
    yield from markdown_table(BUILD_HEADINGS, build_rows(result))
    yield ""
    same = "both inputs gave the same file, byte for byte" if result["same_file_from_any_order"] else "THE FILES DIFFER"
    yield f"- {same[0].upper()}{same[1:]} (but for the build date)."
    yield from build_words(result)


def _piped(result: dict[str, Any]) -> Iterator[str]:
    yield "## A build from a pipe"
    yield ""
    yield (
        f"{result['plan']['entries']:,} sorted lines on standard input, made up by another process on the other core "
        "while they were read; no text on disk."
    )
    yield ""
    yield from markdown_table(BUILD_HEADINGS, build_rows(result))
    yield ""
    yield from build_words(result)


def _lookups(result: dict[str, Any]) -> Iterator[str]:
    plan = result["plan"]
    yield "## Look-ups"
    yield ""
    yield (
        f"In a file of {plan['entries']:,} hashes; {plan['keys']:,} keys from all over it, half of them present, in "
        f"random order; {plan['rounds']} rounds of one process and of two, in turns, each process on a core of its own."
    )
    yield ""
    yield from markdown_table(LOOKUP_HEADINGS, lookup_rows(result))
    yield ""
    yield shared_pages(result)


def _structures(result: dict[str, Any]) -> Iterator[str]:
    plan = result["plan"]
    yield "## What one would pick instead"
    yield ""
    yield (
        f"The same {plan['entries']:,} hashes in each, one run; {plan['rounds']} rounds in turns in one process. "
        "*How often* says whether it tells the prevalence; *a worker* is what each further process of a service adds."
    )
    yield ""
    yield from markdown_table(STRUCTURE_HEADINGS, structure_rows(result["structures"]))
    yield ""
    yield "![The same as a picture](../benchmarks/results/corpus-structures.svg)"


def _cost(result: dict[str, Any]) -> Iterator[str]:
    inside, outside, plan = result["in_process"], result["over_http"], result["plan"]
    yield "## What it adds to an attempt"
    yield ""
    yield (
        f"Both files of {plan['entries']:,} entries; the one call that the guard makes (`BreachLookup.look`) against "
        f"the same call with nothing configured, {plan['rounds']} rounds in turns."
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
