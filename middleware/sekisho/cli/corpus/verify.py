"""Read a whole corpus file and check its checksum and its order: after copying it, before deploying it.

Exit code: 0 if the file is intact; otherwise 1, with the reason.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sekisho.breach.corpus_file import Corpus
from sekisho.breach.header import CorpusError
from sekisho.cli.corpus.common import existing
from sekisho.cli.output import many
from sekisho.cli.progress import amount, drawing

if TYPE_CHECKING:
    import argparse

__all__ = ["arguments", "run"]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="made by `sekisho corpus build`")


def run(args: argparse.Namespace) -> int:
    path = existing("FILE", args.file)
    try:
        corpus = Corpus.open(path)
        with drawing() as progress:
            corpus.verify(progress)
    except CorpusError as error:
        if not args.json:
            raise
        print(json.dumps({"whole": False, "problem": str(error)}, indent=2))
        return 1
    header = corpus.header
    if args.json:
        print(json.dumps({"whole": True, "kind": header.kind, "entries": header.entries}, indent=2))
    else:
        print(f"{path}: whole, {many(header.entries, 'entry', 'entries')}, {amount(header.layout.end, 'B')}")
    return 0
