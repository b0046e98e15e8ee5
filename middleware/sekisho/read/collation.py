"""The limit key: the one name under which attempt limits count all spellings that some database takes for equal.

A limit of five guesses is none where `hana`, `hána` and `ＨＡＮＡ` are one row and three counters. Which collation a
site's database compares by is not known here, so the key folds what any of the common ones equates: `citext` and
`upper` in PostgreSQL; general_ci, unicode_ci, unicode_520_ci, 0900_ai_ci and uca1400_ai_ci in MySQL and MariaDB. The
cost: `hasan` and `hassan` share a limit, because one collation reads `haßan` as the first and all others as the second.

Nothing but the limits is keyed by it. What grants, forgives or ends something is keyed by the account itself: on a site
that tells them apart, `hána` is somebody else.
"""

from __future__ import annotations

from typing import Final
from unicodedata import normalize

from sekisho.read.collation_table import DROPPED, REPLACED

_ROUNDS_MAX = 4  # a replacement can bring forth what folds; two suffice for every character
_REWRITTEN: Final = (
    # general_ci reads ß as s, all others as ss.
    ("ss", "s"),
    # An iota below its vowel is a mark to some and a letter to others.
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
    """The name that attempts at a canonical account are counted under; `""` where nothing is left of it.

    Plain ASCII stays as it is, but for doubled `s`.
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
    """The same before anything is written in another way: as a database of plain names may hold it."""
    return normalize("NFC", " ".join(prepared(canonical).translate(_TABLE).split()))


def prepared(canonical: str) -> str:
    """Decomposed, and what only an upper case shares made one: `ı` has the upper case of `i`."""
    return normalize("NFD", canonical.upper().lower().casefold())


def rewritten(text: str) -> str:
    """With one spelling of what is spelled in several ways."""
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
