"""Show the header of a corpus file: its content, its age, its rate of false positives.

Only the first page is read; `sekisho corpus verify` reads the whole file.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sekisho.breach.corpus_file import Corpus
from sekisho.breach.pairs import PairDigests
from sekisho.cli.corpus.common import existing, settings
from sekisho.cli.progress import amount

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from sekisho.breach.header import Header

__all__ = ["HOLDS", "arguments", "false_positives", "figures", "run"]

HOLDS = {"passwords": "leaked passwords", "pairs": "leaked pairs of account and password"}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="made by `sekisho corpus build`")


def run(args: argparse.Namespace) -> int:
    path = existing("FILE", args.file)
    header = Corpus.open(path).header
    now = time.time()
    if args.json:
        print(json.dumps(figures(header, now), indent=2))
    else:
        print(f"{path}: {HOLDS[header.kind]}")
        for name, text in _told(header, now):
            print(f"  {name:15}  {text}")
    return 0


def figures(header: Header, now: float) -> dict[str, object]:
    """The header of a corpus file as JSON values. Times in Unix seconds; `now`: for the file's age."""
    return {
        "kind": header.kind,
        "entries": header.entries,
        "bytes": header.layout.end,
        "bytes_per_entry": header.layout.end / header.entries,
        "false_positive_rate": header.false_positive_rate,
        "built": header.built,
        "age_seconds": max(0, int(now) - header.built),
        "key_id": header.key_id,
        "key_is_set_here": _ours(header),
        "bits": header.bits,
        "payload_blake2b": header.payload_blake2b,
    }


def _told(header: Header, now: float) -> Iterator[tuple[str, str]]:
    size = header.layout.end
    yield "entries", f"{header.entries:,}"
    yield "size", f"{amount(size, 'B')}, {size / header.entries:.2f} bytes an entry"
    yield "false positives", false_positives(header)
    yield "built", f"{datetime.fromtimestamp(header.built, UTC):%Y-%m-%d %H:%M} UTC, {_age(header.built, now)}"
    if header.kind == "pairs":
        ours = {None: "SEKISHO_PAIRS_KEY is not set here", True: "the key that is set here", False: "NOT the key here"}
        yield "key", f"{header.key_id}: {ours[_ours(header)]}"
    yield "checksum", f"BLAKE2b-256 {header.payload_blake2b}"


def false_positives(header: Header) -> str:
    return f"one look-up in {round(1 / header.false_positive_rate, -3):,.0f} of what is not in it"


def _ours(header: Header) -> bool | None:
    """Whether pairs were made under the key in the settings; `None` if none is set."""
    key = settings("PAIRS_KEY").pairs_key if header.kind == "pairs" else b""
    return PairDigests(key).key_id == header.key_id if key else None


def _age(built: int, now: float) -> str:
    days = (int(now) - built) // 86_400
    return {0: "today", 1: "yesterday"}.get(days, f"{days:,} days ago") if days >= 0 else "by a clock that was ahead"
