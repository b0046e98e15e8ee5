"""Newcomers are charged in memory by a shorter way, and exactly as by the reference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from sekisho.ledger import arithmetic as ledger
from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.newcomers import newcomer_keys
from sekisho.ledger.records import Record
from sekisho.model import Limit
from tests.ledger.charges import HOUR, LIMITS, MINUTE, T0, charge

if TYPE_CHECKING:
    from sekisho.model import Charge, LimitSet

newcomers = st.builds(
    charge,
    v6=st.booleans(),
    provider=st.booleans(),
    place=st.none() | st.integers(0, 2),
    worked=st.booleans(),
    tries=st.booleans(),
)
limit_tuples = st.lists(
    st.builds(Limit, st.integers(1, 3), st.sampled_from([MINUTE, HOUR + 1])), min_size=1, max_size=3
)
limit_sets = st.builds(
    lambda ip, network, device, account: replace(
        LIMITS, ip=tuple(ip), networks=(tuple(network),) * 3, device=tuple(device), account=tuple(account)
    ),
    limit_tuples,
    limit_tuples,
    limit_tuples,
    limit_tuples,
)


def in_memory(limits: LimitSet, entries_max: int = 100) -> MemoryLedger:
    return MemoryLedger(limits, entries_max=entries_max, clock_us=lambda: T0)


@given(newcomers, limit_sets)
def test_a_newcomer_is_charged_as_by_the_reference(each: Charge, limits: LimitSet) -> None:
    """Row 13.6: verdict, packed records and the times at which they are looked at are the reference's."""
    memory, book = in_memory(limits), in_memory(limits).book
    book.now_us = T0

    assert newcomer_keys(each)
    assert memory.charge_now(each) == ledger.apply(book, each, limits, T0)
    assert memory.book._records == book._records
    assert {minute: sorted(keys) for minute, keys in memory.book._ends.items()} == {
        minute: sorted(keys) for minute, keys in book._ends.items()
    }


def test_an_attempt_with_one_record_is_no_newcomers() -> None:
    """One record of a network, address, device, account or secret is enough for the whole arithmetic."""
    each = charge(1, 1, 1, 1, 1)
    for known in newcomer_keys(each):
        memory = in_memory(LIMITS)
        memory.book.now_us = T0
        memory.book[known] = Record((T0 + 24 * HOUR,) * 2, T0)

        verdict = memory.charge_now(each)

        waits = (verdict.ip_wait_us, verdict.network_wait_us, verdict.device_wait_us, verdict.account_wait_us)
        assert any(waits) is not known.startswith(b"s")


def test_newcomers_are_charged_by_the_limits_in_force() -> None:
    """The share of a worker changes with the number of workers."""
    memory = in_memory(LIMITS)
    memory.limits = replace(LIMITS, account=(Limit(1, HOUR),))

    assert memory.charge_now(charge(1, 1)).last
    assert memory.charge_now(charge(1, 2)).account_wait_us == HOUR


def test_a_newcomer_takes_no_place_that_is_not_there() -> None:
    """In a table with room for three of its five records, its account shares a counter and its secret has none."""
    memory = in_memory(LIMITS, entries_max=3)

    memory.charge_now(charge(1, 1))

    assert [key[:1] for key in memory.book._records] == [b"n", b"i", b"d"]
    assert [key[:1] for key in memory.book._shared] == [b"a"]
