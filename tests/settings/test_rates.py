"""Limits in the notation of `limits`, within the ledger's range."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits import parse

from sekisho.model import Limit, SettingsError
from sekisho.settings.rates import network_rates, rates

SECOND = 1_000_000
UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


def test_limits_are_sorted_by_period() -> None:
    """Limits are sorted by period, given in any order and with any separator of the notation."""
    expected = (Limit(3, SECOND), Limit(5, 7200 * SECOND), Limit(9, 86_400 * SECOND))

    assert expected == rates("9/day; 5 per 2 hour, 3/second", "X")


def test_a_wider_network_gets_four_times_as_many() -> None:
    """The wider network (IPv6 /48 beside /56) gets four times the limit."""
    assert ((Limit(100, 600 * SECOND),), (Limit(400, 600 * SECOND),)) == network_rates("100/10minute", "X")


@given(st.integers(1, 250_000), st.integers(1, 31), st.sampled_from(sorted(UNITS)))
def test_every_limit_means_what_the_package_says(burst: int, number: int, unit: str) -> None:
    """Amount and period agree with `limits` itself, and the interval is a microsecond or more."""
    text = f"{burst}/{number}{unit}"
    oracle = parse(text)
    (limit,) = rates(text, "X")

    assert (limit.burst, limit.period_us) == (oracle.amount, oracle.get_expiry() * SECOND)
    assert limit.interval_us >= 1


@pytest.mark.parametrize(
    "text",
    ["five a minute", "5", "5/fortnight", "5/minute;", ";5/minute", "-5/minute", "5/0minute", "5/00 minute",
     "5 per 0 hour", "５/minute", "5/minute:;6/hour", "5/minute\n", "9" * 5000 + "/minute", "5/minute;" * 50],
)  # fmt: skip
def test_what_is_not_the_notation_is_answered_with_an_example(text: str) -> None:
    """Other text gets an error with an example, also where the package accepts nonsense such as a period of no
    minutes.
    """
    with pytest.raises(SettingsError, match=r"^X: is not written as in 20/10minute;100/day"):
        rates(text, "X")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0/minute", "allows none, or more than 1000000"),
        ("1000001/minute", "allows none, or more than 1000000"),
        ("1/32day", "has a period of more than 31 days"),
        ("1/year", "has a period of more than 31 days"),
        ("1/second;1/minute;1/hour;1/day;1/2day", "has more than 4 limits"),
        ("1/60second;2/minute", "has two limits for the same period"),
    ],
)
def test_limits_stay_countable(text: str, problem: str) -> None:
    """A limit of zero, with too fine an interval, or beyond a record's range is refused."""
    with pytest.raises(SettingsError, match=f"^X: {problem}"):
        rates(text, "X")


def test_a_network_limit_leaves_room_for_its_fourfold() -> None:
    """A network limit must leave room for the /48's fourfold."""
    assert network_rates("250000/minute", "X")[1] == (Limit(1_000_000, 60 * SECOND),)
    with pytest.raises(SettingsError, match="allows more than 250000; an IPv6 /48 gets 4 times as many"):
        network_rates("250001/minute", "X")
