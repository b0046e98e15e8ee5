"""The arithmetic behind benchmarks' figures, intervals above all."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import measure
from benchmarks.apps import endpoint
from benchmarks.measure import Interval, median_interval


def test_twenty_pairs_give_the_interval_of_the_textbooks() -> None:
    """For twenty values the 95% interval of the median runs from the sixth to the fifteenth."""
    assert median_interval([float(rank) for rank in range(1, 21)]) == Interval(6, 10.5, 15)


@pytest.mark.parametrize(("count", "sixth"), [(5, Interval(1, 3, 5)), (6, Interval(1, 3.5, 6))])
def test_few_values_give_their_whole_range(count: int, sixth: Interval) -> None:
    """A few values give their whole range as the interval: a narrower one would not be honest."""
    assert median_interval([float(rank) for rank in range(1, count + 1)]) == sixth


@given(st.lists(st.floats(0.01, 1000), min_size=1, max_size=60))
def test_the_interval_holds_the_median(values: list[float]) -> None:
    """Low ≤ median ≤ high, within the measured values, for any order of slices."""
    interval = median_interval(values)

    assert min(values) <= interval.low <= interval.median <= interval.high <= max(values)
    assert median_interval(values[::-1]) == interval


@given(st.integers(6, 40))
def test_the_interval_leaves_out_at_most_five_per_cent(count: int) -> None:
    """The true median is outside in at most one run of twenty, by the binomial distribution."""
    interval = median_interval([float(rank) for rank in range(count)])
    below = int(interval.low)

    assert 2 * measure.tail(count, below) <= 0.05
    assert 2 * measure.tail(count, below + 1) > 0.05


def test_a_sample_request_is_read_as_it_was_sent() -> None:
    """Peers' keys come from the attempt's address, account and device, or they would count nothing."""
    headers = [(b"host", b"shop.example"), (b"user-agent", b"Chrome"), (b"x-forwarded-for", b"198.51.100.7")]

    keys = endpoint.keys_of(headers, b"username=user0000001%40mail.example&password=wrong0000001")

    assert keys == ("198.51.100.7", "user0000001%40mail.example", "198.51.100.7 Chrome")


def test_the_endpoint_tells_right_from_wrong() -> None:
    """Both loads differ: right passwords get a session, wrong ones none."""
    before = endpoint.Counted.reached

    answers = Counter(endpoint.verdict(b"username=u&password=" + secret).status for secret in (b"right1", b"wrong1"))

    assert answers == {302: 1, 401: 1}
    assert endpoint.Counted.reached == before + 2


def test_a_missing_program_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing program is named by its package instead of a traceback of subprocess."""
    monkeypatch.setattr("shutil.which", lambda _tool: None)
    monkeypatch.setattr("os.geteuid", lambda: 1_000)

    with pytest.raises(SystemExit, match="install the packages wrk, util-linux"):
        measure.require("wrk", "taskset")


def test_thousands_of_values_have_an_interval() -> None:
    """The interval works for thousands of values: 2 to the power of their number exceeds a float."""
    assert measure.median_interval(range(2_000)) == (955, 999.5, 1044)
