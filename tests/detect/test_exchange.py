"""Workers share outcomes and agree on the posture, in a Redis and in a single process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from sekisho.detect import MemoryPostures, PostureExchange, PostureWatch, StoredPostures
from sekisho.detect.written import PostureMac
from sekisho.judge.posture import PostureChange
from sekisho.model.posture import Nearby, Posture, ProofCounts, StrangerOutcome, ToldOutcome
from sekisho.read import OriginDigests
from sekisho.store.opening import open_to
from sekisho.store.options import LineOptions
from sekisho.store.script import Script
from sekisho.testing import SECRET
from tests.ledger.charges import charge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sekisho.detect.places import HeardPosture, Postures
    from sekisho.judge.posture import PostureState
    from sekisho.model import Charge
    from tests.servers import RedisServer

DOOR = "POST /login"
MAC = PostureMac([SECRET], "sekisho")


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now_s


def digests(at: int) -> OriginDigests:
    network = at.to_bytes(4, "little") * 4
    return OriginDigests(b"i" * 16, b"d" * 16, (network, b"w" * 16), b"tag_")


def account(at: int) -> bytes:
    return at.to_bytes(4, "little") * 4


class SharedPostures:
    """As in the store: of many workers, the first in each second takes the outcomes of all."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.turn_s = clock, 0.0
        self.waiting: list[StrangerOutcome] = []
        self.memory = MemoryPostures(clock)

    async def exchange(
        self,
        outcomes: Sequence[StrangerOutcome],
        known: int,
        *,
        is_raised: bool = False,
        counts: ProofCounts = ProofCounts(),  # noqa: B008 - frozen
    ) -> HeardPosture:
        taken: list[StrangerOutcome] = []
        self.waiting += outcomes
        if self.turn_s < self.clock():
            taken, self.waiting, self.turn_s = self.waiting, [], self.clock()
        return await self.memory.exchange(taken, known, is_raised=is_raised, counts=counts)

    async def put(self, number: int, state: PostureState) -> bool:
        return await self.memory.put(number, state)


class Worker:
    """A worker without its attempts."""

    def __init__(self, postures: Postures, clock: Clock | None = None) -> None:
        self.told: list[PostureChange] = []
        self.clock = clock or Clock()
        self.watch = PostureWatch(self.told.append, self.clock)
        self.exchange = PostureExchange(self.watch, postures, self.clock)

    def fail(self, count: int, start: int = 0) -> None:
        for at in range(start, start + count):
            self.watch.settled(DOOR, digests(at), 4, account(at), succeeded=False)

    def posture(self, at: int = 10**6) -> Posture:
        return self.watch.of(DOOR, digests(at), 3)


@asynccontextmanager
async def stored(url: str, namespace: str = "sekisho") -> AsyncIterator[StoredPostures]:
    line = open_to(url, LineOptions(Script("return ''", (), 1), 5_000_000))
    try:
        yield StoredPostures(line, namespace, [DOOR], MAC)
    finally:
        await line.aclose()


async def turns(server: RedisServer, *workers: Worker, times: int = 3) -> None:
    """So many seconds, without waiting for them."""
    for _ in range(times):
        server.cli("DEL", "sekisho:{posture}turn")
        for worker in workers:
            await worker.exchange.once()


async def test_two_workers_see_together_what_neither_sees_alone(redis_url: str, redis_server: RedisServer) -> None:
    async with stored(redis_url) as postures:
        first, second = Worker(postures), Worker(postures)
        first.fail(30)
        second.fail(35, start=30)
        await turns(redis_server, first, second)
        assert (first.posture(), second.posture()) == (Posture.ATTACK, Posture.ATTACK)
        assert PostureChange(DOOR, "site", Posture.ATTACK, Posture.CALM) in first.told
        assert first.told == second.told


async def test_in_an_attack_a_network_is_quiet_while_little_fails_in_it() -> None:
    """Ten failures in a row make it loud, long before its own posture rises; a forced posture asks no network."""
    worker = Worker(MemoryPostures(Clock()))
    worker.fail(80)  # each from another network
    for at in range(10):
        worker.watch.settled(DOOR, digests(5_000), 4, account(at), succeeded=False)
    await worker.exchange.once()

    assert worker.posture(5_000) is Posture.ATTACK
    near = [worker.watch.nearby(DOOR, digests(at)) for at in (3, 5_000, 6_000)]
    assert near == [Nearby.QUIET, Nearby.LOUD, Nearby.QUIET]
    worker.watch.settled(DOOR, digests(3), 4, account(0), succeeded=False)
    for at in range(10):
        worker.watch.settled(DOOR, digests(3), 4, account(at), succeeded=False)
    await worker.exchange.once()  # no posture changes by these
    assert worker.watch.nearby(DOOR, digests(3)) is Nearby.LOUD
    worker.watch.force(Posture.ATTACK)
    assert [worker.watch.nearby(DOOR, digests(at)) for at in (3, 6_000)] == [Nearby.UNASKED] * 2


