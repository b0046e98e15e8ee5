"""The replay sends every attempt once, reports any loss, and continues instead of starting over."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.replay import report
from benchmarks.replay.plan import US, WINDOW_US, Expected, Plan, Share, expected
from benchmarks.replay.proof import prove
from benchmarks.replay.site import COUNTED, MARGIN, Alarms, Clock, PacedScript, settings
from benchmarks.replay.store import ICE_MS, KeptRedis
from benchmarks.replay.tally import Tally
from benchmarks.replay.worker import Folder, Worker, write_json
from benchmarks.without_http import parts_of
from sekisho.ledger.in_flight import InFlight
from sekisho.ledger.redis import VERDICT, RedisLedger, ledger_script
from sekisho.model import Action, Decision, Finding, StoreUnavailable
from sekisho.store import StoreConnection
from sekisho.store.options import LineOptions
from tests.ledger.charges import charge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.replay.proof import Proof
    from sekisho.store.batch import PackedKeys

START_US = 1_800_000_000 * US
ROOT = Path(__file__).parents[1]
WAIT_SECONDS_MAX = 60.0


def plan(scale: float = 1 / 10_000, *, workers: int = 1, callers: int = 32) -> Plan:
    return Plan(scale, workers, callers, START_US)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KeptRedis]:
    kept = KeptRedis(tmp_path)
    kept.start()
    yield kept
    kept.stop()


# The replayed traffic.


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_attempt_and_log_in_is_somebodys_and_nobody_elses(workers: int) -> None:
    """Over windows and workers each number occurs once, in the window of its time."""
    of = plan(1 / 1_000, workers=workers)
    share, scenario = Share(of), of.scenario()
    places = [(window, worker) for window in range(share.windows) for worker in range(workers)]

    attacks = [number for place in places for number in share.attacks(*place)]
    logins = [number for place in places for number in share.logins(*place)]

    assert sorted(attacks) == list(range(scenario.campaign.attempts))
    assert sorted(logins) == list(range(scenario.honest.logins))
    at_us = {number: number * share.slot_us for number in share.attacks(3, 0)}
    assert all(3 * WINDOW_US <= at < 4 * WINDOW_US for at in at_us.values())


def test_a_small_replay_is_a_piece_of_the_large_one() -> None:
    """Rates stay: a second of either has as many attempts, each address as many as in reality."""
    whole, piece = plan(1).scenario(), plan(0.02).scenario()

    assert (whole.campaign.attempts, whole.owners, whole.campaign.addresses) == (50_000_000, 16_500_000, 200_000)
    assert (piece.campaign.attempts, piece.owners, piece.campaign.addresses) == (1_000_000, 330_000, 4_000)
    assert piece.campaign.per_second == whole.campaign.per_second
    assert piece.campaign.crew == whole.campaign.crew
    assert whole.campaign.attempts / whole.campaign.per_second == 2 * 86_400


def test_what_the_limits_let_through_is_reckoned_by_hand_for_one_shift() -> None:
    """20 addresses for 17 s: 16 in one /24, where the network's 100 and 2 bind; four alone with 20 each."""
    of = plan(1 / 10_000)
    made = settings("memory://", None)

    assert expected(of, made.limits, parts_of(made).policy) == Expected(admitted=102 + 4 * 20, looked_at=15 + 4 * 7)


# Time.


def test_the_pace_falls_at_once_and_rises_by_and_by() -> None:
    """The pace falls at once and rises slowly: a moment of haste must not shorten an hour's records."""
    real = 0.0
    clock = Clock(START_US, 10.0, real_s=lambda: real)

    def pass_by(scenario_seconds: int) -> float:
        nonlocal real
        real += 1.0
        clock.now_us += scenario_seconds * US
        clock.mark()
        return clock.pace

    assert pass_by(100) == 10 + (100 * MARGIN - 10) / 4
    assert pass_by(8) == 8 * MARGIN
    assert pass_by(0) == 1.0


