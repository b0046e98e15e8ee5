"""Invariants for every history, on the fake clock, in memory, Redis and a Cluster."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sekisho.ledger.cluster import ClusterLedger
from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.opening import open_line
from sekisho.ledger.records import account_key
from sekisho.ledger.redis import pack_charge, pack_limits, pack_settlement
from sekisho.model import Charge, Charged, Limit, LimitSet, Verdict
from tests.ledger.charges import DAY, HOUR, LIMITS, MINUTE, SECOND, T0, charge
from tests.ledger.stores import PATIENT_US, LuaLedger, let_in, only
from tests.store.lines import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.store.cluster import ClusterLine
    from tests.server_groups import RedisCluster
    from tests.servers import RedisServer

WORKERS = 3
FOUR = Limit(4, 10 * MINUTE)
FOUR_AT = {
    "account": only(account=(FOUR,)),
    "ip": only(ip=(FOUR,)),
    "device": only(device=(FOUR,)),
    "network": only(networks=((FOUR,),)),
}


class World(Protocol):
    """One store with several workers."""

    def charge(self, worker: int, now_us: int, batch: list[Charge]) -> list[Verdict]: ...

    def settle(self, worker: int, now_us: int, each: Charge, verdict: Verdict) -> None: ...


class Memory:
    def __init__(self, limits: LimitSet, entries_max: int = 10_000) -> None:
        self.now_us = 0
        self.ledgers = [
            MemoryLedger(limits, entries_max=entries_max, clock_us=lambda: self.now_us) for _ in range(WORKERS)
        ]
        self.book = self.ledgers[0].book
        for other in self.ledgers[1:]:
            other.book = self.book

    def charge(self, worker: int, now_us: int, batch: list[Charge]) -> list[Verdict]:
        self.now_us = now_us
        return [self.ledgers[worker].charge_now(each) for each in batch]

    def settle(self, worker: int, now_us: int, each: Charge, verdict: Verdict) -> None:
        self.now_us = now_us
        self.ledgers[worker].settle(each, verdict)


class Lua:
    def __init__(self, ledgers: list[LuaLedger]) -> None:
        self._ledgers = ledgers

    def charge(self, worker: int, now_us: int, batch: list[Charge]) -> list[Verdict]:
        return self._ledgers[worker].run(now_us, [(each, pack_charge(each)) for each in batch])

    def settle(self, worker: int, now_us: int, each: Charge, verdict: Verdict) -> None:
        self._ledgers[worker].run(now_us, [(each, pack_settlement(each, verdict))])


class Clustered:
    """All workers' ledgers on a real Cluster, one attempt after the other."""

    def __init__(self, runner: asyncio.Runner, lines: list[ClusterLine], limits: LimitSet) -> None:
        self._runner = runner
        self._lines = lines
        self._limits = pack_limits(limits)
        self._ledgers = [ClusterLedger(line, "t", deadline_us=PATIENT_US) for line in lines]

    def charge(self, worker: int, now_us: int, batch: list[Charge]) -> list[Verdict]:
        return self._runner.run(self._charge(worker, now_us, batch))

    def settle(self, worker: int, now_us: int, each: Charge, verdict: Verdict) -> None:
        self._runner.run(self._settle(worker, now_us, each, verdict))

    async def _charge(self, worker: int, now_us: int, batch: list[Charge]) -> list[Verdict]:
        self._at(worker, now_us)
        verdicts = [await self._ledgers[worker].charge(each) for each in batch]
        await self._done(worker)
        return verdicts

    async def _settle(self, worker: int, now_us: int, each: Charge, verdict: Verdict) -> None:
        self._at(worker, now_us)
        self._ledgers[worker].settle(each, verdict)
        await self._done(worker)

    def _at(self, worker: int, now_us: int) -> None:
        self._lines[worker]._options.script.leading = (self._limits, b"%d" % now_us)

    async def _done(self, worker: int) -> None:
        """Wait until nodes have run their settlements, as another worker may ask next."""
        nodes = self._lines[worker]._nodes.values()
        await until(lambda: not any(node._intake.queue or node._intake.calls or node._in_flight for node in nodes))


Worlds: TypeAlias = "Callable[[LimitSet], World]"


@pytest.fixture(params=["memory", "redis", "cluster"])
def worlds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worlds]:
    """Makes empty worlds in sequence. On a busy machine a node may take seconds to answer, or to be connected to."""
    for name in ("connection.CONNECT_US", "connection.STALL_US", "cluster.CONNECT_US"):
        monkeypatch.setattr(f"sekisho.store.{name}", PATIENT_US)
    if request.param == "memory":
        yield Memory
    elif request.param == "redis":
        yield from in_redis(request.getfixturevalue("redis_server"))
    else:
        yield from on_cluster(request.getfixturevalue("redis_cluster"))


