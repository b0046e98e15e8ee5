"""The limit key: one key for all spellings that some database treats as equal; attempt limits count by it.

A limit of five guesses fails if `hana`, `hána` and `ＨＡＮＡ` are one row but three counters. The collation of a site's
database is unknown here, so the key folds all spellings that any common collation equates: `citext` and `upper` in
PostgreSQL; general_ci, unicode_ci, unicode_520_ci, 0900_ai_ci and uca1400_ai_ci in MySQL and MariaDB. The cost: `hasan`
and `hassan` share a limit, because one collation reads `haßan` as the first and all others as the second.

Only the limits use this key. Grants, refunds and revocations use the account itself: on a site that distinguishes
them, `hána` is another account.
"""

from __future__ import annotations

from typing import Final
from unicodedata import normalize

from sekisho.read.collation_table import DROPPED, REPLACED

_ROUNDS_MAX = 4  # a replacement can produce text that folds again; two suffice for every character
_REWRITTEN: Final = (
    # general_ci reads ß as s, all others as ss.
    ("ss", "s"),
    # An iota subscript is a mark in some collations and a letter in others.
    ("αι", "α"),
    ("ηι", "η"),
    ("ωι", "ω"),
    # Letters with a high hamza (U+0675 to U+0678) are read in either order.
    ("ءا", "اء"),
    ("ءو", "وء"),
    ("ءۇ", "ۇء"),
    ("ءي", "يء"),
)


def limit_key(canonical: str) -> str:
    """The key for counting attempts at a canonical account; `""` if folding removes all characters.

    Plain ASCII is unchanged, except for doubled `s`.
    """
    if canonical.isascii():
        return rewritten(canonical) if "ss" in canonical else canonical
    text = canonical
    for _ in range(_ROUNDS_MAX):
        before = text
        text = rewritten(prepared(text).translate(_TABLE))
        if text == before:
            break
    return normalize("NFC", " ".join(text.split()))


def unmarked(canonical: str) -> str:
    """Return a canonical account without marks and in plain letters (`hána`: `hana`, `ø`: `o`, `æ`: `ae`).

    A database of plain names may store it so.
    """
    return normalize("NFC", " ".join(prepared(canonical).translate(_TABLE).split()))


def prepared(canonical: str) -> str:
    """Return the account decomposed, with characters that share an upper case merged: `ı` and `i` become `i`."""
    return normalize("NFD", canonical.upper().lower().casefold())


def rewritten(text: str) -> str:
    """Replace each alternative spelling by one common spelling."""
    for pair, one in _REWRITTEN:
        while pair in text:
            text = text.replace(pair, one)
    return text


def _table() -> dict[int, str | None]:
    found: dict[int, str | None] = dict.fromkeys(_codes(DROPPED.split()))
    for line in REPLACED.strip().splitlines():
        target, *chars = line.split()
        text = "".join(chr(int(code, 16)) for code in target.split("+"))
        found.update(dict.fromkeys(_codes(chars), text))
    return found


def _codes(words: list[str]) -> list[int]:
    codes: list[int] = []
    for word in words:
        first, _, last = word.partition("-")
        codes += range(int(first, 16), int(last or first, 16) + 1)
    return codes


_TABLE: Final = _table()
