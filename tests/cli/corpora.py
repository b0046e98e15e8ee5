"""Small corpora made by the real builders, and helpers to run a command."""

from __future__ import annotations

import io
import sys
from hashlib import sha1
from typing import TYPE_CHECKING

import numpy as np

from sekisho.breach.pairs import PairDigests
from sekisho.cli import main
from sekisho.corpus.records import merge, of_digests
from sekisho.corpus.writer import write_sorted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pytest

KEY = "an-Unguessable-key_of-48-chars-0123456789-abcdef"
OTHER_KEY = "another-Unguessable-key_of-48-chars-9876543210-z"
BUILT = 1_790_000_000  # 2026-09-21


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def passwords(path: Path, counts: Mapping[str, int]) -> Path:
    """A corpus of these passwords with their counts."""
    blocks = [of_digests([sha1(text.encode()).digest()], count) for text, count in counts.items()]
    write_sorted(path, [merge(np.sort(np.concatenate(blocks)))], kind="passwords", built=BUILT)
    return path


def pairs(path: Path, listed: Iterable[tuple[str, str]], key: str = KEY) -> Path:
    """A file of these pairs."""
    digests = PairDigests(key.encode())
    both = [digest(*pair) for pair in listed for digest in (digests.exact, digests.stem)]
    records = merge(np.sort(of_digests(both)))
    write_sorted(path, [records], kind="pairs", key_id=digests.key_id, built=BUILT)
    return path


def piped(monkeypatch: pytest.MonkeyPatch, text: bytes, *line: str) -> int:
    """The exit code of a command with `text` on standard input, no terminal."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    return main(line)
