"""Records add up: however they are cut, carried and merged, the same passwords get the same classes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model.breach import prevalence
from sekisho.observe.breach.records import PIECE, carry, classes, make, merge, of_digests, whole

if TYPE_CHECKING:
    from sekisho.observe.breach.records import Records

HEADS = st.sampled_from([16 * n for n in (0, 1, 2, 2**20, 2**59, 2**60 - 1)])
RECORDS = st.lists(st.tuples(HEADS, st.integers(0, 15)), min_size=1, max_size=60)


def sorted_records(drawn: list[tuple[int, int]]) -> Records:
    return np.sort(np.array([head | low for head, low in drawn], np.uint64))


def weights(records: Records) -> dict[int, int]:
    """What all records of a head weigh together, to no more than a record can say."""
    sums: Counter[int] = Counter()
    for record in records.tolist():
        sums[record >> 4] += 1 << record % 16
    return {head: min(weight, 2**15) for head, weight in sums.items()}


@given(count=st.one_of(st.integers(1, 2**17), st.integers(1, 2**40)))
def test_classes_are_those_of_the_model(count: int) -> None:
    """The way to the class that numpy takes and that of the model are one."""
    assert classes(np.array([count], np.int64)).tolist() == [prevalence(count) - 1]


def test_a_record_is_the_head_and_the_class() -> None:
    """Sixty bits of the digest, four of the class, whatever the digest's length."""
    digest = bytes.fromhex("0123456789abcdef") + b"tail"
    assert of_digests([digest, digest[:8]], 5).tolist() == [0x0123456789ABCDE0 | 2] * 2
    assert make(np.array([0x0123456789ABCDEF], np.uint64), np.array([10**9])).tolist() == [0x0123456789ABCDE0 | 15]


def test_nothing_makes_no_record() -> None:
    """No digests, no records, and nothing to add up."""
    none = of_digests([])
    assert (len(none), len(carry(none)), len(merge(none))) == (0, 0, 0)


def test_five_times_the_same_is_class_three() -> None:
    """A plain list that holds a password five times says what `hash:5` says."""
    assert merge(of_digests([b"password"] * 5)).tolist() == of_digests([b"password"], 5).tolist()


@given(drawn=RECORDS)
def test_carrying_keeps_the_weight_in_few_records(drawn: list[tuple[int, int]]) -> None:
    """Nothing is rounded, and no head keeps more than sixteen records."""
    records = sorted_records(drawn)
    carried = carry(records)
    assert weights(carried) == weights(records)
    assert len(set(carried.tolist())) == len(carried)
    assert carried.tolist() == sorted(carried.tolist())


@given(drawn=RECORDS)
def test_merging_gives_the_class_of_the_whole_weight(drawn: list[tuple[int, int]]) -> None:
    """One record a head, of the sum's class."""
    records = sorted_records(drawn)
    assert {record >> 4: record % 16 + 1 for record in merge(records).tolist()} == {
        head: prevalence(weight) for head, weight in weights(records).items()
    }


@given(drawn=RECORDS, first=st.integers(0, 60), second=st.integers(0, 60))
def test_carrying_parts_first_changes_nothing(drawn: list[tuple[int, int]], first: int, second: int) -> None:
    """However a list was split into runs, and in whatever order: the end is the same. Rounding would show here."""
    parts = [sorted_records(part) for part in (drawn[:first], drawn[first:second], drawn[max(first, second) :])]
    together = np.sort(np.concatenate([carry(part) for part in reversed(parts)]))
    drawn = drawn[:first] + drawn[first:second] + drawn[max(first, second) :]
    assert merge(together).tolist() == (merge(sorted_records(drawn)).tolist() if drawn else [])


@given(drawn=RECORDS, sizes=st.lists(st.integers(0, 7), min_size=1))
def test_blocks_are_cut_between_heads(drawn: list[tuple[int, int]], sizes: list[int]) -> None:
    """However the blocks come, no head is in two of those that go, and no weight is lost."""
    records = sorted_records(drawn)
    cuts = np.cumsum(sizes)
    blocks = list(whole(np.split(records, cuts)))
    found = [weights(block) for block in blocks if len(block)]
    assert sum(map(len, found)) == len(set().union(*found))
    assert {head: weight for part in found for head, weight in part.items()} == weights(records)


def test_a_flood_of_one_password_is_never_held() -> None:
    """Three million times the same passes in pieces, each of which a few records hold."""
    flood = np.full(3 * PIECE, 16, np.uint64)
    blocks = list(whole([flood]))
    assert max(map(len, blocks)) <= 2**4
    assert [weights(block) for block in blocks if len(block)] == [{1: 2**15}]


def test_records_out_of_order_are_a_mistake() -> None:
    """Within a block and from one to the next: entries out of order could not be found again."""
    up = np.array([16, 32], np.uint64)
    for blocks in ([up[::-1]], [up, up]):
        with pytest.raises(ValueError, match="records are not in order"):
            list(whole(blocks))


def test_classes_of_one_head_may_come_in_any_order() -> None:
    """A sorted list of hashes says nothing about the order of equal ones' counts."""
    blocks = [np.array([16 | 5, 16 | 2], np.uint64), np.array([16 | 1, 32], np.uint64)]
    assert [merge(block).tolist() for block in whole(blocks) if len(block)] == [[16 | 5], [32]]