def test_the_script_is_told_the_scenarios_time_and_keeps_records_for_its_part_of_it(store: KeptRedis) -> None:
    """An attempt in 2027, at a pace of 50: what lives for ten minutes there lives for twelve seconds here."""
    limits = settings(store.url, None).limits
    clock = Clock(START_US, 50.0)

    async def one() -> int:
        line = StoreConnection(store.url, LineOptions(PacedScript(ledger_script(limits), clock, worker=7), 5 * US))
        try:
            ledger = RedisLedger(line, "t")
            first = await ledger.charge(charge())
            clock.now_us += US
            return (await ledger.charge(charge())).at_us - first.at_us
        finally:
            await line.aclose()

    assert asyncio.run(one()) == US
    with store.client() as client:
        lives_ms = sorted(client.pttl(key) for key in client.scan_iter("t:*"))
        assert client.hgetall(COUNTED) == {b"7 charges": b"2", b"7 settlements": b"0"}
    # What lives longest is an account, a day for each of its two failures or a little more; tags live for an hour.
    assert 2 * 86_400_000 / 50 - 10_000 < lives_ms[-1] < 1.04 * 2 * 86_400_000 / 50
    assert 0 < lives_ms[0] <= lives_ms[-2] <= 86_400_000 / 50


def test_waiting_callers_wait_in_scenario_time() -> None:
    """Waiting callers wait in scenario time and others take their place; in real time they would hold it up."""
    clock, tally, said = Clock(START_US, 1.0), Tally(), list[str]()

    async def waited() -> list[bool]:
        alarms = Alarms(clock, tally)
        room = InFlight(alarms.until)
        alarms.on_wait, alarms.on_return = partial(said.append, "wait"), partial(said.append, "return")
        first = asyncio.create_task(room.wait(b"key", waiters_max=5, seconds_max=0.5))
        second = asyncio.create_task(room.wait(b"key", waiters_max=5, seconds_max=30.0))
        await asyncio.sleep(0)
        assert alarms.due_us == START_US + US // 2
        alarms.ring(START_US + US // 2 - 1)
        await asyncio.sleep(0)
        assert said == ["wait", "wait"]
        alarms.ring(START_US + US // 2)
        assert await first
        assert said == ["wait", "wait", "return"]
        # At the end of a stretch the time no longer advances.
        alarms.close()
        return [await second, await room.wait(b"key", waiters_max=5, seconds_max=30.0)]

    assert asyncio.run(waited()) == [True, False]
    assert tally.counts["waited"] == 2


def test_few_callers_come_to_the_end(tmp_path: Path, store: KeptRedis) -> None:
    """Four callers finish a scenario in which hundreds of attempts wait for room."""
    tally, proof = driven(tmp_path, store, plan(1 / 500, callers=4))

    assert tally.counts["sent_attacks"] == 100_000
    assert tally.counts["waited"] > 0
    assert broken(proof) == []


def test_records_wait_while_nothing_runs(store: KeptRedis) -> None:
    """A record dumped and restored an hour later in a new process has the remaining life that it had."""
    with store.client() as client:
        client.set("record", "x", px=30_000)
        client.set("for ever", "x")

    since_ms = store.put_on_ice()
    assert not store.is_running()
    store.start()
    with store.client() as client:
        assert client.pttl("record") > ICE_MS - 3_600_000
    store.thaw(since_ms)

    with store.client() as client:
        assert 20_000 < client.pttl("record") <= 30_000
        assert client.pttl("for ever") == -1


# Nothing is lost.


def driven(
    path: Path, store: KeptRedis, of: Plan, line: type[StoreConnection] = StoreConnection
) -> tuple[Tally, Proof]:
    """A worker in this process to its end, and the proof."""
    folder = Folder(path)

    async def run() -> Tally:
        worker = Worker(of, 0, folder, url=store.url, line=line)
        try:
            await worker.send_share()
        finally:
            await worker.aclose()
        return worker.tally

    return asyncio.run(run()), prove(of, folder, store, runs=1)


def broken(proof: Proof) -> list[str]:
    return [claim.text for claim in proof.claims if not claim.kept]


def test_all_that_was_sent_is_counted_and_kept(tmp_path: Path, store: KeptRedis) -> None:
    """Scenario, worker and Redis agree on every tried account and every charge."""
    tally, proof = driven(tmp_path, store, plan())

    assert broken(proof) == []
    assert proof.repeated == {"charges": 0, "settlements": 0}
    assert proof.followed.accounts > 150
    assert proof.followed.cleared > 10
    assert tally.counts["sent_attacks"] == 5_000
    assert tally.counts["taken"] == 0
    assert tally.counts["owners_refused"] == 0
    # Every attempt is in the table of verdicts once.
    assert sum(row[-1] for row in tally.by_reason()) == tally.counts["sent_attacks"] + tally.counts["sent_logins"]


class Failing(StoreConnection):
    """Asks rightly, except for a batch of sixty."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._asks, self._rightly = count(), self.ask
        self.ask = self._asked

    def _asked(self, keys: PackedKeys, argument: bytes) -> asyncio.Future[bytes]:
        return (self.fail if 200 <= next(self._asks) < 260 else self._rightly)(keys, argument)

    def fail(self, keys: PackedKeys, argument: bytes) -> asyncio.Future[bytes]:
        raise NotImplementedError


class Dropping(Failing):
    """Makes up the answers to that batch and never sends it."""

    def fail(self, keys: PackedKeys, argument: bytes) -> asyncio.Future[bytes]:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        answer.set_result(VERDICT.pack(START_US, 7, *[0] * 12))
        return answer


def test_a_batch_that_never_reached_redis_breaks_the_proof(tmp_path: Path, store: KeptRedis) -> None:
    """A batch that Redis never got, though the worker thinks so, breaks the proof: its charges are missing."""
    _, proof = driven(tmp_path, store, plan(), Dropping)

    assert any("charges that Redis made" in text for text in broken(proof))
    assert any("failures kept" in text for text in broken(proof))


class Unheard(Failing):
    """Loses the answers to that batch: Redis has counted it, the caller was told *could not tell*."""

    def fail(self, keys: PackedKeys, argument: bytes) -> asyncio.Future[bytes]:
        self._rightly(keys, argument)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        answer.set_exception(StoreUnavailable())
        return answer


def test_an_answer_that_was_lost_breaks_the_proof(tmp_path: Path, store: KeptRedis) -> None:
    """A lost answer breaks the proof: attempts let in as uncounted were charged."""
    _, proof = driven(tmp_path, store, plan(), Unheard)

    assert any("judged without an answer" in text for text in broken(proof))


def test_records_that_redis_has_forgotten_break_the_proof(tmp_path: Path, store: KeptRedis) -> None:
    """Records evicted, expired early or overwritten break the proof: failures differ from charges."""
    of = plan()
    driven(tmp_path, store, of)
    with store.client() as client:
        client.delete(*client.scan_iter("replay:*"))

    assert any("failures kept" in text for text in broken(prove(of, Folder(tmp_path), store, runs=1)))


# Stopped and continued.


def command(work: Path, *options: str) -> list[str]:
    found = work / "found.json"
    return [
        sys.executable,
        "-m",
        "benchmarks.replay",
        "--work",
        str(work),
        "--json",
        str(found),
        "--unpinned",
        "--plain",
        *options,
    ]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "middleware"), str(ROOT)])}


def begin(work: Path, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(work, *options), cwd=ROOT, env=environment(), start_new_session=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def wait_until_under_way(work: Path, run: subprocess.Popen[bytes]) -> None:
    """Wait until each worker has written something down and works on the next."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    states = [Folder(work).state(number) for number in range(2)]
    while not all(state.exists() and json.loads(state.read_text())["window"] > 0 for state in states):
        assert run.poll() is None, "it ended before it could be stopped"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def resumed(work: Path) -> dict[str, Any]:
    run = subprocess.run(
        command(work, "--resume"), cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr  # a failure says which claim was broken
    found: dict[str, Any] = json.loads((work / "found.json").read_text())
    return found


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    KeptRedis(tmp_path).stop()


SMALL = ("--scale", "0.0003", "--callers", "16")


def assert_whole(found: dict[str, Any]) -> None:
    """Assert the totals of an uninterrupted run."""
    scenario = plan(0.0003).scenario()
    counts = found["tally"]["counts"]
    assert [claim["text"] for claim in found["proof"]["claims"] if not claim["kept"]] == []
    assert counts["sent_attacks"] == scenario.campaign.attempts == 15_000
    assert counts["right_logins"] == scenario.honest.logins == 600
    assert counts["sent_logins"] == 698  # so many begin with a typing error, in any pieces
    assert counts.get("taken", 0) == 0
    assert found["runs"] == 2


def test_a_replay_that_was_interrupted_goes_on_as_if_it_had_not_been(work: Path) -> None:
    """After SIGINT the stretch is finished and Redis dumped; nothing is sent twice, and the totals are the same."""
    run = begin(work, *SMALL)
    wait_until_under_way(work, run)
    run.send_signal(signal.SIGINT)
    assert run.wait(WAIT_SECONDS_MAX) == 130
    assert not KeptRedis(work).is_running()

    found = resumed(work)

    assert_whole(found)
    assert found["proof"]["repeated"] == {"charges": 0, "settlements": 0}


def test_a_replay_that_was_killed_goes_on_and_says_what_it_sent_twice(work: Path) -> None:
    """After SIGKILL of all but Redis, charges not yet written down are sent again, and reported."""
    run = begin(work, *SMALL)
    wait_until_under_way(work, run)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait(WAIT_SECONDS_MAX)
    assert KeptRedis(work).is_running()

    found = resumed(work)

    assert_whole(found)


def test_a_replay_is_not_restarted_by_mistake(work: Path) -> None:
    """A replay that can continue is not restarted by mistake, and a missing one is not continued."""
    nothing = subprocess.run(command(work, "--resume"), cwd=ROOT, env=environment(), check=False, capture_output=True)
    assert (nothing.returncode, nothing.stderr) == (1, b"there is nothing here to go on with\n")

    write_json(Folder(work).plan, {})
    again = subprocess.run(command(work, *SMALL), cwd=ROOT, env=environment(), check=False, capture_output=True)
    assert again.returncode == 1
    assert b"go on with it by --resume, or say --anew" in again.stderr


# Reports.


def sample(at: int, **changes: Any) -> dict[str, Any]:
    """A sample of the lead's every other second, of a run at an even speed."""
    return {
        "run": 1, "seconds": 2.0 * at, "scenario_seconds": 200.0 * at, "attacks": 60_000 * at, "logins": 2_400 * at,
        "asked": 30_000 * at, "shed": 32_000 * at, "pace_told": 75.0, "workers_rss_bytes": [60 << 20, 61 << 20],
        "workers_cpu_seconds": [1.5 * at, 1.4 * at], "cpu_seconds": 0.9 * at, "script_seconds": 0.6 * at,
        "calls": 300 * at, "failed_calls": 0, "used_bytes": at << 20, "rss_bytes": at << 21, "keys": 1_000 * at,
    } | changes  # fmt: skip


def test_rates_are_those_between_two_samples_of_one_run() -> None:
    """Rates are between two samples of one run, not over a pause or a restart."""
    rows = report.rates([sample(1), sample(2), sample(3, run=2, workers_cpu_seconds=[0.0, 0.0]), sample(4, run=2)])

    assert len(rows) == 2
    assert rows[0]["attempts_per_second"] == 31_200
    assert rows[0]["pace"] == 100
    assert rows[0]["script_us"] == pytest.approx(20)
    assert rows[0]["batch"] == 100
    assert rows[0]["workers_cores"] == pytest.approx(1.45)


def test_a_long_series_is_shortened_and_keeps_its_mean() -> None:
    """2,000 samples become some 120 points whose memory at the end is about that of the end."""
    found = report.shortened({"series": [sample(at) for at in range(2_000)]})

    assert len(found["series"]) <= report.POINTS_MAX
    assert found["series"][-1]["redis_used_mib"] > 1_980
    assert {row["attempts_per_second"] for row in found["series"]} == {31_200}


def test_the_page_says_what_was_found(tmp_path: Path) -> None:
    """The page has a line for each figure, and a broken claim is reported."""
    run = subprocess.run(
        command(tmp_path, "--scale", "0.0002"), cwd=ROOT, env=environment(), check=True, capture_output=True, text=True
    )
    found = json.loads((tmp_path / "found.json").read_text())
    found["series"] = [sample(at) for at in range(5)]
    found["proof"]["claims"][5]["kept"] = False
    machine = {"processor": "P", "cores": 2, "kernel": "K", "python": "3", "commit": "c"}

    text = "\n".join(report.page(report.shortened(found) | {"machine": machine, "when": "2026-11-26"}))

    assert "attempts in 1 s" in run.stderr or "replay: done" in run.stderr
    assert "Was anything lost?" in run.stdout
    for line in (
        "takeovers of accounts with a factor | 0 | 0",
        "owners refused | 0 (0.000%)",
        "| 10,000 | 10,000 | kept",
    ):
        assert line in text
    assert text.count("BROKEN") == 1
    assert not report.nothing_lost(found)


def test_a_tally_survives_being_written_down() -> None:
    """A tally that was written and read continues as before."""
    tally = Tally()
    tally.counts["asked"] = 3
    finding = Finding(Action.THROTTLE, "ip_rate", 5)
    tally.decided("attacker", Decision(Action.THROTTLE, Action.THROTTLE, (finding,), 5))
    tally.latencies.add(800.0)

    again = Tally.sum([Tally.of_json(json.loads(json.dumps(tally.as_json()))), tally])

    assert again.counts == Counter(asked=6)
    assert again.by_reason() == [("attacker", "throttle", "ip_rate", 2)]
    assert again.latencies.count == 2
    assert again.latencies.percentile_ms(50) == tally.latencies.percentile_ms(50)