def in_redis(server: RedisServer) -> Iterator[Worlds]:
    workers = [LuaLedger(server, LIMITS) for _ in range(WORKERS)]

    def empty(limits: LimitSet) -> World:
        workers[0].start_anew()
        for each in workers:
            each.limit(limits)
        return Lua(workers)

    yield empty
    for each in workers:
        each.close()


def on_cluster(cluster: RedisCluster) -> Iterator[Worlds]:
    with asyncio.Runner() as runner:

        async def open_lines() -> list[ClusterLine]:
            return [cast("ClusterLine", open_line(cluster.url, LIMITS, deadline_us=PATIENT_US)) for _ in range(WORKERS)]

        async def close(lines: list[ClusterLine]) -> None:
            for line in lines:
                await line.aclose()

        def empty(limits: LimitSet) -> World:
            cluster.each("FLUSHALL")
            return Clustered(runner, lines, limits)

        lines = runner.run(open_lines())
        yield empty
        runner.run(close(lines))


class Step(NamedTuple):
    """Wait, settle some attempts under way as successes, then try some."""

    wait_us: int
    worker: int
    succeed: list[int]
    tries: int


waits = st.sampled_from(
    [0, 0, 1, SECOND, 3 * SECOND, MINUTE, 149 * SECOND, 150 * SECOND, 151 * SECOND, 10 * MINUTE]
) | (st.integers(0, 20 * MINUTE))
histories = st.lists(
    st.builds(Step, waits, st.integers(0, WORKERS - 1), st.lists(st.integers(0, 50), max_size=3), st.integers(0, 7)),
    min_size=1,
    max_size=12,
)
with_fixture = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def guess(number: int) -> Charge:
    """The same account, address and device, with a fresh secret."""
    return charge()._replace(pair_tag=number.to_bytes(4), member_tag=number.to_bytes(4))


@with_fixture
@given(history=histories)
@pytest.mark.parametrize("kind", FOUR_AT)
def test_no_interleaving_admits_more_guesses_than_the_limit(worlds: Worlds, kind: str, history: list[Step]) -> None:
    """Invariant 1: in any time t at most L + t/T unsuccessful attempts pass, in any interleaving of workers and
    log-ins.
    """
    world, now_us, number = worlds(FOUR_AT[kind]), T0, 0
    pending: list[tuple[int, int, Charge, Verdict]] = []
    for step in history:
        now_us += step.wait_us
        for at in sorted({at % len(pending) for at in step.succeed if pending}, reverse=True):
            _, worker, each, verdict = pending.pop(at)
            world.settle(worker, now_us, each, verdict)
        batch = [guess(number + n) for n in range(step.tries)]
        number += step.tries
        found = world.charge(step.worker, now_us, batch) if batch else []
        pending += [
            (now_us, step.worker, each, verdict)
            for each, verdict in zip(batch, found, strict=True)
            if let_in([verdict])
        ]

    times = [at_us for at_us, *_ in pending]
    for first, start_us in enumerate(times):
        for count, end_us in enumerate(times[first:], 1):
            assert count <= FOUR.burst + (end_us - start_us) // FOUR.interval_us


@with_fixture
@given(before=histories, between=histories, slow_us=waits, later_us=waits)
@pytest.mark.parametrize("kind", FOUR_AT)
def test_no_success_takes_off_more_than_its_own(
    worlds: Worlds, kind: str, before: list[Step], between: list[Step], slow_us: int, later_us: int
) -> None:
    """Invariant 4: a success refunds no more than its own charge."""
    own = guess(1_000_000)
    probes = [guess(2_000_000 + n) for n in range(9)]
    events = timeline(before, T0)

    world = worlds(FOUR_AT[kind])
    kept = [admitted(world, now_us, batch) for now_us, batch in events]
    charged_at, verdict = _as_soon_as_there_is_room(world, events[-1][0], own)
    since = timeline(between, charged_at)
    kept += [admitted(world, now_us, batch) for now_us, batch in since]
    settled_at = since[-1][0] + slow_us
    world.settle(0, settled_at, own, verdict)
    room = let_in(world.charge(0, settled_at + later_us, probes))

    # Attempts refused because of its charge are left out here too.
    world = worlds(FOUR_AT[kind])
    times = [now_us for now_us, _ in events + since]
    assert [admitted(world, *pair) for pair in zip(times, kept, strict=True)] == kept
    assert room <= let_in(world.charge(0, settled_at + later_us, probes))


def _as_soon_as_there_is_room(world: World, now_us: int, each: Charge) -> tuple[int, Verdict]:
    (verdict,) = world.charge(0, now_us, [each])
    if let_in([verdict]):
        return now_us, verdict
    return _as_soon_as_there_is_room(world, now_us + max(verdict.throttle_wait_us, verdict.account_wait_us), each)


