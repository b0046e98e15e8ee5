"""The capacity sheet's arithmetic, and that its tables match the results beside it."""

from __future__ import annotations

import pytest

from benchmarks import capacity
from benchmarks.capacity import Costs, Plan, capacity_tables, plan

COSTS = Costs(
    redis_us=20,
    cluster_us=60,
    worker_us=100,
    cluster_worker_us=150,
    redis_bytes=200,
    cluster_bytes=250,
    account_bytes=100,
)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (1_000, (0, 1, 0.02, 1)),
        (30_000, (0, 1, 0.6, 5)),  # just full
        (31_000, (1, 4, 0.465, 8)),  # 1.86 cores of a Cluster, at most 0.6 of each
        (300_000, (1, 30, 0.6, 75)),
        (1_000_000, (2, 50, 0.6, 250)),  # more primaries than places would be idle
    ],
)
def test_the_smallest_store_that_carries_it(rate: int, expected: tuple[int, int, float, int]) -> None:
    """By hand: rate × µs is cores; each primary may be busy for 60% of one."""
    found = plan(rate, COSTS)

    assert (found.clusters, found.primaries, round(found.busy, 6), found.workers) == expected


def test_a_cluster_has_three_primaries_at_least() -> None:
    """A Cluster has three primaries at least: two could not agree on a failure."""
    found = plan(31_000, COSTS._replace(cluster_us=20))

    assert found.primaries == 3


def test_memory_is_for_all_accounts_addresses_and_secrets_of_an_hour() -> None:
    """16.5 million of 100 bytes; 600,000 and 3.6 million of 200."""
    found = plan(1_000, COSTS)

    assert found == Plan(0, 1, 0.02, (16_500_000 * 100 + (600_000 + 3_600_000) * 200) / 2**30, 1)


def test_the_sheet_is_written_from_the_results() -> None:
    """The sheet is generated from the results by `python -m benchmarks.capacity`."""
    page = capacity.PAGE.read_text()

    assert page.partition(capacity.BEGIN)[2].partition(capacity.END)[0].strip() == "\n".join(
        capacity_tables(Costs.read())
    )
