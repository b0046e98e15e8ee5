"""The header is readable text, of which every byte is verified."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.breach.header import (
    BITS_MAX,
    BITS_MIN,
    ENTRIES_MAX,
    HEADER_BYTES,
    MAGIC,
    CorpusError,
    Header,
    bits_for,
)

HEADER = Header("passwords", 1_000_000_000, 25, 1_700_000_000, "", "ab" * 32)
DAMAGED = "the header is damaged: build the file again, or copy it again from where it is whole"


def page(**changes: Any) -> bytes:
    """A page that differs in the named fields alone."""
    fields = json.loads(HEADER.render()[len(MAGIC) :]) | changes
    return (MAGIC + json.dumps(fields, indent=1).encode()).ljust(HEADER_BYTES)


def test_head_shows_it_to_people() -> None:
    """The first line names the format, followed by JSON padded with blanks."""
    first, _, rest = HEADER.render().decode().partition("\n")
    assert first == "sekisho corpus"
    told = json.loads(rest)
    assert told["entries"] == 1_000_000_000
    assert told["false_positive_rate"] == 1_000_000_000 / 2**53


def test_it_is_read_as_it_was_written() -> None:
    """`parse` reads what `render` writes, and it fills a page."""
    assert len(HEADER.render()) == HEADER_BYTES
    assert Header.parse(HEADER.render()) == HEADER


def test_a_flipped_bit_anywhere_is_noticed() -> None:
    """A flipped bit in magic line, values, digest or blanks is found."""
    whole = HEADER.render()
    for place in range(HEADER_BYTES):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(CorpusError):
            Header.parse(bytes(damaged))


@given(length=st.integers(0, HEADER_BYTES - 1))
def test_a_page_cut_short_is_noticed(length: int) -> None:
    """A page that was cut is refused."""
    with pytest.raises(CorpusError):
        Header.parse(HEADER.render()[:length])


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "accounts"},
        {"kind": None},
        {"entries": 0},
        {"entries": True},
        {"entries": 1e9},
        {"entries": ENTRIES_MAX + 1},
        {"bits": BITS_MAX + 1},
        {"bits": BITS_MIN - 1},
        {"built": "today"},
        {"key_id": 5},
        {"payload_blake2b": None},
        {"false_positive_rate": 0.0},
        {"header_blake2b": "00" * 32},
    ],
)
def test_values_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    """Values that make no sense are refused with one kind of error."""
    with pytest.raises(CorpusError, match=DAMAGED):
        Header.parse(page(**changes))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 4000])
def test_what_is_no_json_object_is_refused(text: bytes) -> None:
    """A text that is no JSON object, or breaks some JSON readers, is refused as damage."""
    with pytest.raises(CorpusError, match=DAMAGED):
        Header.parse((MAGIC + text).ljust(HEADER_BYTES))


def test_another_file_is_told_from_a_damaged_one() -> None:
    """A file of another kind is told from a damaged one, with how to make a right one."""
    with pytest.raises(CorpusError, match=r"this is no corpus file: make one with `sekisho corpus build`"):
        Header.parse(b"0000000CAEF405439D57847A8657218C618160B2:15\r\n".ljust(HEADER_BYTES))


def test_another_format_is_told_from_a_damaged_one() -> None:
    """A file of another version is told from a damaged one: it must be built again."""
    with pytest.raises(CorpusError, match=r"its format is neither 1 nor 2, which this version reads: build it again"):
        Header.parse(page(format=3))


def test_the_second_format_is_of_pairs_alone() -> None:
    """The second format, with its account names, is for pairs alone; password files stay readable by every version."""
    pairs = replace(HEADER, kind="pairs", key_id="ab" * 8, format=2)
    assert Header.parse(pairs.render()) == pairs
    with pytest.raises(CorpusError, match=DAMAGED):
        Header.parse(replace(HEADER, format=2).render())


@given(entries=st.integers(64, ENTRIES_MAX))
def test_buckets_hold_sixteen_to_thirty_two(entries: int) -> None:
    """A bucket has 16 to 32 entries, so look-ups are short and one in eight million absent digests is found by
    mistake.
    """
    header = replace(HEADER, entries=entries, bits=bits_for(entries))
    assert 16 <= entries / 2**header.bits < 32
    assert header.false_positive_rate < 1.2e-7


@given(entries=st.integers(1, 63))
def test_few_entries_are_found_by_mistake_even_less(entries: int) -> None:
    """The smallest file has an even lower rate."""
    assert replace(HEADER, entries=entries, bits=bits_for(entries)).false_positive_rate < 1.2e-7


def test_a_billion_hashes_take_less_than_four_and_a_half_gib() -> None:
    """A billion hashes take less than 4.5 GiB, by the layout."""
    assert replace(HEADER, bits=bits_for(10**9)).layout.end <= 4.5 * 2**30
