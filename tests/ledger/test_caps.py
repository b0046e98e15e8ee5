"""Caps: one suite for memory, Redis, Sentinels and a Cluster; then a machine against a plain list of transfers."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sekisho.ledger import caps as arithmetic
from sekisho.ledger.caps import CapEntry, CapLedger, CapVerdict, MemoryCaps
from sekisho.ledger.redis_caps import _SCRIPT, RedisCaps, _packed
from sekisho.model import Cap, StoreUnavailable
from sekisho.store import LineOptions, Script, open_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.servers import RedisServer

DAY = 86_400_000_000
T0 = 1_700_000_000_000_000
CAPS = (Cap(100_000, DAY), Cap(300_000, 30 * DAY))
KEY, OTHER = b"k" * 16, b"o" * 16
PATIENT_US = 20_000_000
STORES = {"memory": "", "tcp": "redis_url", "sentinel": "sentinel_url", "cluster": "redis_cluster_url"}


class Store(Protocol):
    """Each `worker` is one process's; all of them see the same sums, at a time that the test sets."""

    now_us: int

    async def worker(self) -> CapLedger: ...


class InMemory:
    def __init__(self) -> None:
        self.now_us = T0
        self._caps = MemoryCaps(entries_max=1_000, clock_us=lambda: self.now_us)

    async def worker(self) -> CapLedger:
        return self._caps


class InRedis:
    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._url, self._stack, self._workers = url, stack, list[RedisCaps]()
        self._now_us = T0

    @property
    def now_us(self) -> int:
        return self._now_us

    @now_us.setter
    def now_us(self, now_us: int) -> None:
        self._now_us = now_us
        for worker in self._workers:
            worker.now_us = now_us

    async def worker(self) -> CapLedger:
        answers = asyncio.Event()
        script = Script("return ''", (), 1)
        line = open_to(self._url, LineOptions(script, PATIENT_US, lambda up: answers.set() if up else None))
        self._stack.push_async_callback(line.aclose)
        await answers.wait()
        self._workers.append(RedisCaps(line, "t", now_us=self._now_us))
        return self._workers[-1]


@pytest.fixture(params=list(STORES.values()), ids=list(STORES))
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    async with _store(request.getfixturevalue(request.param) if request.param else "") as found:
        yield found


@asynccontextmanager
async def _store(url: str) -> AsyncIterator[Store]:
    async with AsyncExitStack() as stack:
        yield InRedis(url, stack) if url else InMemory()


async def took(ledger: CapLedger, amount: int, key: bytes = KEY, caps: Sequence[Cap] = CAPS) -> bool:
    return (await ledger.take(key, amount, caps)).admitted


async def test_no_window_of_the_period_holds_more_than_its_cap(store: Store) -> None:
    """A sum is free again exactly one period after it was moved, not at midnight and not little by little."""
    ledger = await store.worker()
    assert await took(ledger, 60_000)
    store.now_us = T0 + DAY // 2
    assert await took(ledger, 40_000)
    assert not await took(ledger, 1)
    store.now_us = T0 + DAY - 1
    assert not await took(ledger, 1)
    store.now_us = T0 + DAY
    assert not await took(ledger, 60_001)
    assert await took(ledger, 60_000)


async def test_every_cap_holds(store: Store) -> None:
    """The month's cap holds although each day's has room."""
    ledger = await store.worker()
    for day in range(3):
        store.now_us = T0 + day * DAY
        assert await took(ledger, 100_000)
    store.now_us = T0 + 3 * DAY
    assert not await took(ledger, 1)
    store.now_us = T0 + 30 * DAY
    assert await took(ledger, 100_000)


async def test_two_hundred_parallel_transfers_over_two_workers_never_exceed_the_cap(store: Store) -> None:
    """200 parallel transfers of 1,000 against 100,000: exactly 100 of them are admitted."""
    workers = [await store.worker(), await store.worker()]
    found = await asyncio.gather(*(took(workers[number % 2], 1_000) for number in range(200)))
    assert sum(found) == 100


async def test_accounts_do_not_share_a_cap(store: Store) -> None:
    """An account's transfers leave another's cap alone."""
    ledger = await store.worker()
    assert await took(ledger, 100_000)
    assert await took(ledger, 100_000, OTHER)
    assert not await took(ledger, 1)


