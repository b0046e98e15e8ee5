"""A range in 8 bytes a row: its look-ups, and when it is detected as incomplete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.breach.hibp_range import PackedRange, split
from tests.breach.ranges import Ranges, digest, prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

SUFFIXES = st.text("0123456789ABCDEF", min_size=35, max_size=35)


def head(suffix: str) -> int:
    return split(bytes.fromhex("00000" + suffix))[1]


def packed(rows: Sequence[tuple[str, int]]) -> PackedRange:
    return PackedRange(dict(rows))


def test_five_digits_are_for_leaving_and_ten_for_looking_up() -> None:
    """Five digits are sent and ten compared; the SHA-1 of `password` is the example."""
    assert split(digest("password")) == ("5BAA6", 0x1E4C9B93F3)


@pytest.mark.parametrize("size", [0, 19, 21, 40])
def test_what_is_no_sha1_is_refused_without_a_word_of_it(size: int) -> None:
    """A text that is no SHA-1 is refused without repeating it: it may be a password."""
    with pytest.raises(ValueError, match=r"^a SHA-1 digest has 20 bytes$"):
        split(b"x" * size)


@given(st.dictionaries(SUFFIXES, st.integers(0, 10**10), max_size=50), st.lists(SUFFIXES, max_size=20))
def test_it_says_what_the_rows_say(counts: dict[str, int], strangers: list[str]) -> None:
    """Padding is absent, huge counts end at their bound, all other rows are as sent."""
    found = PackedRange(counts)
    told = dict[str, int]()
    for suffix, count in counts.items():
        told[suffix[:10]] = max(told.get(suffix[:10], 0), min(count, 2**24 - 1))
    assert all(found.count(head(suffix)) == told[suffix[:10]] for suffix in counts)
    assert all(found.count(head(suffix)) == told.get(suffix[:10], 0) for suffix in strangers)


def test_the_ends_of_the_range_are_found() -> None:
    """The first and the last possible suffix are found."""
    found = packed([("0" * 35, 3), ("F" * 35, 4)])
    assert (found.count(head("0" * 35)), found.count(head("F" * 35))) == (3, 4)
    assert found.count(head("0" * 9 + "1" + "0" * 25)) == 0


def test_eight_bytes_a_row() -> None:
    """Two thousand rows take some 16 KB, so a thousand ranges fit into the cache."""
    found = packed(Ranges().rows("00000"))
    assert len(found) == 2_000
    assert found.size_bytes <= 2_000 * 8 + 512


@pytest.mark.parametrize("rows", [400, 2_000])
def test_honest_ranges_have_no_holes(rows: int) -> None:
    """Complete ranges show no gap, at the service's size and at a fifth of it: SHA-1 spreads evenly."""
    ranges = Ranges(rows=rows)
    assert not any(packed(ranges.rows(prefix(number))).has_hole() for number in range(200))


@pytest.mark.parametrize("kept", [0.97, 0.9, 0.5, 0.2])
@pytest.mark.parametrize("cut", ["head", "middle", "tail"])
def test_a_hole_shows_that_rows_are_missing(kept: float, cut: str) -> None:
    """A gap shows missing rows at any place, or a cut answer would report passwords as never leaked."""
    rows = Ranges().rows("ABCDE")
    gone = len(rows) - int(len(rows) * kept)
    start = {"head": 0, "middle": len(rows) // 3, "tail": len(rows) - gone}[cut]
    left = rows[:start] + rows[start + gone :]
    assert packed(left).has_hole()


def test_nothing_of_it_is_told() -> None:
    """A `repr` shows nothing: in a log it would list leaked passwords' digests."""
    suffix = "ABCDEF0123456789ABCDEF0123456789ABC"
    text = repr(packed([(suffix, 12_345)]))
    assert "ABCDEF" not in text.upper()
    assert str(head(suffix)) not in text
    assert "12345" not in text
