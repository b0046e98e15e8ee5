"""Starts the workers, watches them, and sees to it that the next run can go on where this one was stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from benchmarks.compiled import compiled_first
from benchmarks.measure import status_bytes
from benchmarks.replay.plan import WINDOW_US, Plan, Share, expected
from benchmarks.replay.proof import prove
from benchmarks.replay.site import settings
from benchmarks.replay.store import KeptRedis
from benchmarks.replay.tally import SHED, Tally
from benchmarks.replay.worker import Folder, write_json
from benchmarks.without_http import parts_of
from sekisho.corpus.build import Plain, build
from sekisho.simulate.words import leaked_passwords
from tests.servers import cpu_seconds

if TYPE_CHECKING:
    from types import FrameType

    from sekisho.cli.progress import Drawing

SAMPLE_SECONDS = 2.0
LOOK_SECONDS = 0.25
ROOT = Path(__file__).parents[2]


class Stopped(Exception):  # noqa: N818 - it was asked for
    """The replay was interrupted and can be gone on with."""


class Broken(Exception):  # noqa: N818 - a worker's, and said as such
    """A worker has died, or what is in the folder cannot be gone on with."""


class Lead:
    """One run of a replay in `path`; a context manager. Leaves Redis and the folder behind where it does not finish.

    `plan` is what to replay, or `None` to go on with what is in `path`. Raises `Broken` where there is nothing to go on
    with, or where there is something and neither that nor `anew` was said.
    """

    def __init__(
        self, path: Path, plan: Plan | None, drawing: Drawing, *, anew: bool = False, pin: bool = True
    ) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.folder = Folder(path)
        self._drawing = drawing
        self._pin = pin
        self._store = KeptRedis(path)
        self._kept = self._take_up() if plan is None else self._begin(plan, anew=anew)
        self.plan = Plan(**self._kept["plan"])
        self._windows = Share(self.plan).windows
        self._workers: list[subprocess.Popen[bytes]] = []
        self._stopping = False
        self._past_seconds = float(self._kept["seconds"])
        self._began = time.monotonic()

    def _begin(self, plan: Plan, *, anew: bool) -> dict[str, Any]:
        if self.folder.plan.exists() and not anew:
            raise Broken("a replay was begun here and not finished: go on with it by --resume, or say --anew")
        self._store.stop()
        for old in (*self.folder.path.glob("worker-*"), self.folder.plan, self._store.dump):
            old.unlink(missing_ok=True)
        self._drawing.say(f"Making a corpus of {len(leaked_passwords()):,} leaked passwords")
        words = self.folder.path / "passwords.txt"
        words.write_text("\n".join(leaked_passwords()) + "\n")
        build([Plain(words)], self.folder.corpus)
        self._store.start()
        return {"plan": plan.as_json(), "url": self._store.url, "seconds": 0.0, "series": [], "iced_ms": 0, "runs": 0}

    def _take_up(self) -> dict[str, Any]:
        if not self.folder.plan.exists():
            raise Broken("there is nothing here to go on with")
        kept: dict[str, Any] = json.loads(self.folder.plan.read_text())
        if self._store.is_running():
            self._drawing.say("Redis still runs; what has expired in the meantime is forgotten")
        elif kept["iced_ms"] and self._store.dump.exists():
            self._store.start()
            self._store.thaw(kept["iced_ms"])
            self._drawing.say("Redis was started from its dump, all records as they stood")
        else:
            raise Broken("the counts are gone with their Redis: begin --anew")
        kept["iced_ms"] = 0
        return kept

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_workers()

    def replay(self) -> dict[str, Any]:
        """Until all is done. Raises `Stopped` after SIGINT or SIGTERM, when everything has been kept."""
        self._kept["runs"] += 1
        self._keep()
        self.folder.positions.unlink(missing_ok=True)
        handlers = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._workers = [self._start(number) for number in range(self.plan.workers)]
            self._drawing.begin("replay", self.plan.scenario().campaign.attempts, "attempts")
            self._watch()
            if self._stopping:
                self._drawing.say("Putting the records on ice")
                self._kept["iced_ms"] = self._store.put_on_ice()
                self._keep()
                raise Stopped
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return self._finish()

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        cores = sorted(os.sched_getaffinity(0))
        pinned = [str(cores[number % len(cores)])] if self._pin else []
        command = [sys.executable, "-m", "benchmarks.replay.worker", str(self.folder.path), str(number), *pinned]
        compiled = {"PYTHONPATH": compiled_first()} if self.plan.compiled else {}
        return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **compiled})

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        for worker in self._workers:
            worker.terminate()

    def _watch(self) -> None:
        sampled = 0.0
        while any(worker.poll() is None for worker in self._workers):
            time.sleep(LOOK_SECONDS)
            tally, window = self._states()
            self._drawing.look(tally.counts["sent_attacks"], _news(tally))
            if time.monotonic() - sampled >= SAMPLE_SECONDS:
                sampled = time.monotonic()
                self._sample(tally, window)
            if any(worker.poll() for worker in self._workers):
                raise Broken("a worker has died; what it said stands above. --resume goes on")
        self._drawing.look(self._states()[0].counts["sent_attacks"])

    def _states(self) -> tuple[Tally, int]:
        """What all workers have written down, and the window that the slowest has come to."""
        found = [state for number in range(self.plan.workers) if (state := self._state(number))]
        windows = [state["window"] for state in found] if len(found) == self.plan.workers else [0]
        return Tally.sum(Tally.of_json(state["tally"]) for state in found), min(windows)

    def _state(self, number: int) -> dict[str, Any]:
        path = self.folder.state(number)
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def _seconds(self) -> float:
        return self._past_seconds + time.monotonic() - self._began

    def _sample(self, tally: Tally, window: int) -> None:
        counts = tally.counts
        running = [worker.pid for worker in self._workers if worker.poll() is None]
        with contextlib.suppress(OSError):  # one may have ended since
            paces = [self._state(number).get("pace", 0.0) for number in range(self.plan.workers)]
            self._kept["series"].append({
                "pace_told": max(paces),
                "run": self._kept["runs"],
                "seconds": round(self._seconds(), 2),
                "scenario_seconds": window * WINDOW_US / 1e6,
                "attacks": counts["sent_attacks"],
                "logins": counts["sent_logins"],
                "asked": counts["asked"],
                "shed": counts[SHED],
                "workers_rss_bytes": [status_bytes(pid, "VmRSS") for pid in running],
                "workers_cpu_seconds": [round(cpu_seconds(pid), 2) for pid in running],
            } | self._store.sample())  # fmt: skip
        self._keep()

    def _keep(self) -> None:
        self._kept["seconds"] = self._seconds()
        write_json(self.folder.plan, self._kept)

    def _end_workers(self) -> None:
        for worker in self._workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()

    # The end.

    def _finish(self) -> dict[str, Any]:
        seconds = self._seconds()
        states = [self._state(number) for number in range(self.plan.workers)]
        if not all(state.get("done") for state in states):
            raise Broken("a worker ended early; --resume goes on")
        tally, window = self._states()
        self._sample(tally, window)
        self._drawing.say("Asking the ledger what it keeps")
        proof = prove(self.plan, self.folder, self._store, runs=self._kept["runs"])
        made = settings(self._store.url, None)
        policy = parts_of(made).policy
        report = {
            "plan": self.plan.as_json(),
            "scenario": _scenario(self.plan),
            "seconds": round(seconds, 1),
            "runs": self._kept["runs"],
            "tally": {"counts": dict(tally.counts)},
            "verdicts": tally.by_reason(),
            "latency_ms": {
                name: round(tally.latencies.percentile_ms(percent), 3)
                for name, percent in (("p50", 50), ("p99", 99), ("p99.9", 99.9))
            },
            "expected": expected(self.plan, made.limits, policy)._asdict(),
            "proof": proof.as_json(),
            "series": self._kept["series"],
        }  # fmt: skip
        self._drawing.end()
        self._store.stop()
        self.folder.plan.unlink()
        return report


def _news(tally: Tally) -> str:
    """The verdicts so far, in a few words."""
    counts = tally.counts
    parts = (
        ("shed", counts[SHED]),
        ("refused", counts["assessed_attacks"] - counts["admitted"]),
        ("work", counts["work_asked"]),
        ("checked", counts["looked_at"]),
    )
    sent = max(1, counts["sent_attacks"])
    return ", ".join(f"{name} {times / sent:.1%}" for name, times in parts) + f", taken {counts['taken']}"


def _scenario(plan: Plan) -> dict[str, Any]:
    scenario = plan.scenario()
    campaign, honest = scenario.campaign, scenario.honest
    return {
        "title": scenario.title,
        "owners": scenario.owners,
        "attempts": campaign.attempts,
        "addresses": campaign.addresses,
        "rented_share": campaign.rented_share,
        "block": campaign.block,
        "crew": campaign.crew,
        "shifts": campaign.shifts,
        "per_second": round(campaign.per_second, 2),
        "known_share": campaign.known_share,
        "right_share": campaign.right_share,
        "logins": honest.logins,
        "known_devices_share": honest.known_share,
        "typo_share": round(honest.typo_share, 3),
        "seconds": round(campaign.attempts / campaign.per_second, 1),
    }
