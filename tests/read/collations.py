"""Which characters databases compare as equal: every letter, mark, digit and kana, asked from the databases.

`python -m tests.read.collations` regenerates `sekisho/read/collation_table.py` from it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import category, name, normalize

from pyuca.collator import BaseCollator  # type: ignore[import-untyped] # it brings no types

from sekisho.model import Unreadable
from sekisho.read import canonical
from sekisho.read.collation import prepared, rewritten
from tests.mariadb import MariaServer
from tests.owners.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import asyncpg  # type: ignore[import-untyped] # it brings no types
    import pymysql  # type: ignore[import-untyped] # it brings no types

    Weights = dict[str, tuple[str, ...]]

MARIADB = (
    "utf8mb4_general_ci",  # the default of MySQL until 5.7, and of MariaDB until 11
    "utf8mb4_unicode_ci",  # UCA 4.0.0
    "utf8mb4_unicode_520_ci",  # UCA 5.2.0
    "utf8mb4_uca1400_ai_ci",  # UCA 14.0.0, the default of MariaDB from 11 on
)
# These two know no character beyond the first 65,536, and treat all of those as equal.
BASIC_PLANE_ALONE = frozenset({"utf8mb4_general_ci", "utf8mb4_unicode_ci"})
POSTGRES = {"libc": "lc_ctype 'C.UTF-8'", "icu": "locale_provider icu icu_locale 'und' lc_ctype 'C.UTF-8'"}

# Two characters that stand for whole words with blanks are left out: collations cut these off at different lengths.
LEFT_OUT = frozenset("\ufdfa\ufdfb")
# Marks above no letter are left out, as they are refused.
REFUSED = frozenset("\u0345\u037a\ufc5e\ufc5f\ufc60\ufc61\ufc62\ufc63\ufe70\ufe72\ufe74\ufe76\ufe78\ufe7a\ufe7c\ufe7e")

_BATCH = 500


class Equal(NamedTuple):
    """Two texts that a database compares as equal at any place in a name."""

    one: str
    other: str
    by: str


def characters(*, ideographs: bool = False) -> list[str]:
    """Letters, marks, numbers, and symbols and punctuation that may replace one; ideographs are some 60,000."""
    codes = (*range(0x20, 0xD800), *range(0xE000, 0x20000))
    return [char for char in map(chr, codes) if _is_asked_about(char) and (ideographs or not _is_syllabary(char))]


def _is_asked_about(char: str) -> bool:
    return category(char)[0] not in "CZ" and char not in LEFT_OUT | REFUSED


def _is_syllabary(char: str) -> bool:
    # Thousands of characters equal only themselves.
    return name(char, "").startswith(("CJK UNIFIED", "HANGUL SYLLABLE", "TANGUT", "EGYPTIAN", "CUNEIFORM", "YI SYLL"))


# Collations: each character has weights; equal weights compare as equal, and a character without weights is ignored.


def mariadb_weights(connection: pymysql.Connection, collation: str, chars: list[str]) -> Weights:
    """The weights of each character by a collation of MariaDB: four hex digits each."""
    found: Weights = {}
    if collation in BASIC_PLANE_ALONE:
        chars = [char for char in chars if ord(char) < 0x10000]
    with connection.cursor() as cursor:
        for start in range(0, len(chars), _BATCH):
            batch = chars[start : start + _BATCH]
            asked = (f"hex(weight_string(_utf8mb4 x'{char.encode().hex()}' collate {collation}))" for char in batch)
            cursor.execute("select " + ",".join(asked))
            found |= {char: _in_fours(text) for char, text in zip(batch, cursor.fetchone(), strict=True)}
    return found


def _in_fours(text: str) -> tuple[str, ...]:
    return tuple(text[at : at + 4] for at in range(0, len(text), 4))


class _Uca9(BaseCollator):  # type: ignore[misc] # its types are not known
    """The table behind MySQL's `utf8mb4_0900_ai_ci`."""

    UCA_VERSION = "9.0.0"
    CJK_IDEOGRAPHS_8_0_0 = True
    CJK_IDEOGRAPHS_EXT_E = True


@cache
def _uca_9() -> Any:
    return _Uca9()


def mysql_0900_weights(chars: list[str]) -> Weights:
    """The primary weights of UCA 9.0.0, which alone an accent-insensitive collation compares."""
    collator = _uca_9()
    return {char: _primaries(collator.collation_elements(normalize("NFD", char))) for char in chars}


def _primaries(elements: Iterable[list[int]]) -> tuple[str, ...]:
    return tuple(f"{element[0]:04X}" for element in elements if element and element[0])


def equal_by_weight(weights: Weights, collation: str) -> Iterator[Equal]:
    """Equalities by these weights: between characters, with several in a row, and with nothing."""
    first: dict[tuple[str, ...], str] = {}
    for char, found in weights.items():
        if not found:
            yield Equal("", char, collation)
        elif (other := first.setdefault(found, char)) != char:
            yield Equal(other, char, collation)
    for char, found in weights.items():
        if len(found) > 1 and all((one,) in first for one in found):
            yield Equal("".join(first[one,] for one in found), char, collation)


# PostgreSQL: `citext` compares the results of `lower`, Django's `iexact` those of `upper`.


async def equal_in_postgres(server: PostgresServer, chars: list[str]) -> list[Equal]:
    """Equalities by `lower` and `upper`, with the C library's tables and with ICU's."""
    admin = await server.connect()
    found: list[Equal] = []
    for provider, options in POSTGRES.items():
        database = f"collations_{provider}"
        await admin.execute(f"drop database if exists {database}")
        await admin.execute(f"create database {database} template template0 lc_collate 'C' {options}")
        connection = await server.connect(database)
        found += await _equal_by_case(connection, chars, provider)
        await connection.close()
    await admin.close()
    return found


