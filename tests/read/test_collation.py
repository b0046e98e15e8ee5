"""Names that a database compares as equal share one counter."""

from __future__ import annotations

import contextlib
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model import Unreadable
from sekisho.read import canonical
from sekisho.read.collation import limit_key
from tests.owners.postgres import PostgresServer
from tests.read.collations import (
    MARIADB,
    characters,
    equal_by_weight,
    equal_in_postgres,
    mariadb_weights,
    mysql_0900_weights,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pymysql  # type: ignore[import-untyped] # it brings no types

    from tests.mariadb import MariaServer
    from tests.read.collations import Equal


@pytest.fixture(scope="module")
def mariadb(mariadb_server: MariaServer) -> Iterator[pymysql.Connection]:
    mariadb_server.execute("create database names")
    with contextlib.closing(mariadb_server.connect()) as connection:
        connection.select_db("names")
        yield connection


def key(account: str) -> str:
    return limit_key(canonical(account))


def apart(equals: Iterable[Equal]) -> list[tuple[str, str, str]]:
    """Pairs that the database equates and we count apart."""
    return [
        (one, other, equal.by) for equal in equals if key(one := f"q{equal.one}z") != key(other := f"q{equal.other}z")
    ]


@pytest.mark.parametrize("collation", MARIADB)
def test_mariadb_equates_nothing_that_is_counted_apart(mariadb: pymysql.Connection, collation: str) -> None:
    """No letter, mark, number or kana that a MariaDB collation equates with another, several or nothing is counted
    apart.
    """
    found = list(equal_by_weight(mariadb_weights(mariadb, collation, characters()), collation))
    assert len(found) > 900
    assert apart(found) == []


def test_mysql_equates_nothing_that_is_counted_apart() -> None:
    """The same for utf8mb4_0900_ai_ci, by the table of weights from which MySQL made it."""
    found = list(equal_by_weight(mysql_0900_weights(characters()), "utf8mb4_0900_ai_ci"))
    assert len(found) > 4_000
    assert apart(found) == []


async def test_postgresql_equates_nothing_that_is_counted_apart() -> None:
    """The same for `citext` and for the `upper` of Django's `iexact`, with the C library's tables and with ICU's."""
    with PostgresServer() as server:
        found = await equal_in_postgres(server, characters())
    assert {"citext (libc)", "citext (icu)", "upper (libc)", "upper (icu)"} <= {equal.by for equal in found}
    assert apart(found) == []


@pytest.mark.parametrize("collation", MARIADB)
def test_whole_names_are_counted_as_mariadb_compares_them(mariadb: pymysql.Connection, collation: str) -> None:
    """Random spellings of whole names agree too: adjacent letters may compare otherwise than alone."""
    chance = random.Random(19)
    plain = "aeiosuzdlcnAEIOSﬀπαιωΗΩСЙкはばぱハﾊヴしシっつ한글اءؤةﻻกำक़"
    marked = "áàâãäåæœøßſıİłđðþñçéèúüžŠﬁ\u0301\u0308\u0323\u0345\u3099\u064b\u200d"
    names = ["".join(chance.choices(plain + marked, k=chance.randrange(1, 5))) for _ in range(1_500)]
    readable = [name for name in names if not _is_refused(name)]
    with mariadb.cursor() as cursor:
        cursor.execute("create or replace temporary table names (name varchar(64) character set utf8mb4)")
        cursor.executemany("insert into names values (%s)", [(name,) for name in readable])
        cursor.execute(f"select group_concat(hex(name)) from names group by name collate {collation}")
        classes = [[bytes.fromhex(name).decode() for name in row[0].split(",")] for row in cursor.fetchall()]
    assert max(map(len, classes)) > 5
    assert [names for names in classes if len(set(map(key, names))) > 1] == []


def _is_refused(account: str) -> bool:
    try:
        return not key(account)
    except Unreadable:
        return True


@pytest.mark.parametrize(
    ("account", "other"),
    [
        ("hana", "hána"),
        ("hana", "ＨＡＮＡ́"),
        ("isik", "ısık"),
        ("isik", "İSİK"),
        ("strasse", "Straße"),
        ("strase", "Straße"),
        ("muller", "mu\u0308ller"),
        ("aether", "Æther"),
        ("oyvind", "Øyvind"),
        ("lukasz", "Łukasz"),
        ("はな", "ハナ"),
        ("はな", "ぱﾅ"),
        ("やつ", "ゃっ"),
        ("user3", "user٣"),
        ("σοφια", "Σοφία"),
        ("µ", "μ"),
    ],
)
def test_spellings_share_a_limit(account: str, other: str) -> None:
    """These spellings share a limit, as one of the databases above equates them."""
    assert key(account) == key(other)


@pytest.mark.parametrize(
    ("account", "other"),
    [
        ("admin", "аdmin"),
        ("hana", "hanna"),
        ("hana", "hana1"),
        ("hana ito", "hanaito"),
        ("a.b", "ab"),
        ("กา", "กี"),
        ("山", "川"),
    ],
)
def test_names_that_no_database_equates_have_limits_of_their_own(account: str, other: str) -> None:
    """Homoglyphs, blanks, vowel signs and ideographs, which no database equates, keep separate limits."""
    assert key(account) != key(other)


@pytest.mark.parametrize(
    "account", ["hana", "hana@example.com", "bob smith", "太郎", "はな", "김철수", "иван", "γιωργοσ", "สมชาย", "مريم"]
)
def test_most_names_keep_the_counter_that_they_have(account: str) -> None:
    """A name without marks keeps the counter that it had before."""
    assert key(account) == canonical(account) == account


@given(st.text(max_size=30))
def test_the_key_is_its_own_key(account: str) -> None:
    """Folding a key again does not change it."""
    try:
        folded = key(account)
    except Unreadable:
        return
    assert limit_key(folded) == folded


def test_every_character_settles() -> None:
    """No character needs more rounds than are made."""
    for char in characters():
        if category(char) != "Cf" and not _is_refused(f"a{char}b"):
            folded = key(f"a{char}b")
            assert limit_key(folded) == folded


def test_the_documented_table_is_true() -> None:
    """The table in docs/accounts.md is true, row by row."""
    text = (Path(__file__).parents[2] / "docs" / "accounts.md").read_text()
    rows = re.findall(r"^\| [^|`]+ \| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|$", text, re.MULTILINE)
    assert len(rows) == 11
    for typed, also_typed, counted_as in rows:
        assert (key(typed), key(also_typed)) == (counted_as, counted_as)
