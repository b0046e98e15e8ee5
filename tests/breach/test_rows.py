"""Rows are read a block at a time, with the results of a loop over rows."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.corpus.rows import Damage, parse

DIGITS = (35, 40)

HEX = "0123456789abcdefABCDEF"


def slowly(data: bytes, digits: int) -> tuple[list[int], list[int], list[int]] | int:
    """The two words and count of each row, or the damaged row: one by one, by a regular expression."""
    row = re.compile(rb"([0-9A-Fa-f]{8})([0-9A-Fa-f]{8})[0-9A-Fa-f]{%d}:([0-9]{1,10})\r?" % (digits - 16))
    found = [row.fullmatch(line) for line in data.split(b"\n")[:-1]]
    if None in found:
        return found.index(None)
    groups = [match.groups() for match in found if match]
    return [int(a, 16) for a, _, _ in groups], [int(b, 16) for _, b, _ in groups], [int(c) for *_, c in groups]


def quickly(data: bytes, digits: int) -> tuple[list[int], list[int], list[int]] | int:
    try:
        rows = parse(data, digits)
    except Damage as damage:
        return damage.row
    return rows.first.tolist(), rows.second.tolist(), rows.counts.tolist()


def row(digits: int) -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda key, count, end: f"{key}:{count}{end}".encode(),
        st.text(HEX, min_size=digits, max_size=digits),
        st.one_of(st.integers(0, 9_999_999_999), st.integers(0, 99), st.just("0000000007")),
        st.sampled_from(["\n", "\r\n"]),
    )


@given(data=st.data(), digits=st.sampled_from(DIGITS))
def test_rows_are_read_as_a_loop_would(data: st.DataObject, digits: int) -> None:
    """Rows are read like a loop would: upper and lower case, LF and CRLF, counts of one to ten digits."""
    block = b"".join(data.draw(st.lists(row(digits), min_size=1, max_size=30)))
    assert quickly(block, digits) == slowly(block, digits)


@settings(max_examples=300)
@given(data=st.data(), digits=st.sampled_from(DIGITS))
def test_damage_is_found_where_a_loop_would_find_it(data: st.DataObject, digits: int) -> None:
    """With a byte replaced, dropped or added, the rows or the damaged row are the same."""
    block = bytearray(b"".join(data.draw(st.lists(row(digits), min_size=1, max_size=5))))
    place = data.draw(st.integers(0, len(block) - 2))
    new = data.draw(st.one_of(st.just(b""), st.binary(min_size=1, max_size=2)))
    block[place : place + data.draw(st.integers(0, 1))] = new
    assert quickly(bytes(block), digits) == slowly(bytes(block), digits)


def test_every_byte_is_a_hex_digit_or_not_as_everywhere() -> None:
    """In each place of the hash each byte is accepted exactly if `int(…, 16)` accepts it."""
    for place in range(40):
        for byte in set(range(256)) - {10}:
            block = bytearray(b"A" * 40 + b":1\n")
            block[place] = byte
            assert quickly(bytes(block), 40) == slowly(bytes(block), 40), (place, byte)


def test_every_byte_is_a_digit_of_a_count_or_not() -> None:
    """In each place of a count 0 to 9 alone are accepted."""
    for length in range(1, 11):
        for place in range(length):
            for byte in set(range(256)) - {10}:
                block = bytearray(b"A" * 40 + b":" + b"7" * length + b"\n")
                block[41 + place] = byte
                assert quickly(bytes(block), 40) == slowly(bytes(block), 40), (length, place, byte)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"", "does not begin with 40 hex digits"),
        (b"hunter2", "does not begin with 40 hex digits"),
        (b"A" * 39 + b":1", "does not begin with 40 hex digits"),
        (b"A" * 41 + b":1", "does not begin with 40 hex digits"),
        (b"A" * 40, "has no colon and count after its hash"),
        (b"A" * 40 + b" 1", "has no colon and count after its hash"),
        (b"A" * 40 + b":", "has a count that is no number"),
        (b"A" * 40 + b":-1", "has a count that is no number"),
        (b"A" * 40 + b":1 ", "has a count that is no number"),
        (b"A" * 40 + b":99999999999", "has an impossibly large count"),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 3])
def test_damage_is_told_in_words_without_the_row(line: bytes, problem: str, before: int) -> None:
    """Damage is described without the row's text, which may be a password."""
    good = b"B" * 40 + b":12\n"
    with pytest.raises(Damage, match=f"^row {before}: {problem}$") as caught:
        parse(good * before + line + b"\n" + good, 40)
    assert (caught.value.row, caught.value.problem) == (before, problem)
