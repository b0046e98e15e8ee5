"""The bound: no less than GCRA can admit, and no more than the tries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sekisho.model import Limit, LimitSet
from sekisho.simulate.bound import Bound, admitted_max
from tests.simulate.tries import a_try

MINUTE = 60_000_000
LIMITS = LimitSet(
    ip=(Limit(20, 10 * MINUTE), Limit(100, 1440 * MINUTE)),
    networks=((Limit(100, 10 * MINUTE),),),
    device=(Limit(30, 10 * MINUTE),),
    account=(Limit(5, 5 * MINUTE), Limit(10, 60 * MINUTE)),
    known_device=(Limit(10, 60 * MINUTE),),
)


def admitted(limit: Limit, moments_us: list[int]) -> int:
    """GCRA in its usual form: how many of these arrivals pass."""
    tat, passed = 0, 0
    for now_us in moments_us:
        charged = max(now_us, tat) + limit.interval_us
        if charged - now_us <= limit.period_us:
            tat, passed = charged, passed + 1
    return passed


@given(
    burst=st.integers(1, 30),
    period_us=st.integers(1_000, 10_000),
    moments_us=st.lists(st.integers(0, 50_000), min_size=1, max_size=200).map(sorted),
)
def test_no_schedule_of_arrivals_gets_more_past_a_limit(burst: int, period_us: int, moments_us: list[int]) -> None:
    """No schedule of arrivals exceeds the bound: a burst at once and one per interval."""
    limit = Limit(burst, period_us)
    span_us = moments_us[-1] - moments_us[0]
    assert admitted(limit, moments_us) <= admitted_max((limit,), span_us)


def test_the_bound_is_reached_by_arriving_all_the_time() -> None:
    """A constant stream reaches the bound exactly, so it is tight."""
    limit = Limit(5, 5_000)
    assert admitted(limit, list(range(0, 12_001, 100))) == admitted_max((limit,), 12_000) == 17


def test_an_address_that_tries_less_than_its_limit_counts_with_what_it_tried() -> None:
    """An address below its limit counts with its own tries: the bound belongs to this attack."""
    bound = Bound()
    for number in range(7):
        bound.add(a_try(account=f"account{number}"))
    assert bound.wrong_max(LIMITS, 0) == 7


def test_addresses_of_one_network_share_its_limit() -> None:
    """Twelve addresses with twenty each would be 240; their /24 allows 100."""
    bound = Bound()
    for number in range(1_200):
        host, browser = number % 12 + 1, number % 6
        bound.add(a_try(address=f"248.0.0.{host}", user_agent=f"bot{browser}", account=f"account{number}"))
    assert bound.wrong_max(LIMITS, 0) == 100
    assert bound.wrong_max(LIMITS, 6_000_000) == 101


def test_addresses_behind_one_fingerprint_share_the_devices_limit() -> None:
    """Behind one fingerprint the same botnet is one device: 30."""
    bound = Bound()
    for number in range(1_200):
        bound.add(a_try(address=f"248.0.0.{number % 12 + 1}", account=f"account{number}"))
    assert bound.wrong_max(LIMITS, 0) == 30
