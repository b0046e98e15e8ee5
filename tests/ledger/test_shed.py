"""The shed repeats a refusal until it ends, and never lets anyone in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.ledger.shed import ROOM_EVERY_US, Shed
from tests.ledger.charges import SECOND, charge

OVER_IP = UNHINDERED._replace(charged=0, ip_wait_us=5 * SECOND)


class ResponseObserver:
    """A shed and its clock."""

    def __init__(self, entries_max: int = 100) -> None:
        self.now_us = 1_000 * SECOND
        self.shed = Shed(lambda: self.now_us, entries_max=entries_max)

    def wait_us(self, *digests: bytes) -> int:
        return self.shed.wait_us(digests)


def test_what_was_refused_is_refused_until_there_is_room() -> None:
    """A refused address is refused until there is room, to the microsecond."""
    watch = ResponseObserver()
    watch.shed.remember(charge(), OVER_IP)

    waits = []
    for step_us in (0, 2 * SECOND, 3 * SECOND - 1, 1):
        watch.now_us += step_us
        waits.append(watch.wait_us(charge().ip))

    assert waits == [5 * SECOND, 3 * SECOND, 1, 0]


def test_each_dimension_is_remembered_by_itself() -> None:
    """Each dimension is remembered separately: an address says nothing about its network or a device elsewhere."""
    watch = ResponseObserver()
    each = charge(known_device=1)
    refused = UNHINDERED._replace(ip_wait_us=1, network_wait_us=2, device_wait_us=3, known_device_wait_us=4)
    watch.shed.remember(each, refused)

    found = [watch.wait_us(digest) for digest in (each.ip, each.network, each.device, each.known_device)]

    assert found == [1, 2, 3, 4]
    assert watch.wait_us(each.ip, each.network, each.device, each.known_device) == 4
    assert watch.wait_us(charge(ip=1).ip, charge(network=1).network, each.account) == 0


@pytest.mark.parametrize("network_at", [0, 1])
def test_of_two_networks_the_one_that_refuses_is_remembered(network_at: int) -> None:
    """Row 5.2: of an IPv6 /56 and /48 the one that refused is remembered, not the other or its neighbours."""
    watch = ResponseObserver()
    each = charge(v6=True)
    watch.shed.remember(each, UNHINDERED._replace(network_wait_us=SECOND, network_at=network_at))

    assert [watch.wait_us(network) for network in each.networks] == [SECOND * (network_at == at) for at in (0, 1)]


def test_an_account_is_never_shed() -> None:
    """An account is never shed, or anyone who knows a name could have its owner refused unread."""
    watch = ResponseObserver()
    watch.shed.remember(charge(), UNHINDERED._replace(account_wait_us=SECOND))

    assert watch.wait_us(charge().account, charge().ip, charge().device, charge().network) == 0


def test_unblocking_is_heard() -> None:
    """Row 95: an unblocked address is removed, and no other."""
    watch = ResponseObserver()
    for number in range(2):
        watch.shed.remember(charge(ip=number), OVER_IP)

    watch.shed.forget([charge(ip=0).ip, b"never heard of"])

    assert [watch.wait_us(charge(ip=number).ip) for number in range(2)] == [0, 5 * SECOND]


def test_refusals_are_counted_once() -> None:
    """Refusals are counted once for the aggregates."""
    watch = ResponseObserver()
    watch.shed.remember(charge(), OVER_IP)
    for _ in range(3):
        watch.wait_us(charge().ip)
    watch.wait_us(charge(ip=1).ip)

    assert [watch.shed.take_refused(), watch.shed.take_refused()] == [3, 0]


def test_a_full_memory_forgets_nobody_and_takes_nobody() -> None:
    """A full shed forgets no address and takes no new one; those are asked about in Redis."""
    watch = ResponseObserver(entries_max=10)
    for number in range(20):
        watch.shed.remember(charge(ip=number), OVER_IP)

    assert [watch.wait_us(charge(ip=n).ip) > 0 for n in range(20)] == [True] * 10 + [False] * 10
    assert len(watch.shed._until_us) == 10


def test_a_full_memory_is_not_searched_for_every_refusal() -> None:
    """With 200,000 refused addresses a refusal beyond the bound does not search all entries."""
    watch = ResponseObserver(entries_max=10)
    for number in range(11):
        watch.shed.remember(charge(ip=number), OVER_IP)
    known = watch.shed._until_us

    for number in range(11, 50):
        watch.now_us += ROOM_EVERY_US // 50
        watch.shed.remember(charge(ip=number), OVER_IP)

    assert watch.shed._until_us is known


def test_what_has_passed_makes_room() -> None:
    """A minute later expired entries have made room."""
    watch = ResponseObserver(entries_max=10)
    for number in range(20):
        watch.shed.remember(charge(ip=number), OVER_IP)
    watch.now_us += 60 * SECOND

    for number in range(20, 30):
        watch.shed.remember(charge(ip=number), OVER_IP)

    assert [watch.wait_us(charge(ip=n).ip) > 0 for n in range(20, 30)] == [True] * 10


@given(
    events=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3 * SECOND), st.integers(0, 2 * SECOND)), max_size=60),
    entries_max=st.integers(0, 4),
)
def test_it_never_refuses_what_the_ledger_would_not(events: list[tuple[int, int, int]], entries_max: int) -> None:
    """A wait that the shed tells ends no later than the ledger's own, in any order of refusals and expiries."""
    watch, until = ResponseObserver(entries_max), dict[int, int]()
    for number, wait_us, step_us in events:
        watch.now_us += step_us
        watch.shed.remember(charge(ip=number), UNHINDERED._replace(ip_wait_us=wait_us))
        until[number] = max(until.get(number, 0), watch.now_us + wait_us)
        for each, end_us in until.items():
            assert watch.wait_us(charge(ip=each).ip) <= max(0, end_us - watch.now_us)
        assert len(watch.shed._until_us) <= entries_max