async def test_a_new_worker_hears_the_posture_at_once(redis_url: str, redis_server: RedisServer) -> None:
    async with stored(redis_url) as postures:
        first, second = Worker(postures), Worker(postures)
        first.fail(80)
        await turns(redis_server, first)
        await second.exchange.once()
        assert second.posture() is Posture.ATTACK


async def test_one_worker_at_a_time_takes_the_outcomes_of_all(redis_url: str) -> None:
    async with stored(redis_url) as postures:
        taken = [
            await postures.exchange([StrangerOutcome(DOOR, ToldOutcome.FAILED, b"netw", 4, b"acco")], 0) for _ in "abc"
        ]
        assert [found.outcomes is None for found in taken] == [False, True, True]


async def test_an_account_succeeds_once_a_day(redis_url: str, redis_server: RedisServer) -> None:
    """In Redis and in a process alike: a second success is dropped, a second proof takes back its failure only."""
    new = ToldOutcome.NEW_SUCCEEDED
    told = [new, new, ToldOutcome.SUCCEEDED, ToldOutcome.PROVED, ToldOutcome.FAILED]
    outcomes = [StrangerOutcome(DOOR, one, b"netw", 4, b"acco") for one in told]
    async with stored(redis_url) as postures:
        found = [
            (await postures.exchange(outcomes, 0)).outcomes,
            (await MemoryPostures(Clock()).exchange(outcomes, 0)).outcomes,
        ]
    for each in found:
        assert each is not None
        assert [one.told for one in each] == [new, ToldOutcome.WITHDRAWN, ToldOutcome.FAILED]


async def test_the_next_day_it_counts_again() -> None:
    clock = Clock()
    postures = MemoryPostures(clock)
    success = [StrangerOutcome(DOOR, ToldOutcome.SUCCEEDED, b"netw", 4, b"acco")]
    counted = []
    for _ in range(4):
        found = (await postures.exchange(success, 0)).outcomes
        counted.append(len(found or ()))
        clock.now_s += 50_000
    assert counted == [1, 1, 1, 0]


async def test_a_flood_leaves_4096_outcomes(redis_url: str, redis_server: RedisServer) -> None:
    async with stored(redis_url) as postures:
        await postures.exchange([], 0, is_raised=True)  # takes the turn
        flood = [StrangerOutcome(DOOR, ToldOutcome.FAILED, b"netw", 4, b"acco")] * 1_000
        for _ in range(6):
            await postures.exchange(flood, 0)
        assert redis_server.cli("LLEN", "sekisho:{posture}outcomes") == 4_096


