"""The inputs of a build: inspect each INPUT, and create a source of the engine from it.

A folder holds ranges. Of a text, the first lines are inspected: hashes are recognised, and so is their order, since a
hundred unsorted hashes are never all ascending. Plain passwords are never guessed: a damaged list of hashes would be
read as passwords, and the corpus would be useless.
"""

from __future__ import annotations

import re
import sys
import zlib
from codecs import BOM_UTF8
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sekisho.cli.corpus.common import NOT_REPEATED
from sekisho.cli.usage import Misused
from sekisho.corpus.build import Hashes, Plain, Ranges, Source
from sekisho.corpus.reading import GZIP_MAGIC

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FORMATS", "Input", "found", "sources"]

FORMATS = ("hibp", "ranges", "plain")
STANDARD_INPUT = "-"

_HASH = re.compile(rb"[0-9A-Fa-f]{40}(?![0-9A-Fa-f])")
_LOOKED_AT_BYTES = 8192  # one read of a pipe; some 180 hashes


class Input(NamedTuple):
    """One INPUT.

    Attributes:
        name: of the argument, for errors; never its value.
        path: `None` for standard input.
    """

    name: str
    path: Path | None


def found(given: Sequence[str]) -> list[Input]:
    """Find the inputs.

    Raises:
        Misused: one does not exist, or standard input is named twice or is a terminal.
    """
    if given.count(STANDARD_INPUT) > 1:
        raise Misused("standard input (-) can be read once")
    names = ["INPUT" if len(given) == 1 else f"INPUT {place} of {len(given)}" for place in range(1, len(given) + 1)]
    return [Input(name, _path(name, text)) for name, text in zip(names, given, strict=True)]


def _path(name: str, text: str) -> Path | None:
    if text == STANDARD_INPUT:
        if sys.stdin is None or sys.stdin.isatty():
            raise Misused(f"{name} is standard input, and nothing is piped into it")
        return None
    try:
        if (path := Path(text)).exists():
            return path
    except OSError:  # an invalid path, or a folder without permission
        pass
    raise Misused(f"{name} is neither an existing file nor a folder {NOT_REPEATED}")


def sources(inputs: Sequence[Input], *, form: str | None, ordered: bool | None, partial: bool) -> list[Source]:
    """Create the engine's sources.

    Args:
        inputs: see `found`.
        form: one of `FORMATS`; `None`: detect it.
        ordered: whether hashes are sorted; `None`: detect it. Several inputs are treated as unsorted then.
        partial: whether parts may be missing.

    Raises:
        Misused: a format cannot be detected, or does not match the input.
    """
    if ordered is None and len(inputs) > 1:
        ordered = False
    return [_source(one, form, ordered, partial) for one in inputs]


def _source(one: Input, form: str | None, ordered: bool | None, partial: bool) -> Source:
    if one.path is not None and one.path.is_dir():
        if form not in {None, "ranges"}:
            raise Misused(f"{one.name} is a folder, and a folder holds ranges (--format ranges)")
        return Ranges(one.path, partial=partial)
    if form == "ranges":
        raise Misused(f"{one.name} is no folder, and ranges need one")
    if form == "plain":
        if ordered:
            raise Misused("--sorted applies to hashes; plain passwords are always sorted here")
        return Plain(one.path)
    rows = _first_rows(one.path)
    if form is None and rows and not _HASH.match(rows[0]):
        raise Misused(
            f"{one.name} does not begin with a line of SHA1:count; if it is a list of passwords, say --format plain"
        )
    if ordered is None:
        # An input that cannot be inspected without consuming it (a named pipe) is sorted here; that is always correct.
        ordered = bool(rows) and all(row[:40].upper() <= after[:40].upper() for row, after in pairwise(rows))
    return Hashes(one.path, ordered=ordered, partial=partial)


def _first_rows(path: Path | None) -> list[bytes]:
    """The first whole lines, as far as they can be read without consuming them."""
    first = _peeked() if path is None else _head(path)
    if first.startswith(GZIP_MAGIC):
        first = _inflated(first)
    return first.removeprefix(BOM_UTF8).split(b"\n")[:-1]


def _head(path: Path) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        first = file.read(_LOOKED_AT_BYTES)
    # The last line of a short file may lack its line feed.
    return first if len(first) == _LOOKED_AT_BYTES else first.removesuffix(b"\n") + b"\n"


def _peeked() -> bytes:
    peek = getattr(sys.stdin.buffer, "peek", None)
    return bytes(peek(_LOOKED_AT_BYTES)[:_LOOKED_AT_BYTES]) if peek is not None else b""


def _inflated(first: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(first, _LOOKED_AT_BYTES)
    except zlib.error:
        return b""  # the engine reports the problem
