"""The report of a finished build, as text and as JSON."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from sekisho.cli.corpus.info import HOLDS, false_positives, figures
from sekisho.cli.output import many
from sekisho.cli.progress import amount, span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sekisho.breach.header import Header
    from sekisho.corpus.combination_lists import BuiltPairs

__all__ = ["Made"]

VARIABLES = {"passwords": "SEKISHO_CORPUS", "pairs": "SEKISHO_PAIRS"}


class Made(NamedTuple):
    """A file that was made.

    Attributes:
        path, header: of the new file.
        lines: the results for the lines of combination lists; `None` for passwords.
        seconds: the duration.
        former: the header of the replaced file; `None` if there was none, or it could not be read.
    """

    path: Path
    header: Header
    lines: BuiltPairs | None
    seconds: float
    former: Header | None

    def figures(self) -> dict[str, object]:
        """The report as JSON values."""
        told = {"path": str(self.path), **figures(self.header, time.time())}
        told["seconds"] = round(self.seconds, 3)
        told["replaced_entries"] = self.former and self.former.entries
        if self.lines is not None:
            told["pairs"] = self.lines.pairs
            told["skipped"] = {why.name.lower(): number for why, number in self.lines.skipped.items()}
            told["guessed_encoding"] = self.lines.guessed
        return told

    def told(self) -> Iterator[str]:
        """The report of the finished build as lines of text: size, quality, and the setting to change."""
        header, size = self.header, self.header.layout.end
        pairs = "" if self.lines is None else f"{self.lines.pairs:,} {HOLDS['pairs']}, "
        yield f"{self.path}: {pairs}{many(header.entries, 'entry', 'entries')}, made in {span(self.seconds)}"
        yield f"{amount(size, 'B')}, {size / header.entries:.2f} bytes an entry"
        yield f"false positives: {false_positives(header)}"
        if self.lines is not None:
            yield from _skipped(self.lines)
        if self.former is not None:
            fewer = ", WHICH IS MORE" if header.entries < self.former.entries else ""
            yield f"It took the place of a file of {many(self.former.entries, 'entry', 'entries')}{fewer}"
        yield f"Set {VARIABLES[header.kind]}={self.path.resolve()}; services that have it set notice the new file"


def _skipped(lines: BuiltPairs) -> Iterator[str]:
    if lines.skipped:
        yield "Lines skipped: " + ", ".join(f"{number:,} ({why.value})" for why, number in lines.skipped.items())
    if lines.guessed:
        yield (
            f"not UTF-8, and read as Windows-1252: {many(lines.guessed, 'line')}; if those are many, the lists are "
            "in another encoding: name it with --encoding"
        )