async def test_what_is_given_back_is_free_again(store: Store) -> None:
    """An amount that is given back has room again, and nothing more."""
    ledger = await store.worker()
    verdict = await ledger.take(KEY, 70_000, CAPS)
    store.now_us += 1
    assert await took(ledger, 20_000)
    await ledger.give_back(KEY, 70_000, verdict.at_us, CAPS)
    assert not await took(ledger, 80_001)
    assert await took(ledger, 80_000)


async def test_after_the_store_was_emptied_an_old_amount_takes_out_nothing(store: Store) -> None:
    """A return for an amount that the store no longer knows leaves later ones counted."""
    ledger = await store.worker()
    store.now_us += 1
    assert await took(ledger, 100_000)
    await ledger.give_back(KEY, 100_000, T0, CAPS)
    assert not await took(ledger, 1)


async def test_a_refused_amount_and_nothing_at_all_count_nothing(store: Store) -> None:
    """Neither a refused amount nor a zero is counted."""
    ledger = await store.worker()
    assert not await took(ledger, 100_001)
    assert await took(ledger, 0)
    assert await took(ledger, 100_000)
    assert await took(ledger, 0)


async def test_a_clock_that_jumps_back_frees_nothing_and_locks_out_for_one_period_at_most(store: Store) -> None:
    """An amount of the future counts from now on, for one period: however often the account is refused meanwhile."""
    ledger = await store.worker()
    store.now_us = T0 + 365 * DAY
    assert await took(ledger, 100_000)
    for half_days in (0, 1):
        store.now_us = T0 + half_days * DAY // 2
        assert not await took(ledger, 1)
    store.now_us = T0 + DAY
    assert await took(ledger, 100_000)
    assert not await took(ledger, 1)


async def test_more_transfers_than_are_kept_apart_still_sum_up(store: Store) -> None:
    """Beyond 64 entries amounts are joined: their sum is kept, none is forgotten early."""
    ledger = await store.worker()
    for number in range(100):
        store.now_us = T0 + number * 1_000_000
        assert await took(ledger, 1_000)
    assert not await took(ledger, 1)
    store.now_us = T0 + DAY + 100_000_000
    assert await took(ledger, 100_000)


async def test_a_record_is_bounded_and_ends(redis_url: str, redis_server: RedisServer) -> None:
    """A record has at most 64 entries and ends with its last amount's period."""
    async with _store(redis_url) as store:
        ledger = await store.worker()
        for number in range(100):
            store.now_us = T0 + number
            await took(ledger, 1)
    with redis.Redis(unix_socket_path=str(redis_server.socket_path)) as client:
        (key,) = client.keys("t:{c*")
        assert client.strlen(key) == 1 + 64 * 21
        assert 0 < client.pttl(key) <= 30 * 86_400_000


async def test_a_record_of_an_unknown_layout_admits_nothing(redis_url: str, redis_server: RedisServer) -> None:
    """A record that a later version wrote is not read as empty, which would admit the whole cap anew."""
    with redis.Redis(unix_socket_path=str(redis_server.socket_path)) as client:
        client.set(b"t:{c" + KEY + b"}", b"\x02" + bytes(21))
    async with _store(redis_url) as store:
        ledger = await store.worker()
        with pytest.raises(StoreUnavailable):
            await ledger.take(KEY, 1, CAPS)


async def test_full_memory_refuses_rather_than_forgets() -> None:
    """A full ledger in memory refuses new accounts, until one of its records has ended."""
    now_us = T0
    ledger = MemoryCaps(entries_max=1, clock_us=lambda: now_us)
    assert await took(ledger, 100_000)
    with pytest.raises(StoreUnavailable):
        await ledger.take(OTHER, 1, CAPS)
    assert not await took(ledger, 1)
    now_us += 30 * DAY
    assert await took(ledger, 1, OTHER)
    assert len(ledger) == 1


# The machine: the plain reference is a list of all transfers that were admitted and not given back.

