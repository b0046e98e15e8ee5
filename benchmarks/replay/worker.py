"""A worker: `python -m benchmarks.replay.worker FOLDER NUMBER` drives its share of the attempts and keeps count.

Several callers each take the next attempt, pass it to the guard, and record the result; an attempt refused from memory
costs no turn of the event loop. Every few windows all callers finish, and the counts are written down: a stopped worker
continues from there. SIGTERM ends it at the next such place.

An attempt takes the same way as behind `Endpoint`: first the gate, which knows its address alone, then account
and password. No attacker does the work that is asked for; every owner does, and has the factor at hand. The results for
attackers who do it, and for accounts without a factor, are judged separately.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import signal
import struct
import sys
import time
from collections import deque
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import uvloop

from benchmarks.replay.plan import US, WINDOW_US, Plan, Share, sample_of
from benchmarks.replay.site import COUNTED, Clock, assemble
from benchmarks.replay.tally import SHED, Tally
from sekisho.devices.token import browser_family
from sekisho.judge import decide
from sekisho.ledger.receipt import pack_receipt
from sekisho.model import Action, Attempt, Basis, Charge, Device, Outcome, Signals
from sekisho.model.shown_proofs import ShownProofs
from sekisho.pipeline import REFUSED
from sekisho.simulate.generator import CampaignTries, Logins
from sekisho.store import StoreConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.replay.site import Site
    from sekisho.assessment import Assessment
    from sekisho.model import Origin
    from sekisho.read import OriginDigests
    from sekisho.simulate.generator import Combo, Try
    from sekisho.store.options import LineOptions

ORIGINS_KNOWN_MAX = 4_096  # of a crew, and of the one that takes over from it
STRETCH_SECONDS = 1.0  # between two places where a worker could go on
AHEAD_WINDOWS_MAX = 2
PACE_MIN = 10.0  # until it is known how fast this machine is
ISSUED_DAYS_AGO = 3  # when owners' devices were given their tokens
POSITION = struct.Struct("<q")
NOTE = struct.Struct("<16sb")
BARRIER = Charge(
    network=bytes(16), networks=(bytes(16),), ip=bytes(16), device=bytes(16), account=b"",
    known_device=b"", token_generation=0, secret=b"",
    account_tag=bytes(4), ip_tag=bytes(4), pair_tag=bytes(4), member_tag=bytes(4), exempt=True,
)  # fmt: skip
"""Asked to know that all before it has been done. It is charged nothing."""


class Folder:
    """Where a replay keeps what the next run must know."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def corpus(self) -> Path:
        return self.path / "passwords.corpus"

    @property
    def positions(self) -> Path:
        return self.path / "positions"

    def state(self, worker: int) -> Path:
        return self.path / f"worker-{worker}.json"

    def notes(self, worker: int) -> Path:
        return self.path / f"worker-{worker}.notes"


