"""The sums of `benchmarks.stores`."""

from __future__ import annotations

from rich.console import Console

from benchmarks.stores import STORES, Spent, store_table, summed


def test_the_processor_time_of_redis_counts_with_that_of_the_server() -> None:
    """An attempt's cost is the sum by round, since a store that is slow in one round is slow for both."""
    found = summed([Spent(60, 20, 1, 40), Spent(70, 40, 2, 41), Spent(80, 0, 3, 42)])

    assert found["whole_us"] == {"low": 80, "median": 80, "high": 110}
    assert (found["server_us"], found["redis_us"], found["server_mib"], found["redis_mib"]) == (70, 20, 2, 41)


def test_both_stores_have_room_for_all_strangers() -> None:
    """A full table shares counters, and a limit on strangers under way refuses some: both would be cheaper."""
    for store in STORES.values():
        assert int(dict(store.settings)["SEKISHO_MEMORY_ENTRIES_MAX"]) >= 5 * 50_000
        assert "SEKISHO_STRANGERS_MAX" in dict(store.settings)


def test_the_table_has_a_line_for_each_store() -> None:
    """Cost, its parts, and memory stand in one line."""
    console = Console(record=True, width=120)
    console.print(store_table({"memory://": summed([Spent(60, 0.5, 55, 0)])}))

    assert "│ memory:// │ 60.5 (60.5 - 60.5) │   60.0 │   0.5 │        55.0 │        0.0 │" in console.export_text()