async def _equal_by_case(connection: asyncpg.Connection, chars: list[str], provider: str) -> list[Equal]:
    await connection.execute("create extension if not exists citext")
    default = ' collate "und-x-icu"' if provider == "icu" else ""
    rows = await connection.fetch(
        f"select char, upper(char{default}) as upper, lower(char{default}) as lower from unnest($1::text[]) as char",
        chars,
    )
    each = (Equal(row["char"], row[how], f"{how} ({provider})") for row in rows for how in ("upper", "lower"))
    changed = [equal for equal in each if equal.one != equal.other]
    # The type itself is asked as well: it lowers by the database's own tables.
    rows = await connection.fetch(
        "select one, other from unnest($1::text[], $2::text[]) as pair(one, other) where one::citext = other::citext",
        [equal.one for equal in changed],
        [equal.other for equal in changed],
    )
    return changed + [Equal(row["one"], row["other"], f"citext ({provider})") for row in rows]


# The table.

_PREFERRED = frozenset("あいうえおつやゆよわかけכמנפצ\u102c\u0d4d")
"""Of several equal characters these, common in names, remain, so most names keep their counters."""


def _rank(char: str) -> tuple[bool, bool, bool, int]:
    is_radical = name(char, "").startswith(("CJK RADICAL", "KANGXI"))
    return not char.isascii(), char not in _PREFERRED, is_radical, ord(char)


class Table:
    """Characters to drop or to replace, extended until all equalities that were found hold."""

    def __init__(self, settled: Callable[[str], str]) -> None:
        self._settled = settled
        self.dropped: set[str] = set()
        self.replaced: dict[str, str] = {}

    def add(self, equal: Equal) -> bool:
        """Whether the table makes these two equal, or was extended to."""
        one, other = _without_ends(self._reduced(equal.one), self._reduced(equal.other))
        if one == other:
            return True
        short, long = sorted((one, other), key=lambda text: (len(text), *map(_rank, text)))
        if not short:
            if not equal.one or long == "·" or category(long[0]) == "Mn":
                self.dropped.update(long)
            return self._reduced(long) == ""
        if len(long) == 1:
            self.replaced[long] = short
        elif len(short) == 1 and short not in long:
            self.replaced[short] = long
        return self._reduced(short) == self._reduced(long)

    def _reduced(self, text: str) -> str:
        text = self._settled(text)
        for _ in range(20):
            before = text
            text = rewritten("".join(self.replaced.get(char, char) for char in text if char not in self.dropped))
            if before == text:
                break
        return text

    def final(self) -> dict[str, str]:
        return {char: self._reduced(char) for char in self.replaced if char not in self.dropped}


def _without_ends(one: str, other: str) -> tuple[str, str]:
    while one and other and one[0] == other[0]:
        one, other = one[1:], other[1:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return one, other


def all_equal(*, ideographs: bool = False) -> list[Equal]:
    """All equalities of servers started for this."""
    chars = characters(ideographs=ideographs)
    with MariaServer() as maria, PostgresServer() as postgres:
        connection = maria.connect()
        by_weight = [equal_by_weight(mariadb_weights(connection, one, chars), one) for one in MARIADB]
        by_weight.append(equal_by_weight(mysql_0900_weights(chars), "utf8mb4_0900_ai_ci"))
        found = list(chain.from_iterable(by_weight))
        connection.close()
        return found + asyncio.run(equal_in_postgres(postgres, chars))


_HEAD = '''"""Which characters databases take for equal, beyond what Unicode itself decomposes and folds.

Written by `python -m tests.read.collations`, which asks the databases; not to be edited by hand.
"""

from __future__ import annotations

from typing import Final

'''


def _spelled(text: str) -> str:
    return "+".join(f"{ord(char):04X}" for char in text)


def _ranges(chars: Iterable[str]) -> Iterator[str]:
    start = last = -2
    for code in sorted(map(ord, chars)):
        if code != last + 1:
            if last >= 0:
                yield f"{start:04X}" if start == last else f"{start:04X}-{last:04X}"
            start = code
        last = code
    if last >= 0:
        yield f"{start:04X}" if start == last else f"{start:04X}-{last:04X}"


def _lines(words: Iterable[str], indent: str = "") -> Iterator[str]:
    line = ""
    for word in words:
        if line and len(line) + len(word) >= 115:
            yield line
            line = indent
        line += f"{' ' if line.strip() else ''}{word}"
    yield line


def source(table: Table) -> str:
    """The generated module."""
    by_target = defaultdict(list)
    for char, target in table.final().items():
        by_target[target].append(char)
    replaced = [
        line
        for target, chars in sorted(by_target.items())
        for line in _lines([_spelled(target), *_ranges(chars)], f"{_spelled(target)}")
    ]
    dropped = "\n".join(_lines(_ranges(table.dropped)))
    return (
        f'{_HEAD}DROPPED: Final = """\n{dropped}\n"""\n"""Marks and letters that some collation passes over."""\n\n'
        f'REPLACED: Final = """\n' + "\n".join(replaced) + '\n"""\n'
        '"""What they are counted as, and the characters that are counted so."""\n'
    )


def _settled(text: str) -> str:
    """The normalisation of a name except for the table."""
    try:
        return prepared(canonical(text))
    except Unreadable:  # nothing but invisible characters
        return ""


def main() -> None:
    table, left = Table(_settled), []
    found = all_equal(ideographs=True)
    for _ in range(3):  # the replacements of one pass are replaced by the next
        left = [equal for equal in found if not table.add(equal)]
    print(source(table), end="")  # noqa: T201 - a command prints
    for equal in left:
        print("#", equal, _spelled(equal.one), _spelled(equal.other))  # noqa: T201


if __name__ == "__main__":
    main()
