"""An operator's reading of counters agrees with the ledger, and clearing lets the next attempt in."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sekisho.ledger.counters import (
    SocketCounters,
    StoredCounters,
    charge_of,
    decoded,
    shown,
    uses,
)
from sekisho.ledger.history import FAILED, DeviceBucket, kind_of
from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.opening import ledger_on, open_line
from sekisho.ledger.records import FRESH, Record
from sekisho.ledger.tags import Tags
from sekisho.model import Charge, Effect, Limit, StoreUnavailable
from tests.ledger.charges import LIMITS, charge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sekisho.model import Ledger
    from tests.servers import RedisServer

DEADLINE_US = 5_000_000
STORES = ["redis_url", "redis_cluster_url"]


@asynccontextmanager
async def ledger(url: str) -> AsyncIterator[tuple[Ledger, StoredCounters]]:
    """A ledger in a store, and an operator's counters beside it."""
    line = open_line(url, LIMITS, deadline_us=DEADLINE_US)
    try:
        yield ledger_on(line, url, "t", deadline_us=DEADLINE_US), StoredCounters(line, url, "t")
    finally:
        await line.aclose()


def origin_of(each: Charge) -> Charge:
    """The charge as an operator names it: without account and secret."""
    return each._replace(account=b"", secret=b"")


@pytest.mark.parametrize("kind", STORES)
async def test_the_waits_are_those_of_the_ledger(kind: str, request: pytest.FixtureRequest) -> None:
    """Networks, address and account: each wait is the one that the ledger gives, within the time between the calls."""
    async with ledger(request.getfixturevalue(kind)) as (counted, counters):
        for number in range(40):
            verdict = await counted.charge(charge(account=0, secret=number))

        now_us, records = await counters.of_network(origin_of(charge()))
        account = (await counters.of_account(charge_of(charge().account))).records[0]

    *networks, address, device = records
    waits = [
        max(use.wait_us for use in uses(record.tats, limits, now_us))
        for record, limits in ((address, LIMITS.ip), (device, LIMITS.device), (networks[0], LIMITS.networks[0]))
    ]
    found = [verdict.ip_wait_us, verdict.device_wait_us, verdict.network_wait_us]
    assert any(found)
    assert all(abs(wait - its) < 60_000_000 and (wait > 0) == (its > 0) for wait, its in zip(waits, found, strict=True))
    assert account.failures == verdict.failures
    assert account.seen.size == verdict.spread.ips_per_account
    assert address.seen.size == verdict.spread.accounts_per_ip


@pytest.mark.parametrize("kind", STORES)
async def test_what_is_cleared_has_room_again(kind: str, request: pytest.FixtureRequest) -> None:
    """The address and the account are as if they had never failed; the networks, which were not named, still count."""
    async with ledger(request.getfixturevalue(kind)) as (counted, counters):
        for number in range(40):
            refused = await counted.charge(charge(secret=number))
        before = (await counters.of_network(origin_of(charge()))).records
        places = [len(before) - 2, len(before) - 1]
        await counters.clear_network(origin_of(charge()), places)
        await counters.clear_account(charge_of(charge().account))
        after = (await counters.of_network(origin_of(charge()))).records
        freed = await counted.charge(charge(secret=99))

    assert refused.ip_wait_us > 0
    assert [record.tats for record in after[-2:]] == [(), ()]
    assert after[0].tats == before[0].tats
    assert (freed.ip_wait_us, freed.device_wait_us, freed.account_wait_us, freed.failures) == (0, 0, 0, 1)


@pytest.mark.parametrize("kind", STORES)
async def test_a_replaced_token_stays_spent(kind: str, request: pytest.FixtureRequest) -> None:
    """Clearing an account empties its devices' buckets, but an attacker's copy of an old token is no good again."""
    async with ledger(request.getfixturevalue(kind)) as (counted, counters):
        first = charge(known_device=1)
        counted.settle(first, await counted.charge(first), Effect.RENEWED)
        full = [await counted.charge(charge(known_device=1, generation=1)) for _ in range(5)][-1]

        await counters.clear_account(charge_of(charge().account))
        record = (await counters.of_account(charge_of(charge().account))).records[0]
        renewed = await counted.charge(charge(known_device=1, generation=1))

    assert full.known_device_wait_us > 0
    assert [(bucket.device, bucket.generation, bucket.tats) for bucket in record.buckets] == [
        (first.known_device, 1, (0,))
    ]
    assert (renewed.known_device_wait_us, renewed.token_spent, renewed.charged) == (0, False, 8)


