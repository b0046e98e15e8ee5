"""Digests, and files made from them, for tests that read or build a corpus."""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING

import numpy as np

from sekisho.corpus import records
from sekisho.corpus.writer import write_sorted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sekisho.breach.header import Header

BUILT = 1_700_000_000


def digest(password: str | bytes) -> bytes:
    """SHA-1, as HIBP's."""
    raw = password.encode() if isinstance(password, str) else password
    return sha1(raw, usedforsecurity=False).digest()


def digests(amount: int, word: str = "leaked") -> list[bytes]:
    """Digests, the same in every run; another `word` gives others."""
    return [digest(f"{word}{number}") for number in range(amount)]


def records_of(seen: Mapping[bytes, int]) -> records.Records:
    """Sorted records of digests and their counts."""
    heads = np.array([int.from_bytes(key[:8], "big") for key in seen], np.uint64)
    return np.sort(records.make(heads, np.array(list(seen.values()), np.int64)))


def corpus_file(
    path: Path, seen: Mapping[bytes, int], *, kind: str = "passwords", key_id: str = "", built: int = BUILT
) -> Header:
    """Write a corpus of these digests to `path`, replacing any file there."""
    return write_sorted(path, [records_of(seen)], kind=kind, key_id=key_id, built=built)
