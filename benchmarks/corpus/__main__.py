"""`python -m benchmarks.corpus {synthesize,build,lookups,structures,cost,figures}`: see the module of each."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.arguments import part_parsers

if TYPE_CHECKING:
    import argparse


class Part(NamedTuple):
    """A part of this benchmark: what it tells, and its number of keys, in full and for a first look."""

    about: str
    entries: int
    quick: int


PARTS = {
    "synthesize": Part("lines of a made-up leak", 100_000_000, 1_000_000),
    "build": Part("time, memory and size of a build; nothing missing; false positives", 100_000_000, 1_000_000),
    "lookups": Part("look-ups a second in one process and in two; cold look-ups", 100_000_000, 1_000_000),
    "structures": Part("the corpus beside what a user would pick instead", 10_000_000, 300_000),
    "cost": Part("what corpus and pairs add to an attempt", 100_000_000, 1_000_000),
    "figures": Part("the results so far, as a page of docs/", 0, 0),
}
FUNCTIONS = {
    "synthesize": "synthesize_lines",
    "build": "measure_build",
    "lookups": "measure_lookups",
    "structures": "compare_structures",
    "cost": "measure_corpus_cost",
    "figures": "write_corpus_figures",
}


def main() -> None:
    abouts = {name: part.about for name, part in PARTS.items()}
    parser, parts = part_parsers("benchmarks.corpus", __doc__, abouts, quick="few keys and rounds")
    for name, part in PARTS.items():
        if name != "figures":
            _add_options(parts[name], name, part)
    options = parser.parse_args()
    if options.part != "figures" and options.entries is None:
        options.entries = PARTS[options.part].quick if options.quick else PARTS[options.part].entries
    # Each part on its own: a made-up leak needs neither Redis nor matplotlib.
    getattr(import_module(f"benchmarks.corpus.{options.part}"), FUNCTIONS[options.part])(options)


def _add_options(parser: argparse.ArgumentParser, name: str, part: Part) -> None:
    parser.add_argument("--entries", type=_count, help=f"keys; {part.entries:,} unless told")
    if name == "synthesize":
        parser.add_argument("--seed", type=int, default=7, help="another seed, another leak")
        parser.add_argument("--shuffled", action="store_true", help="in random order (needs 16 bytes of memory a key)")
        parser.add_argument("--output", default="-", help="a file; standard output unless told")
        return
    parser.add_argument("--work", help="folder for gigabytes of passing files; the system's own unless told")
    parser.add_argument("--keep", action="store_true", help="leave them there")
    if name == "build":
        parser.add_argument("--absent", type=_count, help="absent keys to ask for; as many as present ones unless told")
        parser.add_argument("--piped", action="store_true", help="sorted lines through a pipe, none on disk")
    if name == "lookups":
        parser.add_argument("--file", help="a corpus that a build with --keep left, of as many --entries")


def _count(text: str) -> int:
    """`100000000`, `100_000_000` or `1e8`."""
    return int(float(text.replace("_", "")))


if __name__ == "__main__":
    main()
