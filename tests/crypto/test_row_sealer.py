"""Rows of a database open in their own place, for as long as their secret is listed."""

from __future__ import annotations

import time

import pytest

from sekisho.crypto.row_sealer import RowSealer
from sekisho.crypto.seal import Sealer

SECRET, OTHER = b"a" * 32, b"b" * 32


def sealer(*secrets: bytes, purpose: bytes = b"table", earlier: tuple[bytes, ...] = ()) -> RowSealer:
    return RowSealer(secrets or (SECRET,), purpose, clock_s=time.time, earlier=earlier)


def test_a_row_opens_in_its_own_place() -> None:
    """The content comes back as JSON reads it."""
    sealed = sealer().seal(("hana", 7, {"when": 1}), bound_to=b"row 1")

    assert sealer().open(sealed, bound_to=b"row 1") == ["hana", 7, {"when": 1}]


@pytest.mark.parametrize(
    ("reader", "place"),
    [(sealer(), b"row 2"), (sealer(OTHER), b"row 1"), (sealer(purpose=b"another table"), b"row 1")],
    ids=["moved to another row", "by a service with another secret", "moved to another table"],
)
def test_anywhere_else_it_has_no_content(reader: RowSealer, place: bytes) -> None:
    """An attacker who can write to the database can move no row, and an unreadable one is no error."""
    assert reader.open(sealer().seal(["hana"], bound_to=b"row 1"), bound_to=place) is None


def test_rows_of_earlier_versions_are_read() -> None:
    """A purpose that an earlier version used still opens; new rows get the new one."""
    old = Sealer((SECRET,), clock_s=time.time).seal(b"first", b'["hana"]', bound_to=b"row 1")

    assert sealer(earlier=(b"first",)).open(old, bound_to=b"row 1") == ["hana"]
    assert sealer().open(old, bound_to=b"row 1") is None
    assert sealer().open(sealer(earlier=(b"first",)).seal([1], bound_to=b"row 1"), bound_to=b"row 1") == [1]


def test_a_row_under_an_older_secret_asks_to_be_sealed_anew() -> None:
    """After a rotation the row opens, and is to be written again."""
    sealed = sealer(SECRET).seal(["hana"], bound_to=b"row 1")
    rotated = sealer(OTHER, SECRET)

    assert rotated.open(sealed, bound_to=b"row 1") == ["hana"]
    assert rotated.needs_rewrap(sealed)
    assert not sealer(SECRET).needs_rewrap(sealed)
