"""The guard as `LoginGuard` makes it, but for the clock: the scenario's, which the worker moves.

The script's `now` is told with every call, and so is the pace: what it keeps in Redis lives its time divided by that.
The ledger's source is the shipped one, to the byte, with two things around it: a `redis.call` that divides the lives it
is told, and a count of what was asked, made inside the same call. That count is Redis's own side of the proof that
nothing was lost.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.without_http import guard_on, parts_of
from sekisho.ledger.in_flight import InFlight
from sekisho.ledger.local_fallback import FallbackLedger
from sekisho.ledger.redis import RedisLedger, failed_families, ledger_script
from sekisho.ledger.shed import Shed
from sekisho.model import Charged, Effect
from sekisho.settings import load
from sekisho.store import Script, StoreConnection
from sekisho.store.options import LineOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.replay.tally import Tally
    from sekisho.gate import Gate
    from sekisho.model import Charge, Verdict
    from sekisho.pipeline import Guard
    from sekisho.settings import Settings
    from sekisho.settler import Settler
    from sekisho.wiring.process import ProcessWing

NAMESPACE = "replay"
COUNTED = b"replay-counted"
"""A hash in Redis: for each worker, the charges that the script has made and the settlements that it has seen."""

# The replay is about counting: a deadline that a busy machine misses would make it about faults.
PATIENT_US = 30_000_000
NEVER_US = 1 << 62
MARK_SECONDS = 1.0
MARGIN = 0.75


class Clock:
    """The scenario's time, and how many times faster than real time it is taken to run. Only ever moved forward.

    The pace is that of the last seconds less a margin: then a record is kept for a little longer than in reality, which
    changes nothing, since one that has passed reads as absent. Kept for less, it would be forgotten too early.
    """

    __slots__ = ("_marked_us", "_moved_s", "_real_s", "now_us", "pace")

    def __init__(self, now_us: int, pace: float, *, real_s: Callable[[], float] = time.monotonic) -> None:
        self.now_us = now_us
        self.pace = pace
        self._real_s = real_s
        self._marked_us, self._moved_s = now_us, real_s()

    def mark(self) -> None:
        """Look how fast it runs. Called often; most often nothing is due."""
        elapsed = self._real_s() - self._moved_s
        if elapsed >= MARK_SECONDS:
            seen = MARGIN * (self.now_us - self._marked_us) / 1e6 / elapsed
            # Down at once, up by and by: a moment of haste must not shorten what is to last for an hour.
            self.pace = max(1.0, min(seen, self.pace + (seen - self.pace) / 4))
            self._marked_us, self._moved_s = self.now_us, self._real_s()

    def us(self) -> int:
        return self.now_us

    def seconds(self) -> float:
        return self.now_us / 1e6


class PacedScript(Script):
    """`script` at the scenario's time and pace, counting for `worker`."""

    def __init__(self, script: Script, clock: Clock, *, worker: int) -> None:
        self._clock = clock
        super().__init__(_around(script, worker), script.leading, script.reply_bytes)

    @property
    def leading(self) -> tuple[bytes, ...]:  # told anew with every call
        limits, _ = self._leading
        return limits, b"%d" % self._clock.now_us, b"%.2f" % self._clock.pace

    @leading.setter
    def leading(self, given: Sequence[bytes]) -> None:
        self._leading = tuple(given)


def _around(script: Script, worker: int) -> str:
    """The ledger's own source, untouched, between a Redis of another pace and a count of what it did."""
    return f"""local PACE = tonumber(table.remove(ARGV, {len(script.leading) + 1}))
local ceil, time = math.ceil, redis.call('TIME')
local now_ms = time[1] * 1000 + time[2] / 1000
local function paced(call)
  return function(command, ...)
    if command == 'SET' then
      local key, value, how, ends_ms = ...
      if how == 'KEEPTTL' then return call('SET', key, value, how) end
      return call('SET', key, value, 'PX', ceil((ends_ms - now_ms) / PACE))
    elseif command == 'PEXPIRE' then
      local key, life = ...
      return call('PEXPIRE', key, ceil(life / PACE))
    elseif command == 'PTTL' then
      local left = call('PTTL', ...)
      return left > 0 and left * PACE or left
    end
    return call(command, ...)
  end
end
local function ledger(redis)
{script.source.decode()}
end
local verdicts = ledger({{call = paced(redis.call), pcall = paced(redis.pcall)}})
local charges = #verdicts / {script.reply_bytes}
redis.call('HINCRBY', '{COUNTED.decode()}', '{worker} charges', charges)
redis.call('HINCRBY', '{COUNTED.decode()}', '{worker} settlements', #ARGV - {len(script.leading)} - charges)
return verdicts
"""


