"""Invariant 7: under any fault of the store a verdict arrives in time, and the limit holds."""

from __future__ import annotations

import asyncio
import time
from enum import Enum
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sekisho.ledger.local_fallback import FallbackLedger
from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.opening import open_line
from sekisho.ledger.redis import RedisLedger
from sekisho.model import Limit
from tests.ledger.charges import HOUR, charge
from tests.ledger.stores import let_in, only
from tests.store.lines import SLACK_S
from tests.store.proxy import Proxy

if TYPE_CHECKING:
    from sekisho.model import Verdict
    from tests.servers import RedisServer

DEADLINE_US = 30_000
LIMIT, WORKERS = 6, 2
SIX = only(account=(Limit(LIMIT, HOUR),))


class Fault(Enum):
    """Faults of the store between two bursts of attempts."""

    NONE = "none"
    HOLD = "hold"
    FLOW = "flow"
    RESET = "reset"
    REFUSE = "refuse"
    CUT = "cut"
    PAUSE = "pause"
    RESUME = "resume"
    FLUSH = "script flush"


def strike(fault: Fault, proxy: Proxy, server: RedisServer, *, paused: bool) -> bool:
    """Apply a fault. Returns whether the server hangs now."""
    match fault:
        case Fault.HOLD:
            proxy.hold()
        case Fault.FLOW:
            proxy.flow()
        case Fault.RESET:
            proxy.reset()
        case Fault.REFUSE:
            proxy.refuse()
        case Fault.CUT:
            proxy.cut(3)
        case Fault.PAUSE:
            server.pause()
            return True
        case Fault.RESUME:
            server.resume()
            return False
        case Fault.FLUSH if not paused:
            server.cli("SCRIPT", "FLUSH")
        case _:
            pass
    return paused


schedules = st.lists(
    st.tuples(st.sampled_from(Fault), st.integers(1, 12), st.sampled_from([0, 1, 10, 60])), min_size=1, max_size=8
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schedule=schedules)
def test_any_schedule_of_faults(schedule: list[tuple[Fault, int, int]], redis_server: RedisServer) -> None:
    """At most L + workers x local limit guesses pass, and none waits longer than the deadline."""
    redis_server.cli("FLUSHALL")
    try:
        verdicts, slowest_s = asyncio.run(_run(schedule, redis_server))
    finally:
        redis_server.resume()

    assert len(verdicts) == sum(tries for _, tries, _ in schedule) * WORKERS
    assert let_in(verdicts) <= LIMIT + WORKERS * (LIMIT // WORKERS)
    assert let_in([verdict for verdict in verdicts if not verdict.counters_lost]) <= LIMIT
    assert slowest_s < DEADLINE_US / 1e6 + SLACK_S


async def _run(schedule: list[tuple[Fault, int, int]], server: RedisServer) -> tuple[list[Verdict], float]:
    number, paused, slowest_s = 0, False, 0.0
    verdicts: list[Verdict] = []
    async with Proxy(server) as proxy:
        lines = [open_line(proxy.url, SIX, deadline_us=DEADLINE_US) for _ in range(WORKERS)]
        ledgers = [FallbackLedger(RedisLedger(line, "t"), _own()) for line in lines]
        for fault, tries, wait_ms in schedule:
            paused = strike(fault, proxy, server, paused=paused)
            await asyncio.sleep(wait_ms / 1e3)
            start = time.monotonic()
            number += tries
            guesses = [charge()._replace(pair_tag=(number + n).to_bytes(4)) for n in range(tries)]
            verdicts += await asyncio.gather(*[ledger.charge(each) for ledger in ledgers for each in guesses])
            slowest_s = max(slowest_s, time.monotonic() - start)
        server.resume()
        for line in lines:
            await line.aclose()
    return verdicts, slowest_s


def _own() -> MemoryLedger:
    return MemoryLedger(SIX.shared_between(WORKERS), entries_max=100, clock_us=lambda: time.time_ns() // 1_000)
