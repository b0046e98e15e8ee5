"""At one instant as many attempts pass as `limits` lets in, for any limits."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import (
    FixedWindowRateLimiter,
    MovingWindowRateLimiter,
    RateLimiter,
    SlidingWindowCounterRateLimiter,
)

from sekisho.ledger import arithmetic as ledger
from sekisho.settings.rates import rates
from tests.ledger.charges import T0, charge
from tests.ledger.stores import let_in, only

if TYPE_CHECKING:
    from sekisho.ledger.records import Record

STORAGE = MemoryStorage()  # it starts a thread, so one is enough
FRESH_NAMES = count()

# No period of a second: `limits` reads the real clock, and a busy machine may need that long for one example.
one_limit = st.builds(
    "{}/{}{}".format, st.integers(1, 25), st.integers(1, 31), st.sampled_from(["minute", "hour", "day"])
)
some_limits = st.lists(one_limit, min_size=1, max_size=4, unique_by=lambda text: parse_many(text)[0].get_expiry())


@pytest.mark.parametrize("strategy", [FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter])
@given(texts=some_limits)
def test_a_burst_is_let_in_as_far_as_limits_would(strategy: type[RateLimiter], texts: list[str]) -> None:
    """A sequential burst at one moment stops at the same attempt as in `limits`, and stays refused."""
    text = ";".join(texts)
    attempts = 27

    ours = rates(text, "X")
    book: dict[bytes, Record] = {}
    admitted = let_in([ledger.apply(book, charge(), only(account=ours), T0) for _ in range(attempts)])

    assert admitted == _admitted(strategy(STORAGE), text, attempts)


def _admitted(limiter: RateLimiter, text: str, attempts: int) -> int:
    name, items = str(next(FRESH_NAMES)), parse_many(text)
    admitted = 0
    for _ in range(attempts):
        if all(limiter.test(item, name) for item in items):
            for item in items:
                limiter.hit(item, name)
            admitted += 1
    return admitted
