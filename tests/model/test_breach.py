"""What several breach sources know together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model import PREVALENCE_MAX, UNKNOWN, Exposure, Pair, prevalence

exposures = st.builds(Exposure, st.one_of(st.none(), st.integers(0, PREVALENCE_MAX)), st.sampled_from([None, *Pair]))


@pytest.mark.parametrize(
    ("expected", "count"),
    [(0, 0), (1, 1), (2, 2), (2, 3), (3, 4), (7, 100), (15, 32_767), (16, 32_768), (16, 52_256_179)],
)
def test_a_class_is_a_power_of_two(expected: int, count: int) -> None:
    """Class k: at least 2^(k-1) times; the last one has no end."""
    assert prevalence(count) == expected


@given(exposures, exposures)
def test_the_worse_source_is_believed(one: Exposure, other: Exposure) -> None:
    """The worse source counts in either order; if none could tell, the result is *unknown*."""
    worst = one.worst(other)

    assert worst == other.worst(one)
    assert worst.password == max((p for p in (one.password, other.password) if p is not None), default=None)
    assert worst.pair == max((p for p in (one.pair, other.pair) if p is not None), default=None)
    assert one.worst(UNKNOWN) == UNKNOWN.worst(one) == one


@pytest.mark.parametrize(
    ("expected", "exposure"),
    [
        (False, UNKNOWN),
        (False, Exposure(0, Pair.ABSENT)),
        (False, Exposure(2, Pair.VARIANT)),
        (True, Exposure(3, None)),
        (True, Exposure(None, Pair.EXACT)),
    ],
)
def test_breached_means_often_enough_or_this_very_account(expected: bool, exposure: Exposure) -> None:
    """A password is breached if it was seen often enough or for this account; the threshold here is class 3."""
    assert exposure.is_breached(3) is expected
