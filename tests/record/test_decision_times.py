"""Decisions are counted by the smallest bound that holds their duration."""

from __future__ import annotations

from sekisho.record import Counts
from sekisho.record.decision_times import DecisionTimes


def test_each_duration_is_in_the_smallest_bound_that_holds_it() -> None:
    """A bound holds its own value, as the buckets of Prometheus do; beyond the last one is `inf`."""
    counts = Counts()
    times = DecisionTimes(counts)
    for us in (0, 100, 101, 999, 1_000, 1_000_000, 1_000_001):
        times.add(us)

    assert counts.numbers == {
        ("", "decision", "100"): 2,
        ("", "decision", "250"): 1,
        ("", "decision", "1000"): 2,
        ("", "decision", "1000000"): 1,
        ("", "decision", "inf"): 1,
        ("", "decision", "us"): 2_002_201,
    }
