"""Write a leak that never was: `python -m benchmarks.corpus synthesize --entries N [--shuffled] [--output FILE]`.

Lines as Have I Been Pwned publishes them, to a file or to standard output, so that a builder can be fed by a pipe.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.corpus import synthetic
from benchmarks.corpus.synthetic import Synthetic
from sekisho.cli.progress import drawing

if TYPE_CHECKING:
    import argparse


def synthesize_lines(options: argparse.Namespace) -> None:
    source = Synthetic(options.entries, options.seed)
    with ExitStack() as stack:
        out = sys.stdout.buffer if options.output == "-" else stack.enter_context(Path(options.output).open("wb"))
        drawn = stack.enter_context(drawing())
        drawn.begin("making lines up", source.entries, "lines")
        for heads in source.shuffled() if options.shuffled else source.ordered():
            out.write(synthetic.text(heads))
            drawn.advance(len(heads))
        out.flush()
