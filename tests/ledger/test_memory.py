"""The bounds of the ledger in memory: full, it neither forgets nor grows."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import pytest

from sekisho.ledger.history import DeviceBucket
from sekisho.ledger.memory import SWEEP, MemoryLedger
from sekisho.ledger.packing import packed, unpacked
from sekisho.ledger.records import Record, account_key
from sekisho.ledger.tags import Tags
from tests.ledger.charges import DAY, HOUR, LIMITS, MINUTE, SECOND, T0, charge
from tests.ledger.stores import let_in

if TYPE_CHECKING:
    from sekisho.model import Charge


class Memory:
    """A ledger with the test's own clock."""

    def __init__(self, entries_max: int) -> None:
        self.now_us = T0
        self.ledger = MemoryLedger(LIMITS, entries_max=entries_max, clock_us=lambda: self.now_us)
        self.book = self.ledger.book
        self.charge = self.ledger.charge_now


def ends(memory: Memory) -> int:
    """The number of keys in the index of ends."""
    return sum(map(len, memory.book._ends.values()))


def invented(number: int) -> Charge:
    """A fresh name, address and secret."""
    return charge(number, ip=number, network=number)._replace(secret=number.to_bytes(4))


def test_a_flood_of_invented_names_is_bounded() -> None:
    """Rows 60 and 93: after 20,000 invented names memory holds its maximum of records and the shared ones, and no count
    is lost.
    """
    memory = Memory(entries_max=2_000)
    for number in range(5):
        memory.charge(charge(10**6, number))
    anybody = charge(network=1, exempt=True)._replace(secret=b"")
    for number in range(20_000):
        memory.charge(anybody._replace(account=blake2b(number.to_bytes(4), digest_size=16).digest()))

    assert len(memory.book._records) == ends(memory) == 2_000
    assert len(memory.book) <= 2_000 + 2**14
    victim = memory.charge(charge(10**6, 9, network=2))
    assert (victim.failures, victim.account_wait_us) == (5, MINUTE)


def test_a_flood_of_everything_is_bounded() -> None:
    """A flood of names, addresses, devices and networks shares four kinds of counter, and no set of secrets."""
    memory = Memory(entries_max=1_000)
    for number in range(5_000):
        memory.charge(invented(number))

    assert len(memory.book._records) == ends(memory) == 1_000
    assert {key[:1] for key in memory.book._shared} == {b"n", b"i", b"d", b"a"}
    assert len({key[1:] for key in memory.book._shared}) <= 2**14


def test_a_full_table_forgets_no_counted_account() -> None:
    """Row 60: with the table full, each of a thousand counted accounts is refused as before."""
    memory = Memory(entries_max=3_000)
    counted = [charge(n, n % 30, network=n % 10, ip=n % 9) for n in range(500)]
    for each in counted * 5:
        memory.charge(each._replace(exempt=True))
    for number in range(1_000, 6_000):
        memory.charge(invented(number))

    waits = [memory.charge(each._replace(exempt=True)).account_wait_us for each in counted]

    assert min(waits) > 0


def test_newcomers_to_a_full_table_are_counted_together() -> None:
    """Newcomers to a full table share a counter, and its limit holds."""
    memory = Memory(entries_max=0)

    assert let_in([memory.charge(charge(0, n % 30, network=n)) for n in range(50)]) == 5
    assert len(memory.book._records) == 0


def test_a_shared_counter_is_of_one_kind() -> None:
    """Accounts and addresses never share a counter, or one flood would refuse the other's newcomers."""
    memory = Memory(entries_max=0)
    same = b"\x00" * 16
    for number in range(50):
        memory.charge(charge(number, network=number)._replace(account=same))

    verdict = memory.charge(charge(1)._replace(ip=same, device=same, networks=(same,)))

    assert verdict.throttle_wait_us == 0