def write_json(path: Path, found: dict[str, Any]) -> None:
    """Write the whole file or nothing: the writer may be killed in the middle."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(found))
    new.replace(path)


class Positions:
    """How far each worker has come, in windows, where all of them can see it."""

    def __init__(self, path: Path, workers: int) -> None:
        if not path.exists():
            path.write_bytes(bytes(POSITION.size * workers))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), POSITION.size * workers)
        self._workers = workers

    def put(self, worker: int, window: int) -> None:
        POSITION.pack_into(self._shared, worker * POSITION.size, window)

    def last(self) -> int:
        """Where the slowest is."""
        positions = (POSITION.unpack_from(self._shared, place * POSITION.size) for place in range(self._workers))
        return min(int(window) for (window,) in positions)


class Caller(NamedTuple):
    """Where attempts come from: all that the gate is shown."""

    origin: Origin
    digests: OriginDigests
    family: int


class Worker:
    """See the module. Belongs to the running loop.

    Args:
        plan: of the replay.
        number: which of its workers this is.
        folder: for the counts; existing ones are continued.
        url: the Redis.
        line: how it is reached.
    """

    def __init__(
        self,
        plan: Plan,
        number: int,
        folder: Folder,
        *,
        url: str,
        line: Callable[[str, LineOptions], StoreConnection] = StoreConnection,
    ) -> None:
        scenario = plan.scenario()
        population, seed = scenario.population(), scenario.seed
        self._plan, self._number, self._folder = plan, number, folder
        self._attack = CampaignTries(population, scenario.campaign, seed=seed)
        self._logins = Logins(population, scenario.honest, seed=seed)
        self._share = Share(plan)
        self._positions = Positions(folder.positions, plan.workers)
        self.tally, self.window = Tally(), 0
        self._notes = bytearray()
        self._notes_bytes = 0
        self._repeated = {"charges": 0, "settlements": 0}
        self._take_up()
        self._clock = Clock(plan.start_us + self.window * WINDOW_US, PACE_MIN)
        self.site: Site = assemble(
            number, self._clock, self.tally, url=url, corpus=folder.corpus if folder.corpus.exists() else None,
            sample_of=sample_of(plan), note=self._note, line=line,
        )  # fmt: skip
        self._guard, self._settler = self.site.guard, self.site.settler
        self._door = self.site.parts.reading.doors.all[0]
        self._without_factor = replace(self.site.parts.policy, factors=False)
        self._known = lru_cache(ORIGINS_KNOWN_MAX)(self._attacker)
        self._items: deque[int] = deque()
        self._until = self.window  # of this stretch
        self._refilling = asyncio.Lock()
        self._surplus = 0  # callers more than there should be
        self.site.alarms.on_return = self._too_many
        self.stopped = False

    # State kept between runs.

    def _take_up(self) -> None:
        """Go on where an earlier run wrote down what it had."""
        path = self._folder.state(self._number)
        if path.exists():
            state = json.loads(path.read_text())
            self.window, self.tally = state["window"], Tally.of_json(state["tally"])
            self._notes_bytes, self._repeated = state["notes_bytes"], state["repeated"]
            self._counted_before = state["counted"]
        else:
            self._counted_before = {"charges": 0, "settlements": 0}
        # Anything noted after that will be noted again.
        with self._folder.notes(self._number).open("ab") as file:
            file.truncate(self._notes_bytes)

    async def _reconcile(self) -> None:
        """What Redis counted for this worker and nobody wrote down will be sent again: know how much it is."""
        counted = await self._counted()
        for kind, before in self._counted_before.items():
            self._repeated[kind] += counted[kind] - before

    async def _counted(self) -> dict[str, int]:
        fields = [b"%d %b" % (self._number, kind.encode()) for kind in self._repeated]
        found = await self.site.line.execute(b"HMGET", COUNTED, *fields)
        return {kind: int(value or 0) for kind, value in zip(self._repeated, found, strict=True)}

    async def _write_down(self) -> None:
        # Settlements are told and not answered; what stands behind them in the line is.
        self.tally.counts["barriers"] += 1
        await self.site.ledger.charge(BARRIER)
        counted = await self._counted()
        with self._folder.notes(self._number).open("ab") as file:
            file.write(self._notes)
        self._notes_bytes += len(self._notes)
        self._notes.clear()
        state = {
            "window": self.window,
            "tally": self.tally.as_json(),
            "notes_bytes": self._notes_bytes,
            "counted": counted,
            "repeated": self._repeated,
            "pace": round(self._clock.pace, 1),
            "done": self.window >= self._share.windows,
        }
        write_json(self._folder.state(self._number), state)

    def _note(self, account: bytes, change: int) -> None:
        self._notes += NOTE.pack(account, change)

    # The run.

    async def send_share(self) -> None:
        """Until all is done or somebody says to stop."""
        await self._reconcile()
        await self._write_down()
        pace = 1.0  # windows a stretch; found while running
        while self.window < self._share.windows and not self.stopped:
            began = time.monotonic()
            self._until = min(self._share.windows, self.window + max(1, int(pace)))
            windows = self._until - self.window
            await self._stretch()
            self._positions.put(self._number, self.window)
            await self._write_down()
            pace = windows * STRETCH_SECONDS / max(1e-3, time.monotonic() - began)
        # Callers that wait for us need not wait any longer.
        self._positions.put(self._number, self._share.windows + AHEAD_WINDOWS_MAX)

    async def aclose(self) -> None:
        await self.site.line.aclose()

    async def _stretch(self) -> None:
        """So many callers, until `_until`. For each who waits for room under a limit, another takes his place."""
        alarms = self.site.alarms
        async with asyncio.TaskGroup() as group:

            def begin() -> None:
                group.create_task(self._caller())

            alarms.open, alarms.on_wait = True, begin
            for _ in range(self._plan.callers):
                begin()
        self._surplus = 0

    def _too_many(self) -> None:
        self._surplus += 1

    async def _caller(self) -> None:
        clock, counts, share, start_us = self._clock, self.tally.counts, self._share, self._plan.start_us
        refusal, origin_of, known = self.site.gate.refusal, self._attack.origin, self._known
        slot_us, items, alarms = share.slot_us, self._items, self.site.alarms
        while True:
            while items:
                item = items.popleft()
                if item < 0:
                    await self._log_in(~item)
                    continue
                clock.now_us = now_us = max(clock.now_us, start_us + int(item * slot_us))
                if now_us >= alarms.due_us:
                    alarms.ring(now_us)
                counts["sent_attacks"] += 1
                caller = known(origin_of(item))
                if refusal(caller.origin, caller.digests):
                    counts[SHED] += 1
                else:
                    await self._try(caller, self._attack.combo(item))
                    if self._surplus:
                        self._surplus -= 1
                        return
            if not await self._refill():
                return

    async def _refill(self) -> bool:
        """The next window's attempts, once the other workers are near enough; False at the end of a stretch."""
        async with self._refilling:
            if self._items:  # another caller has been here
                return True
            if self.window >= self._until:
                self.site.alarms.close()
                return False
            self._positions.put(self._number, self.window)
            self._clock.mark()
            while self.window > self._positions.last() + AHEAD_WINDOWS_MAX and not self.stopped:  # noqa: ASYNC110
                await asyncio.sleep(0.001)  # until another process has moved on
            self._items.extend(self._mixed(self.window))
            self.window += 1
            return True

    def _mixed(self, window: int) -> list[int]:
        """Attacks by their number, and owners' log-ins among them by the complement of theirs."""
        items, logins = self._share.attacks(window, self._number), self._share.logins(window, self._number)
        step = len(items) // (len(logins) + 1) + 1
        for place, login in enumerate(logins):
            items.insert((place + 1) * step - 1, ~login)
        return items

    # Attackers.

    def _attacker(self, origin: int) -> Caller:
        return self._caller_at(self._attack.address(origin), self._attack.user_agent(origin))

    def _caller_at(self, address: str, user_agent: str) -> Caller:
        reading, agent = self.site.parts.reading, user_agent.encode()
        by_name = {b"user-agent": agent}
        found = reading.callers.read({"client": (address, 0), "headers": list(by_name.items())}, by_name)
        return Caller(found.origin, found.digests, browser_family(agent))

    async def _assess(self, caller: Caller, attempt: Attempt, *, worked: bool = False) -> Assessment:
        began = time.perf_counter()
        assessment = await self._guard.assess(attempt, caller.digests, family=caller.family, shown=ShownProofs(worked))
        self.tally.latencies.add((time.perf_counter() - began) * 1e6)
        if assessment.verdict is REFUSED:
            self.tally.counts["shed_late"] += 1
        else:
            self.tally.counts["assessed"] += 1
        return assessment

    def _attempt(self, caller: Caller, account: str, password: str, token: str = "") -> Attempt:
        accounts = self.site.parts.reading.accounts
        canonical = accounts.canonical(account)
        key = accounts.limit_key(canonical)
        return Attempt(self._door, caller.origin, account, canonical, password, token, limit_key=key)

    async def _try(self, caller: Caller, combo: Combo) -> None:
        assessment = await self._assess(caller, self._attempt(caller, combo.account, combo.password))
        decision, counts = assessment.decision, self.tally.counts
        counts["assessed_attacks"] += 1
        self.tally.decided("attacker", decision)
        if decision.asked >= Action.THROTTLE:
            return
        counts["admitted"] += 1
        if decision.work_first:
            counts["work_asked"] += 1
        else:
            # Let in, or asked for a proof: then the application looks at the password behind the seal.
            counts["looked_at"] += 1
        if combo.right:
            self._right(assessment, combo)

    def _right(self, assessment: Assessment, combo: Combo) -> None:
        counts, decision = self.tally.counts, assessment.decision
        counts["right_admitted"] += 1
        counts["right_unlisted_admitted"] += not combo.listed
        if decision.passes:
            counts["taken"] += 1
            self._settler.begin(assessment)
            self._settler.settle(assessment, Outcome.SUCCEEDED, Basis.RULE, renewed=False)
        seen = Signals(assessment.verdict, Device.STRANGER, exposure=assessment.exposure)
        without = decide(seen, self._without_factor)
        counts["without_factor_let_in"] += without.passes
        counts["without_factor_let_in_for_work"] += without.asked is Action.CHALLENGE

    # Owners.

    async def _log_in(self, number: int) -> None:
        for attempt in self._logins(number):
            await self._owner(attempt)

    async def _owner(self, tried: Try) -> None:
        counts = self.tally.counts
        counts["sent_logins"] += 1
        counts["right_logins"] += tried.right
        caller = self._caller_at(tried.address, tried.user_agent)
        token = self._token(tried, caller.family) if tried.known_device else ""
        if self.site.gate.refusal(caller.origin, caller.digests, token=token):
            counts["shed_owners"] += 1
            counts["owners_refused"] += tried.right
            return
        attempt = self._attempt(caller, tried.account, tried.password, token)
        assessment = await self._assess(caller, attempt)
        if assessment.decision.work_first:
            counts["owners_worked"] += 1
            assessment = await self._assess(caller, attempt, worked=True)
        who = "owner, known device" if tried.known_device else "owner, new device"
        self.tally.decided(who, assessment.decision)
        self._answer_owner(assessment, tried)

    def _answer_owner(self, assessment: Assessment, tried: Try) -> None:
        counts, decision = self.tally.counts, assessment.decision
        if decision.passes:
            self._settler.begin(assessment)
            if tried.right:
                devices, attempt, token = self._guard.devices, assessment.attempt, assessment.token
                device = devices.device_name(token, attempt.door, Basis.RULE)
                family, now_s = browser_family(tried.user_agent.encode()), int(self._clock.seconds())
                devices.new_token(attempt, token, device, family, now_s)
            outcome = Outcome.SUCCEEDED if tried.right else Outcome.FAILED
            self._settler.settle(assessment, outcome, Basis.RULE, renewed=tried.right)
        elif decision.asked is not Action.STEP_UP:
            counts["owners_refused"] += tried.right
        elif tried.right:
            counts["owners_proved"] += 1
            receipt = pack_receipt(assessment.charge, assessment.verdict)
            self._settler.refund_proved(receipt, assessment.charge.account)

    def _token(self, tried: Try, family: int) -> str:
        """What the owner's browser was given days ago, after a second proof."""
        return self.site.parts.tokens.renewed(
            "",
            tried.account,
            None,
            device_class=Device.PROVED,
            family=family,
            now_s=self._plan.start_us // US - ISSUED_DAYS_AGO * 86_400,
            fresh=tried.owner.to_bytes(8, "big"),
        )


async def drive(worker: Worker) -> None:
    """Run it to its end, or to SIGTERM."""

    def stop() -> None:
        worker.stopped = True

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        await worker.send_share()
    finally:
        await worker.aclose()


async def _main(path: Path, number: int) -> None:
    folder = Folder(path)
    found = json.loads(folder.plan.read_text())
    await drive(Worker(Plan(**found["plan"]), number, folder, url=found["url"]))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal, it is for the lead
    if len(sys.argv) > 3:
        os.sched_setaffinity(0, {int(sys.argv[3])})
    uvloop.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
