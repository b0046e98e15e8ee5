"""Records add up: the same passwords get the same classes however their list is cut, carried and merged."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.corpus.records import PIECE, carry, classes, make, merge, of_digests, whole
from sekisho.model.breach import prevalence

if TYPE_CHECKING:
    from sekisho.corpus.records import Records

HEADS = st.sampled_from([16 * n for n in (0, 1, 2, 2**20, 2**59, 2**60 - 1)])
RECORDS = st.lists(st.tuples(HEADS, st.integers(0, 15)), min_size=1, max_size=60)


def sorted_records(drawn: list[tuple[int, int]]) -> Records:
    return np.sort(np.array([head | low for head, low in drawn], np.uint64))


def weights(records: Records) -> dict[int, int]:
    """The total weight of a head's records, up to a record's maximum."""
    sums: Counter[int] = Counter()
    for record in records.tolist():
        sums[record >> 4] += 1 << record % 16
    return {head: min(weight, 2**15) for head, weight in sums.items()}


@given(count=st.one_of(st.integers(1, 2**17), st.integers(1, 2**40)))
def test_classes_are_those_of_the_model(count: int) -> None:
    """The class that numpy calculates is the model's."""
    assert classes(np.array([count], np.int64)).tolist() == [prevalence(count) - 1]


def test_a_record_is_the_head_and_the_class() -> None:
    """A record is sixty bits of the digest and four of the class, for any digest length."""
    digest = bytes.fromhex("0123456789abcdef") + b"tail"
    assert of_digests([digest, digest[:8]], 5).tolist() == [0x0123456789ABCDE0 | 2] * 2
    assert make(np.array([0x0123456789ABCDEF], np.uint64), np.array([10**9])).tolist() == [0x0123456789ABCDE0 | 15]


def test_nothing_makes_no_record() -> None:
    """No digests make no records."""
    none = of_digests([])
    assert (len(none), len(carry(none)), len(merge(none))) == (0, 0, 0)


def test_five_times_the_same_is_class_three() -> None:
    """A password five times in a plain list equals `hash:5`."""
    assert merge(of_digests([b"password"] * 5)).tolist() == of_digests([b"password"], 5).tolist()


@given(drawn=RECORDS)
def test_carrying_keeps_the_weight_in_few_records(drawn: list[tuple[int, int]]) -> None:
    """Carrying rounds nothing, and leaves a head sixteen records at most."""
    records = sorted_records(drawn)
    carried = carry(records)
    assert weights(carried) == weights(records)
    assert len(set(carried.tolist())) == len(carried)
    assert carried.tolist() == sorted(carried.tolist())


@given(drawn=RECORDS)
def test_merging_gives_the_class_of_the_whole_weight(drawn: list[tuple[int, int]]) -> None:
    """Merging gives one record a head, of the sum's class."""
    records = sorted_records(drawn)
    assert {record >> 4: record % 16 + 1 for record in merge(records).tolist()} == {
        head: prevalence(weight) for head, weight in weights(records).items()
    }


@given(drawn=RECORDS, first=st.integers(0, 60), second=st.integers(0, 60))
def test_carrying_parts_first_changes_nothing(drawn: list[tuple[int, int]], first: int, second: int) -> None:
    """Runs split and merged in any order give the same result: rounding would show here."""
    parts = [sorted_records(part) for part in (drawn[:first], drawn[first:second], drawn[max(first, second) :])]
    together = np.sort(np.concatenate([carry(part) for part in reversed(parts)]))
    drawn = drawn[:first] + drawn[first:second] + drawn[max(first, second) :]
    assert merge(together).tolist() == (merge(sorted_records(drawn)).tolist() if drawn else [])


@given(drawn=RECORDS, sizes=st.lists(st.integers(0, 7), min_size=1))
def test_blocks_are_cut_between_heads(drawn: list[tuple[int, int]], sizes: list[int]) -> None:
    """Blocks are cut between heads, and no weight is lost."""
    records = sorted_records(drawn)
    cuts = np.cumsum(sizes)
    blocks = list(whole(np.split(records, cuts)))
    found = [weights(block) for block in blocks if len(block)]
    assert sum(map(len, found)) == len(set().union(*found))
    assert {head: weight for part in found for head, weight in part.items()} == weights(records)


def test_a_flood_of_one_password_is_never_held() -> None:
    """A flood of one password is never held: three million pass in pieces of a few records each."""
    flood = np.full(3 * PIECE, 16, np.uint64)
    blocks = list(whole([flood]))
    assert max(map(len, blocks)) <= 2**4
    assert [weights(block) for block in blocks if len(block)] == [{1: 2**15}]


def test_records_out_of_order_are_a_mistake() -> None:
    """Records out of order, within a block or between blocks, are an error: they could not be found."""
    up = np.array([16, 32], np.uint64)
    for blocks in ([up[::-1]], [up, up]):
        with pytest.raises(ValueError, match="records are not in order"):
            list(whole(blocks))


def test_classes_of_one_head_may_come_in_any_order() -> None:
    """Classes of one head may come in any order, as sorted lists say nothing about counts."""
    blocks = [np.array([16 | 5, 16 | 2], np.uint64), np.array([16 | 1, 32], np.uint64)]
    assert [merge(block).tolist() for block in whole(blocks) if len(block)] == [[16 | 5], [32]]
