"""Builds a corpus file from any sources: in one pass if the input is sorted, otherwise by external sorting."""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.breach.header import ENTRIES_MAX, ENTRY_BYTES, CorpusError, Header
from sekisho.breach.progress import Progress, Silent
from sekisho.corpus.sorter import MEMORY_BYTES, RECORD_BYTES, Sorter
from sekisho.corpus.sources import Hashes, Plain, Ranges, Source
from sekisho.corpus.writer import TooDenseError, ensure_room, write_sorted

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Hashes", "Plain", "Ranges", "Source", "build"]


def build(
    sources: Sequence[Source],
    output: str | os.PathLike[str],
    *,
    kind: str = "passwords",
    key_id: str = "",
    expected: int | None = None,
    built: int | None = None,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
) -> Header:
    """Build the corpus of all `sources`, and put it at `output` once it is complete and on the disk.

    A single sorted source takes one pass and no file except the output. Any other input is sorted first, which needs
    eight bytes a record beside the output meanwhile. If a source that claims to be sorted is not, the build fails.
    `expected` (see `write_sorted`) is only needed for sorted input that cannot be read twice and is not distributed
    evenly.

    Raises:
        CorpusError: the text states the problem, the place and the remedy. An earlier file at `output` stays.
    """
    telling = progress or Silent()
    if not sources:
        raise CorpusError("there is nothing to make a corpus from: name a file")
    streamed = len(sources) == 1 and sources[0].ordered
    _ensure_sound(sources, Path(output), streamed=streamed)

    def stream(source: Source, expected: int | None) -> Header:
        blocks, most = source.records(telling), _about_max(source)
        return write_sorted(
            output, blocks, kind=kind, key_id=key_id, expected=expected, most=most, built=built, progress=telling
        )

    if streamed:
        try:
            return stream(sources[0], expected)
        except TooDenseError as error:
            if not sources[0].repeatable:
                raise
            return stream(sources[0], error.entries)
    with Sorter(output, memory_bytes=memory_bytes) as sorter:
        for records in chain.from_iterable(source.records(telling) for source in sources):
            sorter.add(records)
        return sorter.write(kind=kind, key_id=key_id, expected=expected, built=built, progress=telling)


def _ensure_sound(sources: Sequence[Source], output: Path, *, streamed: bool) -> None:
    target = Path(os.path.realpath(output))
    if target.is_dir():
        raise CorpusError(f"{output}: is a folder: name a file in it")
    if not target.parent.is_dir():
        raise CorpusError(f"{target.parent}: there is no such folder: make it first")
    if any(_same(source, target) for source in sources):
        raise CorpusError(f"{output}: is an input and the output: name another output")
    records = sum(source.records_min() for source in sources)
    ensure_room(target.parent, records * (ENTRY_BYTES if streamed else ENTRY_BYTES + RECORD_BYTES))


def _about_max(source: Source) -> int:
    # If only some prefixes are present, the reach of the first million says little about the whole; the size says more.
    return source.records_about_max() if isinstance(source, Hashes | Ranges) else ENTRIES_MAX


def _same(source: Source, target: Path) -> bool:
    path = getattr(source, "path", None)
    return path is not None and target.exists() and path.exists() and target.samefile(path)
