"""What features cost an attempt: the set-ups that are counted, and how their costs are told."""

from __future__ import annotations

from benchmarks.switched import ALL, DEFAULTS, FEATURES, Cost, rows, set_ups
from sekisho.settings import load


def test_every_set_up_starts_a_service() -> None:
    """A mistake in a variable would be found only after minutes of compiling and counting."""
    for variables in set_ups("/var/log").values():
        load({"SEKISHO_SECRET": "mB7tXq2LwPz9RkVn4HsYc6JdGf3AeUo8", "SEKISHO_STORE": "redis://127.0.0.1/0"} | variables)


def test_all_of_them_is_every_feature() -> None:
    everything = set_ups("/var/log")

    assert everything[DEFAULTS] == {}
    assert all(everything[title].items() <= everything[ALL].items() for title in FEATURES)


def test_costs_are_told_beside_those_of_the_defaults() -> None:
    """Threads that write are told apart: they run while the one that answers waits."""
    found = {"wrong": {DEFAULTS: Cost(200.0, 0.0), "audit": Cost(205.0, 90.0)}}

    assert list(rows(found)) == [
        ("wrong", "defaults", "200.0", "1.000", "0.0"),
        ("wrong", "audit", "205.0", "1.025", "90.0"),
    ]