class Alarms:
    """Callers wait as long as the scenario says, and are counted: each wait asks anew.

    The scenario's time moves with the attempts that are taken. So a waiting caller needs another to take the next
    attempt in its place, and when none is left, no caller waits.
    """

    def __init__(self, clock: Clock, tally: Tally) -> None:
        self._clock = clock
        self._counts = tally.counts
        self._numbers = count()  # of two who wait for the same moment, the first
        self._set: list[tuple[int, int, asyncio.Future[None]]] = []
        self.due_us = NEVER_US
        """When the next of those who wait has waited for long enough."""
        self.open = True
        self.on_wait: Callable[[], None] = lambda: None
        self.on_return: Callable[[], None] = lambda: None

    async def until(self, called: asyncio.Future[None], seconds: float) -> bool:
        """For `InFlight`."""
        if not self.open:
            return False
        heappush(self._set, (self._clock.now_us + int(seconds * 1e6), next(self._numbers), called))
        self.due_us = self._set[0][0]
        self.on_wait()
        await asyncio.wait((called,))
        self.on_return()
        self._counts["waited"] += 1
        return True

    def ring(self, now_us: int) -> None:
        """Call those whose time has come."""
        while self._set and self._set[0][0] <= now_us:
            *_, called = heappop(self._set)
            if not called.done():  # by the success of another attempt
                called.set_result(None)
        self.due_us = self._set[0][0] if self._set else NEVER_US

    def close(self) -> None:
        """Call all, and let nobody wait any more until `open` again."""
        self.open = False
        self.ring(NEVER_US)


class Watched:
    """A ledger that is watched: how often it was asked and told, and by one account in so many, for what.

    Args:
        ledger: the guard's own.
        tally: counts for the proof.
        sample_of: one account in so many.
        note: is told an account's digest and what became of its failures: 1, -1, or 0 where they were forgotten.
    """

    def __init__(
        self, ledger: FallbackLedger, tally: Tally, *, sample_of: int, note: Callable[[bytes, int], None]
    ) -> None:
        self._ledger = ledger
        self._counts = tally.counts
        self._sample_of = sample_of
        self._note = note

    async def charge(self, charge: Charge) -> Verdict:
        counts = self._counts
        counts["asked"] += 1
        verdict = await self._ledger.charge(charge)
        if verdict.counters_lost:
            counts["lost"] += 1
        elif verdict.charged & Charged.FAILURES:
            self._sampled(charge.account, 1)
        return verdict

    def settle(self, charge: Charge, verdict: Verdict, effects: int = 0) -> None:
        self._counts["told"] += 1
        self._ledger.settle(charge, verdict, effects)
        if verdict.charged & Charged.FAILURES:
            self._sampled(charge.account, -1)
        if effects & Effect.PROVED:
            self._sampled(charge.account, 0)

    def fail(self, charge: Charge, verdict: Verdict) -> None:
        self._counts["told"] += failed_families(verdict) != 0
        self._ledger.fail(charge, verdict)

    def _sampled(self, account: bytes, change: int) -> None:
        if int.from_bytes(account[:2], "big") % self._sample_of == 0:
            self._note(account, change)


class Site(NamedTuple):
    """Gate, guard and settler, and what they are made of."""

    gate: Gate
    guard: Guard
    settler: Settler
    line: StoreConnection
    ledger: Watched
    alarms: Alarms
    parts: ProcessWing


def settings(url: str, corpus: Path | None) -> Settings:
    """A shop with a factor and work, every limit at its default."""
    wanted = {
        "SEKISHO_SECRET": "a replay has nothing to keep from anybody",
        "SEKISHO_STORE": url,
        "SEKISHO_NAMESPACE": NAMESPACE,
        "SEKISHO_FACTORS": "totp",
        "SEKISHO_LOGIN": "POST /login form:username,password success=303:/account",
    }
    return load(wanted | ({"SEKISHO_CORPUS": str(corpus)} if corpus else {}), has_owners=True)


def assemble(
    worker: int,
    clock: Clock,
    tally: Tally,
    *,
    url: str,
    corpus: Path | None,
    sample_of: int,
    note: Callable[[bytes, int], None],
    line: Callable[[str, LineOptions], StoreConnection] = StoreConnection,
) -> Site:
    """A worker's guard, in the running loop."""
    found = settings(url, corpus)
    parts = parts_of(found)
    script = PacedScript(ledger_script(found.limits), clock, worker=worker)
    connection = line(found.store, LineOptions(script, PATIENT_US))
    ledger = Watched(
        FallbackLedger(RedisLedger(connection, found.namespace), None, let_in=True),
        tally,
        sample_of=sample_of,
        note=note,
    )
    alarms = Alarms(clock, tally)
    gate, guard, settler = guard_on(
        ledger,
        parts,
        shed=Shed(clock.us),
        in_flight=InFlight(alarms.until),
        clock_s=clock.seconds,
        chance=secrets.token_bytes,
    )
    return Site(gate, guard, settler, connection, ledger, alarms, parts)