@pytest.mark.parametrize("kind", STORES)
async def test_a_cleared_account_has_changed_its_password(kind: str, request: pytest.FixtureRequest) -> None:
    """Clearing an account brings no token back that a change of its password has made void."""
    async with ledger(request.getfixturevalue(kind)) as (counted, counters):
        own, verdict = charge(known_device=1), await counted.charge(charge(known_device=1))
        counted.settle(own, verdict, Effect.ENDS)
        old = charge(known_device=2, issued_us=verdict.at_us - 2_000_000)
        before = await counted.charge(old)
        await counters.clear_account(charge_of(own.account))
        after = await counted.charge(old)

    assert (before.token_spent, after.token_spent) == (True, True)


@pytest.mark.parametrize("kind", STORES)
async def test_a_forgotten_account_has_no_history(kind: str, request: pytest.FixtureRequest) -> None:
    """Clearing keeps the history of successes and forgetting ends it; a replaced token stays spent after both."""
    async with ledger(request.getfixturevalue(kind)) as (counted, counters):
        account = charge_of(charge().account)
        for each, effects in ((charge(known_device=1), Effect.RENEWED), (charge(place=1), Effect.LEARNS)):
            counted.settle(each, await counted.charge(each), effects | Effect.RIGHT)
        await counted.charge(charge(secret=1))
        await counters.clear_account(account)
        cleared = (await counters.of_account(account)).records[0]
        await counters.forget_account(account)
        forgotten = (await counters.of_account(account)).records[0]

    assert [kind_of(bucket) for bucket in cleared.buckets] == [0, 253, 254]
    assert [(bucket.device, bucket.generation) for bucket in forgotten.buckets] == [
        (charge(known_device=1).known_device, 1)
    ]


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("has_record", [True, False])
async def test_an_account_that_was_taken_over_trusts_no_device(
    kind: str, has_record: bool, request: pytest.FixtureRequest
) -> None:
    """Tokens from before are void, also of devices that the store knows nothing of and of the one that changed the
    password last; those from then on count, beside as many limits as there are now.
    """
    limits = replace(LIMITS, known_device=(Limit(50, 3_600_000_000), Limit(90, 86_400_000_000)))
    url = request.getfixturevalue(kind)
    async with ledger(url) as (counted, counters):
        own, verdict = charge(known_device=1), await counted.charge(charge(known_device=1))
        if has_record:
            counted.settle(own, verdict, Effect.ENDS | Effect.RENEWED)
            counted.settle(charge(place=1), await counted.charge(charge(place=1)), Effect.LEARNS | Effect.RIGHT)
        else:
            await counters.forget_account(charge_of(own.account))
        changed = [await counted.charge(charge(known_device=1, generation=1, issued_us=verdict.at_us - 5_000_000))]
        for _ in range(2):
            await counters.forget_account(charge_of(own.account), ends_devices=True)
        record = (await counters.of_account(charge_of(own.account))).records[0]
    line = open_line(url, limits, deadline_us=DEADLINE_US)
    counted = ledger_on(line, url, "t", deadline_us=DEADLINE_US)
    before = [
        await counted.charge(charge(known_device=device, generation=9, issued_us=verdict.at_us - 5_000_000))
        for device in (1, 2)
    ]
    after = await counted.charge(charge(known_device=1, generation=9, issued_us=verdict.at_us + 60_000_000))
    await line.aclose()

    assert [each.token_spent for each in changed] == [False]
    assert [kind_of(bucket) for bucket in record.buckets if bucket.generation >= FAILED] == [252]
    assert [each.token_spent for each in before] == [True, True]
    assert (after.token_spent, after.charged) == (False, 8)