def timeline(steps: list[Step], now_us: int) -> list[tuple[int, list[Charge]]]:
    found = []
    for step in steps:
        now_us += step.wait_us
        found.append((now_us, [guess(now_us % 2**31 + n) for n in range(step.tries)]))
    return found


def admitted(world: World, now_us: int, batch: list[Charge]) -> list[Charge]:
    verdicts = world.charge(0, now_us, batch) if batch else []
    return [each for each, verdict in zip(batch, verdicts, strict=True) if let_in([verdict])]


@with_fixture
@given(history=histories)
def test_every_admitted_attempt_ends_in_the_count_or_refunded(worlds: Worlds, history: list[Step]) -> None:
    """Invariant 5: an account's failures are the strangers' attempts charged and not yet proved right."""
    world, now_us, number = worlds(LIMITS), T0, 0
    pending: list[tuple[int, Charge, Verdict]] = []
    for step in history:
        now_us += step.wait_us
        for _ in step.succeed[: len(pending)]:
            worker, each, verdict = pending.pop(step.succeed[0] % len(pending))
            world.settle((worker + 1) % WORKERS, now_us, each, verdict)  # by any worker
        batch = [guess(number + n) for n in range(step.tries)]
        number += step.tries
        found = world.charge(step.worker, now_us, batch) if batch else []
        for each, verdict in zip(batch, found, strict=True):
            if verdict.charged & Charged.FAILURES:
                pending.append((step.worker, each, verdict))
            assert verdict.failures == len(pending)

    now_us += 90 * DAY
    assert world.charge(0, now_us, [guess(number)])[0].failures == 1


@with_fixture
@given(
    others=st.lists(
        st.builds(charge, st.integers(1, 40), st.integers(0, 20), st.integers(0, 9), st.integers(0, 9),
                  known_device=st.none() | st.integers(0, 99), v6=st.booleans()),
        max_size=80,
    ),
    wait_us=st.integers(0, HOUR),
    entries_max=st.integers(10, 60),
)  # fmt: skip
def test_no_other_account_touches_this_one(others: list[Charge], wait_us: int, entries_max: int) -> None:
    """Invariant 6: with memory full, other accounts neither lower a count nor lock out a known device."""
    quiet, loud = Memory(LIMITS, entries_max), Memory(LIMITS, entries_max)
    for world in (quiet, loud):
        world.charge(0, T0, [charge(0, n) for n in range(5)] + [charge(known_device=1)])
    (before,) = [record for key, record in loud.book.items() if key == account_key(charge())]
    loud.charge(1, T0 + wait_us // 2, others)
    assert loud.book[account_key(charge())] == before

    own = [charge(0, 9, network=1, known_device=1), charge(0, 10, network=1)]
    expected, found = (world.charge(2, T0 + wait_us, own) for world in (quiet, loud))

    assert found[0] == expected[0]
    assert (found[1].failures, found[1].account_wait_us) == (expected[1].failures, expected[1].account_wait_us)


@with_fixture
@given(known_devices=st.lists(st.integers(0, 30), min_size=1, max_size=30))
def test_others_at_ones_account_do_not_hinder_ones_device(worlds: Worlds, known_devices: list[int]) -> None:
    """Invariant 6: a flood at the account, its address and by its other devices leaves a device its budget."""
    world = worlds(LIMITS)
    world.charge(0, T0, [charge(known_device=100)])
    world.charge(1, T0, [charge(0, n % 30, known_device=known_device) for n, known_device in enumerate(known_devices)])
    world.charge(2, T0, [charge(n, 1) for n in range(30)] + [charge(0, n, network=n) for n in range(1, 20)])

    found = world.charge(0, T0 + SECOND, [charge(known_device=100), charge(known_device=100)])

    assert [verdict.charged & Charged.KNOWN_DEVICE for verdict in found] == [Charged.KNOWN_DEVICE] * 2


def test_nothing_is_ever_below_nothing() -> None:
    """Invariant 4: a settlement that is doubled, late or for a missing record leaves a record like a fresh one."""
    world = Memory(LIMITS)
    (verdict,) = world.charge(0, T0, [charge(known_device=1)])
    (stranger,) = world.charge(0, T0, [charge()])
    world.book.clear()
    for now_us in (T0, T0 + SECOND, T0 + HOUR):
        for found in (verdict, stranger):
            world.settle(0, now_us, charge(known_device=1), found)
            world.settle(0, now_us, charge(known_device=1), found)

        for record in world.book.values():
            assert record.failures == 0
            assert max(record.tats, default=0) <= now_us
    assert let_in(world.charge(0, T0 + HOUR, [guess(n) for n in range(9)])) == 5