SMALL = (Cap(50, 10), Cap(90, 40))


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now_us = T0
        self.entries: arithmetic.Entries = ()
        self.moved: list[tuple[int, int]] = []
        self.exact = True

    @rule(amount=st.integers(0, 30))
    def take(self, amount: int) -> None:
        alive = arithmetic.living(self.entries, self.now_us, arithmetic.keep_us(SMALL))
        admitted = arithmetic.fits(alive, amount, SMALL, self.now_us)
        if admitted:
            self.entries = arithmetic.added(alive, amount, self.now_us)
            self.moved.append((self.now_us, amount))
        if self.exact:
            others = self.moved[:-1] if admitted else self.moved
            assert admitted == all(amount + _held(others, self.now_us, cap) <= cap.sum_max for cap in SMALL)

    @rule(us=st.integers(0, 15))
    def wait(self, us: int) -> None:
        self.now_us += us

    @precondition(lambda self: self.moved)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        at_us, amount = data.draw(st.sampled_from(self.moved))
        if at_us <= self.now_us - arithmetic.keep_us(SMALL):
            return  # no application answers after so long
        self.entries = arithmetic.without(
            arithmetic.living(self.entries, self.now_us, arithmetic.keep_us(SMALL)), amount, at_us
        )
        self.moved.remove((at_us, amount))

    @invariant()
    def no_window_exceeds_its_cap(self) -> None:
        for cap in SMALL:
            assert all(_held(self.moved, at_us, cap) <= cap.sum_max for at_us, _ in self.moved)
        assert len(self.entries) <= arithmetic.ENTRIES_MAX


def _held(moved: Sequence[tuple[int, int]], at_us: int, cap: Cap) -> int:
    return sum(amount for when, amount in moved if at_us - cap.period_us < when <= at_us)


class Crowded(Machine):
    """With room for three entries: joined amounts may be refused longer, and never exceed a cap."""

    def __init__(self) -> None:
        super().__init__()
        self.exact = False
        arithmetic.ENTRIES_MAX = 3

    def teardown(self) -> None:
        arithmetic.ENTRIES_MAX = 64


TestMachine = Machine.TestCase
TestCrowded = Crowded.TestCase
TestMachine.settings = TestCrowded.settings = settings(stateful_step_count=60, deadline=None)


STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "back", "wait"]), st.integers(0, 40_000), st.integers(0, 2 * DAY)), max_size=40
)


def test_lua_is_the_same_arithmetic(redis_server: RedisServer) -> None:
    """The script and the reference agree after every step of random histories, clocks that jump back included."""
    with redis.Redis(unix_socket_path=str(redis_server.socket_path)) as client:

        @given(STEPS, st.booleans())
        def agree(steps: list[tuple[str, int, int]], jumps: bool) -> None:
            client.delete("caps")
            now_us = T0
            taken: list[tuple[int, int]] = []
            memory = MemoryCaps(entries_max=10, clock_us=lambda: now_us)
            for word, amount, us in steps:
                if word == "wait":
                    now_us += us - (DAY if jumps else 0)
                    continue
                at_us, given_back = taken.pop() if word == "back" and taken else (0, amount)
                call = memory.take(KEY, amount, CAPS) if word == "take" else None
                said = client.eval(
                    _SCRIPT, 1, "caps", word.encode(), now_us, _packed(CAPS),
                    amount if word == "take" else given_back, at_us,
                )  # fmt: skip
                if call is not None:
                    verdict = asyncio.run(_done(call))
                    assert said == [int(verdict.admitted), b"%d" % verdict.at_us]
                    if verdict.admitted:
                        taken.append((verdict.at_us, amount))
                else:
                    asyncio.run(_done(memory.give_back(KEY, given_back, at_us, CAPS)))
                assert _unpacked(client.get("caps")) == memory._entries(KEY)

        agree()


async def _done(call: object) -> CapVerdict:
    return await call  # type: ignore[misc, no-any-return]


def _unpacked(value: bytes | None) -> arithmetic.Entries:
    """Read by the layout in `caps.lua`'s head, independently of the script."""
    if value is None:
        return ()
    assert value[0] == 1
    numbers = [int.from_bytes(value[at : at + 7], "little") for at in range(1, len(value), 7)]
    return tuple(CapEntry(*numbers[at : at + 3]) for at in range(0, len(numbers), 3))


async def test_an_operator_reads_and_removes_what_was_summed(redis_url: str) -> None:
    """The amounts of one account are read with their times, and removed; another account's stay."""
    async with AsyncExitStack() as stack:
        caps = await InRedis(redis_url, stack).worker()
        assert isinstance(caps, RedisCaps)
        for key in (KEY, OTHER):
            await caps.take(key, 40_000, CAPS)
        found = await caps.entries(KEY)
        await caps.forget(KEY)
        assert found == (CapEntry(T0, T0, 40_000),)
        assert (await caps.entries(KEY), await caps.entries(OTHER)) == ((), found)