async def test_values_of_other_kinds_read_as_absent(redis_server: RedisServer, redis_url: str) -> None:
    """A store that somebody else has written to breaks no command."""
    async with ledger(redis_url) as (counted, counters):
        await counted.charge(charge())
        for key in redis_server.cli("KEYS", "t:*", text=False):
            redis_server.cli("DEL", key)
            redis_server.cli("RPUSH", key, "a list")

        records = (await counters.of_network(origin_of(charge()))).records
        account = (await counters.of_account(charge_of(charge().account))).records

    assert {(record.tats, record.failures, record.seen.size) for record in records + account} == {((), 0, 0)}


@pytest.mark.parametrize(
    "value", [b"", b"\x01", b"\x07" * 60, b"\x02" * 60, b"\x01\x04" + bytes(12), b"\x02" + bytes(30)]
)
def test_an_unknown_layout_reads_as_absent(value: bytes) -> None:
    """As for the ledger, a record that cannot be read is none."""
    assert decoded(value) == FRESH


# In memory.


async def test_a_process_answers_for_its_own_counters() -> None:
    """What a process says through its socket is what it counts, buckets and failures included."""
    own = MemoryLedger(LIMITS, entries_max=100, clock_us=lambda: 1_800_000_000_000_000)
    for number in range(40):
        own.charge_now(charge(secret=number))
    key = b"a" + charge().account
    own.book[key] = own.book[key]._replace(
        buckets=(DeviceBucket(b"device01", 3, 1_799_999_999_000_000, (1_800_000_001_000_000,)),)
    )

    async def look(keys: Sequence[bytes]) -> bytes:
        return shown(own, keys, 1_800_000_000_000_000)

    counters = SocketCounters(look)
    now_us, records = await counters.of_network(origin_of(charge()))
    (account,) = (await counters.of_account(charge_of(charge().account))).records

    assert now_us == 1_800_000_000_000_000
    assert records[-2].tats == own.book[b"i" + charge().ip].tats
    assert account.failures == own.book[key].failures
    assert account.buckets == own.book[key].buckets


@pytest.mark.parametrize("answer", [b"", b"refused", b"{}", b"[]", b'{"now_us":1,"records":[[1]]}'])
async def test_a_process_that_cannot_be_asked_is_unavailable(answer: bytes) -> None:
    """A process of an earlier version refuses the question."""

    async def look(_: Sequence[bytes]) -> bytes:
        return answer

    with pytest.raises(StoreUnavailable):
        await SocketCounters(look).of_account(charge_of(bytes(16)))


def test_unblocking_in_memory_keeps_replaced_tokens_spent() -> None:
    """As in a store: buckets stay, without counts and failures."""
    now_us = 1_800_000_000_000_000
    own = MemoryLedger(LIMITS, entries_max=100, clock_us=lambda: now_us)
    key = b"a" + charge().account
    buckets = (
        DeviceBucket(b"device01", 3, now_us - 5, (now_us + 9,)),
        DeviceBucket(b"\xffdevice0", FAILED + 2, now_us, (0,)),
    )
    own.book[key] = Record((now_us + 5,), now_us, Tags(), 7, Tags(), buckets)

    own.forget((charge().account,))

    assert own.book[key] == Record(buckets=(DeviceBucket(b"device01", 3, now_us - 5, ()),))


def test_an_account_that_is_forgotten_in_memory_has_no_history() -> None:
    """Unblocking keeps the history of successes; forgetting ends it."""
    own = MemoryLedger(LIMITS, entries_max=100, clock_us=lambda: 1_800_000_000_000_000)
    key = b"a" + charge().account
    history = DeviceBucket(b"\xfd" + bytes(7), FAILED + 1, 1_800_000_000_000_000, (0,))
    own.book[key] = Record(buckets=(history,))

    own.forget((charge().account,))
    kept = own.book[key].buckets
    own.forget((charge().account,), history=True)

    assert kept == (history._replace(tats=()),)
    assert own.book[key].buckets == ()


def test_a_use_is_counted_in_attempts() -> None:
    """Two of ten attempts in a minute, rounded up, and no wait; a full limit waits for one interval."""
    limits = (Limit(10, 60_000_000),)
    now = 1_800_000_000_000_000

    assert uses((now + 11_000_000,), limits, now) == [(10, 60_000_000, 2, 0)]
    assert uses((now + 60_000_000,), limits, now) == [(10, 60_000_000, 10, 6_000_000)]
    assert uses((), limits, now) == [(10, 60_000_000, 0, 0)]
