"""The statistics behind *cannot be told apart*: they find what is there, and nothing that is not."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks.step_up.separate import kolmogorov_smirnov, mann_whitney, separation


def series(random: Random, count: int = 2_000, *, shift: float = 0.0, spread: float = 1.0) -> list[float]:
    return [random.gauss(shift, spread) for _ in range(count)]


def test_what_is_alike_is_not_separated() -> None:
    """At one in a thousand, a hundred pairs of one kind hardly give two false alarms."""
    alarms = sum(separation(series(Random(seed)), series(Random(-seed - 1_000))).separated for seed in range(100))

    assert alarms <= 1


@pytest.mark.parametrize("seed", range(10))
def test_a_quarter_of_the_spread_is_seen(seed: int) -> None:
    """And by either test, whichever series is the slower one."""
    random = Random(seed)
    fast, slow = series(random), series(random, shift=0.25)

    assert separation(fast, slow).separated
    assert separation(slow, fast).separated


def test_another_shape_is_seen_though_neither_is_slower() -> None:
    """A wait that is jittered for one of them and not for the other."""
    random = Random(7)

    assert separation(series(random), series(random, spread=2.0)).separated


def test_ties_are_no_difference() -> None:
    """A coarse clock gives the same few values to both."""
    assert mann_whitney([1.0] * 100, [1.0] * 100) == kolmogorov_smirnov([1.0] * 100, [1.0] * 100) == 1.0
