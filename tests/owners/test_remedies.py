"""A failure of the owners' database is explained by its code."""

from __future__ import annotations

import pytest

from sekisho.owners.remedies import with_remedy


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ("OperationalError SQLITE_CANTOPEN", "its file cannot be opened"),
        ("DatabaseError SQLITE_NOTADB", "the file in SEKISHO_OWNERS is no database of SQLite"),
        ("DBAPIError 28P01", "user or password in SEKISHO_OWNERS are wrong"),
        ("OperationalError 1049", "there is no database of the name in SEKISHO_OWNERS"),
        ("gaierror", "the host in SEKISHO_OWNERS has no address"),
    ],
)
def test_what_helps_stands_behind_the_code(problem: str, said: str) -> None:
    """Codes of PostgreSQL, MariaDB and SQLite, and classes of errors."""
    assert with_remedy(problem).startswith(f"{problem}: {said}")


def test_an_unknown_code_stands_alone() -> None:
    """Nothing is guessed."""
    assert with_remedy("DBAPIError XX000") == "DBAPIError XX000"