async def test_a_state_that_another_secret_signed_is_ignored(
    redis_url: str, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """An attacker with write access to the store cannot call an attack calm: the signed state stays in force."""
    async with stored(redis_url) as postures:
        worker = Worker(postures)
        forged = PostureMac([b"guess" * 9], "sekisho").sign(b'{"v":1,"at":1,"doors":{}}').decode()
        redis_server.cli("HSET", "sekisho:{posture}state", "number", "7", "text", forged)
        worker.fail(80)
        await turns(redis_server, worker)
        assert worker.posture() is Posture.ATTACK
        assert "[SEK041]" in caplog.text


async def test_every_key_expires(redis_url: str, redis_server: RedisServer) -> None:
    async with stored(redis_url) as postures:
        worker = Worker(postures)
        worker.watch.settled(DOOR, digests(1), 4, account(1), succeeded=True)
        await turns(redis_server, worker)
        for _ in range(2):  # the first takes the turn
            worker.fail(1)
            await worker.exchange.once()
        keys = redis_server.cli("KEYS", "sekisho:{posture}*")
        assert len(keys) >= 4
        assert all(int(redis_server.cli("PTTL", key)) > 0 for key in keys)


async def test_nothing_is_written_on_a_quiet_site(redis_url: str, redis_server: RedisServer) -> None:
    async with stored(redis_url) as postures:
        calm, raised = Worker(postures), Worker(postures)
        await calm.exchange.once()
        written = redis_server.cli("DBSIZE")
        raised.fail(80)
        await turns(redis_server, raised)
        assert (written, raised.posture()) == (0, Posture.ATTACK)
        assert redis_server.cli("HGET", "sekisho:{posture}state", "number") == "1"


# One process.


async def test_a_process_without_a_store_has_a_posture_too() -> None:
    worker = Worker(MemoryPostures(Clock()))
    worker.fail(80)
    for _ in range(2):
        await worker.exchange.once()
    assert worker.posture() is Posture.ATTACK


async def test_a_raised_posture_ends_without_any_outcome() -> None:
    clock = Clock()
    worker = Worker(MemoryPostures(clock), clock)
    worker.fail(80)
    for _ in range(100):
        await worker.exchange.once()
        clock.now_s += 3_600
    assert worker.posture() is Posture.CALM
    assert PostureChange(DOOR, "site", Posture.CALM, Posture.ELEVATED) in worker.told


class SetClock:
    """A wall clock beside a monotonic one: what an administrator, NTP or a failover does to it."""

    def __init__(self) -> None:
        self.monotonic = Clock()
        self.set_s = 0.0

    def __call__(self) -> float:
        return self.monotonic.now_s + self.set_s


async def minutes_until_calm(*steps_s: float) -> int:
    """After an attack whose clock is set once a minute, honest strangers come; how many minutes until it is over."""
    wall = SetClock()
    worker = Worker(MemoryPostures(wall), wall.monotonic)
    worker.fail(80)
    for minute in range(120):
        wall.set_s += steps_s[minute - 1] if 0 < minute <= len(steps_s) else 0
        await worker.exchange.once()
        if minute > 0 and worker.posture() is Posture.CALM:
            return minute
        for at in range(40 * minute, 40 * minute + 40):
            worker.watch.settled(DOOR, digests(at + 80), 4, account(at + 80), succeeded=at % 10 < 8)
        wall.monotonic.now_s += 60
    return 120


@pytest.mark.parametrize(
    "steps_s", [(-60,), (-3_600,), (-86_400,), (3_600,), (86_400,), (30 * 86_400,), (86_400, -86_400), (-3_600, 3_600)]
)
async def test_an_attack_lasts_as_long_as_if_no_clock_had_been_set(steps_s: tuple[float, ...]) -> None:
    """Set back, it lasted until the clock had caught up; set forward by days, it was forgotten."""
    assert (await minutes_until_calm(*steps_s), await minutes_until_calm()) == (30, 30)


async def test_a_clock_that_was_set_while_a_worker_started_prolongs_no_attack() -> None:
    """The new worker knows no true age; a state from the future is as if it had just been made."""
    wall = SetClock()
    postures = MemoryPostures(wall)
    old, new = Worker(postures, wall.monotonic), Worker(postures, wall.monotonic)
    old.fail(80)
    await old.exchange.once()
    wall.set_s = -86_400
    await new.exchange.once()
    for at in range(400):
        new.watch.settled(DOOR, digests(at), 4, account(at), succeeded=True)
    for _ in range(40):
        wall.monotonic.now_s += 60
        await new.exchange.once()
    assert new.posture() is Posture.CALM


async def test_a_turn_that_was_taken_before_the_stores_clock_was_set_back_is_over(
    redis_url: str, redis_server: RedisServer
) -> None:
    """Its key expires by that clock: without a turn, no worker saw an attack until the clock had caught up."""
    async with stored(redis_url) as postures:
        worker = Worker(postures)
        taken_ms = 1_000 * (int(redis_server.cli("TIME")[0]) + 86_400)
        redis_server.cli("SET", "sekisho:{posture}turn", str(taken_ms), "PX", "86400900")
        worker.fail(80)
        await worker.exchange.once()
        assert worker.posture() is Posture.ATTACK
        assert int(redis_server.cli("PTTL", "sekisho:{posture}turn")) <= 900


async def test_a_network_is_raised_for_itself() -> None:
    worker = Worker(MemoryPostures(Clock()))
    for at in range(100):
        worker.watch.settled(DOOR, digests(7), at % 5, account(at), succeeded=False)
    for _ in range(2):
        await worker.exchange.once()
    assert worker.posture(7) is Posture.ATTACK
    assert worker.posture(8) is Posture.CALM


async def test_a_sealed_attempt_counts_after_two_minutes() -> None:
    """Until then its proof may still come; the failure does not depend on what the run said."""
    clock = Clock()
    worker = Worker(MemoryPostures(clock), clock)
    for at in range(60):
        worker.watch.sealed(DOOR, digests(at), 4, account(at))
    clock.now_s += 119
    assert worker.watch.take() == []
    clock.now_s += 1
    assert [one.told for one in worker.watch.take()] == [ToldOutcome.FAILED] * 60


async def test_a_flood_of_sealed_attempts_is_seen() -> None:
    """P10: more than are held back; those that make room enter early, also where many owners show a proof."""
    clock = Clock()
    worker, failed = Worker(MemoryPostures(clock), clock), 0
    for at in range(24_000):  # in ten minutes
        worker.watch.sealed(DOOR, digests(at), 4, account(at))
        if at % 10 == 0:
            worker.watch.proved(DOOR, sealed_charge(at), digests(at), 4, age_s=5)
        clock.now_s += 1 / 40
        if at % 40 == 39:
            failed += sum(one.told is ToldOutcome.FAILED for one in worker.watch.take())
    assert failed == 24_000 - 4_096


async def test_a_flood_of_sealed_attempts_is_an_attack_within_a_minute() -> None:
    """A hundred a second at four workers: after half a minute owners would have shown some proofs."""
    clock = Clock()
    postures = MemoryPostures(clock)
    workers = [Worker(postures, clock) for _ in range(4)]
    for second in range(45):
        for at in range(100):
            workers[at % 4].watch.sealed(DOOR, digests(second * 100 + at), 4, account(second * 100 + at))
        clock.now_s += 1
        for worker in workers:
            await worker.exchange.once()
    assert {worker.posture() for worker in workers} == {Posture.ATTACK}


async def test_proofs_beside_a_flood_take_back_their_failures_as_early() -> None:
    """P9: held for two minutes, they would leave owners' failures in the score of a flood's early ones."""
    clock = Clock()
    worker = Worker(MemoryPostures(clock), clock)
    for at in range(400):
        worker.watch.sealed(DOOR, digests(at), 4, account(at))
    clock.now_s += 10
    for at in range(2):
        worker.watch.proved(DOOR, sealed_charge(at), digests(at), 4, age_s=10)
    clock.now_s += 20
    counts = worker.watch.counts()
    worker.watch.hear_counts(counts)
    assert (counts, worker.watch.counts()) == ((400, 2), (0, 0))
    assert [one.told for one in worker.watch.take()] == [ToldOutcome.FAILED] * 400
    clock.now_s += 1
    assert [one.told for one in worker.watch.take()] == [ToldOutcome.PROVED] * 2


@pytest.mark.parametrize(("counts", "early"), [((256, 2), 1), ((255, 2), 0), ((256, 3), 0), ((0, 0), 0)])
def test_failures_enter_early_where_less_than_one_in_a_hundred_is_followed_by_a_proof(
    counts: tuple[int, int], early: int
) -> None:
    """Of 256 at all processes, or more."""
    clock = Clock()
    watch = Worker(MemoryPostures(clock), clock).watch
    watch.sealed(DOOR, digests(1), 4, account(1))
    watch.hear_counts(ProofCounts(*counts))
    clock.now_s += 29
    assert watch.take() == []
    clock.now_s += 1
    assert len(watch.take()) == early


async def test_owners_whose_proofs_go_to_other_processes_are_no_attack() -> None:
    """64 processes of a large site. A proxy sends its log-ins to eight of them, and all proofs to the others."""
    clock = Clock()
    postures = SharedPostures(clock)
    workers = [Worker(postures, clock) for _ in range(64)]
    for second in range(150):
        for at in range(second * 40, second * 40 + min(40, second)):
            workers[at % 8].watch.sealed(DOOR, digests(at), 4, account(at))
        early = second - 10
        for at in range(early * 40, early * 40 + min(40, early)):
            if at % 10 < 7:
                workers[8 + at % 56].watch.proved(DOOR, sealed_charge(at), digests(at), 4, age_s=10)
        clock.now_s += 1
        for worker in workers:
            await worker.exchange.once()
        assert workers[0].posture() is Posture.CALM
    assert workers[0].watch.state.doors[DOOR].site.succeeded > 50  # of the first half minute


async def test_all_workers_hear_how_many_proofs_there_were(redis_url: str, redis_server: RedisServer) -> None:
    """In Redis and in a process alike. Half is forgotten in 30 seconds; nothing is written where nothing is counted."""
    clock = Clock()
    memory = MemoryPostures(clock)
    async with stored(redis_url) as postures:
        assert (await postures.exchange([], 0)).counts == (0, 0)
        assert redis_server.cli("EXISTS", "sekisho:{posture}proofs") == 0
        for each in (postures, memory):
            assert (await each.exchange([], 0, counts=ProofCounts(300, 2))).counts == (300, 2)
        at_s = float(redis_server.cli("HGET", "sekisho:{posture}proofs", "at")) - 30
        redis_server.cli("HSET", "sekisho:{posture}proofs", "at", str(at_s))
        clock.now_s += 30
        found = [(await each.exchange([], 0, counts=ProofCounts(0, 4))).counts for each in (postures, memory)]
        assert found[0] == pytest.approx(found[1], rel=0.2)  # seconds may have passed in Redis
        assert found[1] == (150, 5)


async def test_owners_who_show_their_proofs_slowly_are_no_attack() -> None:
    """Twenty a second, of whom one in fifteen shows a proof within half a minute and the others within two."""
    clock = Clock()
    worker = Worker(MemoryPostures(clock), clock)
    for second in range(400):
        for at in range(second * 20, second * 20 + 20):
            worker.watch.sealed(DOOR, digests(at), 4, account(at))
            late = at - (2_000 if at % 15 else 200)
            if late >= 0:
                worker.watch.proved(DOOR, sealed_charge(late), digests(late), 4, age_s=(at - late) / 20)
        clock.now_s += 1
        await worker.exchange.once()
        assert worker.posture() is Posture.CALM


def sealed_charge(at: int) -> Charge:
    return charge(at)._replace(networks=digests(at).networks, device=b"d" * 16, account=account(at))


async def test_a_proof_enters_after_its_attempt_failed_and_where_it_did() -> None:
    """P9: shown from another place, or in another browser, it takes nothing back there."""
    clock = Clock()
    worker = Worker(MemoryPostures(clock), clock)
    worker.watch.sealed(DOOR, digests(1), 4, account(1))
    clock.now_s += 30
    worker.watch.proved(DOOR, sealed_charge(1), digests(1), 4, age_s=30)
    elsewhere = OriginDigests(b"i" * 16, b"e" * 16, (b"n" * 16, b"w" * 16), b"tag_", b"p" * 16)
    worker.watch.proved(DOOR, sealed_charge(1), elsewhere, 3, age_s=30)
    clock.now_s += 90
    assert [one.told for one in worker.watch.take()] == [ToldOutcome.FAILED]
    clock.now_s += 1
    network, name = digests(1).networks[0][:4], account(1)[:4]
    assert worker.watch.take() == [
        StrangerOutcome(DOOR, ToldOutcome.PROVED, network, 4, name),
        StrangerOutcome(DOOR, ToldOutcome.PROVED, network, 255, name),
    ]
    worker.watch.proved(DOOR, sealed_charge(1), digests(1), 4, age_s=300)
    assert len(worker.watch.take()) == 1


async def test_what_a_process_remembers_is_bounded() -> None:
    clock = Clock()
    worker = Worker(MemoryPostures(clock), clock)
    worker.fail(5_000)
    for at in range(6_000):
        worker.watch.sealed(DOOR, digests(at), 4, account(at))
    clock.now_s += 120
    assert len(worker.watch.take()) == 1_024 + 4_096


def test_a_forced_posture_stands_above_the_estimate() -> None:
    worker = Worker(MemoryPostures(Clock()))
    worker.watch.force(Posture.ELEVATED)
    worker.watch.force(Posture.ELEVATED)
    forced = worker.posture()
    worker.watch.force(None)
    assert (forced, worker.posture()) == (Posture.ELEVATED, Posture.CALM)
    assert worker.told == [
        PostureChange("", "forced", Posture.ELEVATED, Posture.CALM),
        PostureChange("", "estimated", Posture.CALM, Posture.ELEVATED),
    ]


async def test_forcing_tells_what_was_estimated_before_and_is_again_after() -> None:
    worker = Worker(MemoryPostures(Clock()))
    worker.fail(80)
    for _ in range(2):
        await worker.exchange.once()
    for forced in (Posture.ATTACK, Posture.CALM, None):
        worker.watch.force(forced)
    assert worker.told[-3:] == [
        PostureChange("", "forced", Posture.ATTACK, Posture.ATTACK),
        PostureChange("", "forced", Posture.CALM, Posture.ATTACK),
        PostureChange("", "estimated", Posture.ATTACK, Posture.CALM),
    ]
