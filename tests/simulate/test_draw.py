"""Repeatable random draws."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sekisho.simulate.draw import WORD, Draw, Walk, nth

seeds = st.integers(-(2**100), 2**100)


@given(seed=seeds, number=st.integers(0, 2**60))
def test_a_number_draws_the_same_words_whenever_and_wherever_it_is_asked(seed: int, number: int) -> None:
    """A number gives the same words for a seed and purpose, independent of earlier draws."""
    one, other = Draw(seed, "test"), Draw(seed, "test")
    other.words(number + 1)
    assert one.words(number) == other.words(number)


@given(seed=seeds, number=st.integers(0, 2**60))
def test_seed_and_purpose_and_number_each_change_the_words(seed: int, number: int) -> None:
    """Seed, purpose and number each change the words; otherwise owners would live where attackers do."""
    words = Draw(seed, "test").words(number)
    assert words != Draw(seed + 1, "test").words(number)
    assert words != Draw(seed, "other").words(number)
    assert words != Draw(seed, "test").words(number + 1)


def test_words_are_spread_evenly() -> None:
    """Of 20,000 words, each tenth of the range gets a tenth, within a tenth of that."""
    draw = Draw(7, "test")
    tenths = [0] * 10
    for number in range(2_500):
        for word in draw.words(number):
            tenths[word * 10 // WORD] += 1
    assert all(1_800 < count < 2_200 for count in tenths)


@given(seed=seeds, size=st.integers(1, 3_000))
def test_a_walk_visits_everything_once(seed: int, size: int) -> None:
    """A walk of any size is a permutation in `size` steps, and then repeats."""
    walk = Walk(Draw(seed, "test"), size)
    assert sorted(walk(step) for step in range(size)) == list(range(size))
    assert [walk(step) for step in range(size, 2 * size)] == [walk(step) for step in range(size)]


@given(share_ppm=st.integers(0, 1_000_000), steps=st.integers(0, 2_000))
def test_the_nth_of_a_kind_counts_without_a_gap_and_keeps_its_share(share_ppm: int, steps: int) -> None:
    """A kind's own numbers run from 0 without a gap, and every prefix holds exactly its share."""
    found = [number for step in range(steps) if (number := nth(share_ppm, step)) is not None]
    assert found == list(range(steps * share_ppm // 1_000_000))