def test_secrets_of_newcomers_are_not_mixed() -> None:
    """Newcomers share no set of secrets: it would show a spray that does not exist."""
    memory = Memory(entries_max=0)
    found = [memory.charge(invented(n)._replace(secret=b"same")) for n in range(20)]

    assert {verdict.spread.accounts_per_secret for verdict in found} == {1}


def test_what_has_passed_makes_room() -> None:
    """A day after a flood a few writes clear its records, and newcomers have their own."""
    memory = Memory(entries_max=3_000)
    for number in range(1_000):
        memory.charge(invented(number)._replace(account=b"", secret=b""))
    assert len(memory.book._records) == 3_000

    memory.now_us += DAY
    writes = 3 * 3_000 // SWEEP
    for _ in range(writes // 3 + 1):
        memory.charge(charge()._replace(account=b"", secret=b""))

    assert len(memory.book) <= 3 + 3
    assert ends(memory) <= 3 + 3


@pytest.mark.parametrize("later_us", [HOUR, DAY, 3 * DAY - 1])
def test_an_account_that_failed_keeps_its_place(later_us: int) -> None:
    """Row 76: room is made by expired records, never by a count that still matters."""
    memory = Memory(entries_max=4)
    for number in range(3):
        memory.charge(charge(0, 7 + number))
    memory.now_us += later_us
    for number in range(1, 200):
        memory.charge(invented(number))

    assert memory.book[account_key(charge())].failures == 3
    assert memory.charge(charge(0, 1, network=300)).failures == 4
    memory.now_us += 4 * DAY
    for number in range(200, 400):
        memory.charge(invented(number))
    assert account_key(charge()) not in memory.book._records


def test_a_record_that_lives_on_is_looked_at_again() -> None:
    """A record charged again stays until its new end, although its first end is in the index."""
    memory = Memory(entries_max=100)
    each = charge()._replace(account=b"", secret=b"")
    for _ in range(5):
        memory.charge(each)
    memory.now_us += 101 * SECOND  # its end as of the first charge
    for number in range(1, 10):
        memory.charge(invented(number))
    assert [memory.charge(each).ip_wait_us > 0 for _ in range(3)] == [False, False, True]

    memory.now_us += 2 * DAY
    memory.charge(invented(10))
    memory.charge(invented(11))
    assert b"i" + each.ip not in memory.book._records


def test_unblocking_forgets_a_count() -> None:
    """An unblocked account is free at once."""
    memory = Memory(entries_max=100)
    for number in range(9):
        memory.charge(charge(number))
    assert memory.charge(charge(10)).ip_wait_us > 0

    memory.ledger.forget((charge().ip,))

    assert memory.charge(charge(11)).ip_wait_us == 0


def test_unblocking_a_newcomer_frees_no_place_in_a_table_that_has_none() -> None:
    """In a full table, unblocking a newcomer resets the shared counter."""
    memory = Memory(entries_max=0)
    for number in range(9):
        memory.charge(charge(number))

    memory.ledger.forget((charge().ip,))

    assert memory.charge(charge(11)).ip_wait_us == 0
    assert len(memory.book._records) == 0


def test_any_record_is_unpacked_as_it_was_packed() -> None:
    """Row 13.6: any record is unpacked as it was packed, with and without buckets, mostly in a few dozen bytes."""
    tags = Tags(900_000, b"youngone", b"old1")
    records = [
        Record(),
        Record((T0, T0 + 5), T0, tags, 65_535, Tags(900_000, b"", b"oldtried")),
        Record((T0,), -1, tags, 1, Tags(899_999, b"tags", b"")),
        Record((T0,), T0, tags, 3, tags, (DeviceBucket(b"l" * 8, 1, T0, (T0,)),)),
        Record(tuple(range(9)), 0, Tags(1, b"", b"old1")),
    ]

    assert [unpacked(packed(each)) for each in records] == [
        each if each.tried.size else each._replace(tried=Tags(each.seen.generation)) for each in records
    ]
    assert isinstance(packed(records[1]), bytes)
    assert sum(len(packed(each)) for each in records[:2]) <= 120
