"""Make a file of leaked passwords, or of leaked pairs with --pairs. OUT is replaced only when the new file is complete.

INPUT is a folder of ranges from `sekisho corpus fetch`, a list of SHA1:count as Have I Been Pwned provides it, a list
of passwords (--format plain), or - for standard input; gzip is recognised. Several inputs become one file. Sorted
hashes take one pass; others are sorted here, with 128 MiB of memory and eight bytes of disk per hash beside OUT.

With --pairs, INPUT holds lines of account:password, as combination lists do; invalid lines are skipped and counted.
Only keyed digests are written. The key is SEKISHO_PAIRS_KEY, or in the file that SEKISHO_PAIRS_KEY_FILE names. The
service that reads the file needs the same key; never store it beside the file.

Exit code: 0 if the file was made; 1 if it was not, and OUT is unchanged; 2 if the command line was invalid.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.breach.corpus_file import Corpus
from sekisho.breach.header import MAGIC, CorpusError
from sekisho.cli.corpus import inputs
from sekisho.cli.corpus.common import settings, tidily
from sekisho.cli.corpus.info import HOLDS
from sekisho.cli.corpus.made import Made
from sekisho.cli.progress import drawing
from sekisho.cli.usage import Misused
from sekisho.corpus.build import build
from sekisho.corpus.combination_lists import BuiltPairs, ListReading, build_pairs
from sekisho.model import SettingsError
from sekisho.settings.parse import HOW_TO_MAKE_A_SECRET

if TYPE_CHECKING:
    import argparse

    from sekisho.breach.header import Header
    from sekisho.breach.progress import Progress
    from sekisho.cli.corpus.inputs import Input

__all__ = ["arguments", "run"]


def arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("out", metavar="OUT", help="the file to make")
    add("inputs", metavar="INPUT", nargs="+", help="files and folders to make it from; - is standard input")
    add("--force", action="store_true", help="replace OUT even if it is no corpus, or one of the other kind")
    hashes = parser.add_argument_group("passwords")
    hashes.add_argument("--format", choices=inputs.FORMATS, help="the format of INPUT, if it is not detected")
    order = hashes.add_mutually_exclusive_group()
    order.add_argument(
        "--sorted", action="store_true", help="hashes are sorted; an error names the line if they are not"
    )
    order.add_argument("--unsorted", action="store_true", help="they are not, even if the first of them are")
    hashes.add_argument("--partial", action="store_true", help="ranges may be missing, and sorted hashes may end early")
    pairs = parser.add_argument_group("pairs")
    pairs.add_argument("--pairs", action="store_true", help="INPUT holds pairs of account and password")
    pairs.add_argument("--encoding", metavar="NAME", help="such as cp932 or gbk [UTF-8, else Windows-1252, by line]")
    pairs.add_argument("--hashes", action="store_true", help="keep passwords that look like hashes")
    pairs.add_argument("--strict", action="store_true", help="refuse the first line without a pair, by its number")


def run(args: argparse.Namespace) -> int:
    _ensure_consistent(args)
    if args.out == inputs.STANDARD_INPUT:
        raise Misused("OUT must be a file: it is replaced once it is complete, and cannot be standard output")
    given = inputs.found(args.inputs)
    path = Path(args.out)
    former = _replaceable(path, "pairs" if args.pairs else "passwords", force=args.force)
    if any(one.path is not None and path.exists() and one.path.samefile(path) for one in given):
        raise Misused("OUT is also an INPUT: name another")
    begun = time.monotonic()
    with tidily(), drawing() as progress:
        header, lines = _pairs(args, given, progress) if args.pairs else (_passwords(args, given, progress), None)
    made = Made(path, header, lines, time.monotonic() - begun, former)
    print(json.dumps(made.figures(), indent=2) if args.json else "\n".join(made.told()))
    return 0


def _ensure_consistent(args: argparse.Namespace) -> None:
    of_hashes = args.format or args.sorted or args.unsorted or args.partial
    if args.pairs and of_hashes:
        raise Misused("--format, --sorted, --unsorted and --partial apply to passwords, not to --pairs")
    if not args.pairs and (args.encoding or args.hashes or args.strict):
        raise Misused("--encoding, --hashes and --strict need --pairs")


def _replaceable(path: Path, kind: str, *, force: bool) -> Header | None:
    """The header of the present OUT; `None` if there is none, or it cannot be read.

    Raises:
        Misused: OUT must not be replaced.
    """
    if not path.exists():
        return None
    if not path.is_file():
        raise Misused("OUT exists and is no file")
    try:
        header = Corpus.open(path).header
    except CorpusError:
        if force or _is_corpus(path):  # a damaged corpus may be replaced
            return None
        raise Misused("OUT exists and is no corpus; --force replaces it") from None
    if header.kind != kind and not force:
        raise Misused(f"OUT holds {HOLDS[header.kind]}, not {HOLDS[kind]}; --force replaces it")
    return header


def _is_corpus(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) in {MAGIC, b""}


def _passwords(args: argparse.Namespace, given: list[Input], progress: Progress) -> Header:
    ordered = True if args.sorted else False if args.unsorted else None
    made_from = inputs.sources(given, form=args.format, ordered=ordered, partial=args.partial)
    return build(made_from, args.out, progress=progress)


def _pairs(args: argparse.Namespace, given: list[Input], progress: Progress) -> tuple[Header, BuiltPairs]:
    key = settings("PAIRS_KEY").pairs_key
    if not key:
        raise SettingsError("SEKISHO_PAIRS_KEY", f"is not set, and pairs need a key. {HOW_TO_MAKE_A_SECRET}")
    for one in given:
        if one.path is not None and one.path.is_dir():
            raise Misused(f"{one.name} is a folder; name the lists in it")
    reading = ListReading(args.encoding, hashes=args.hashes)
    lines = build_pairs(
        [one.path for one in given], args.out, key, reading=reading, strict=args.strict, progress=progress
    )
    return lines.header, lines
