"""Charging: in memory, in the shed, and one call of the script in Redis with the way there and back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import redis

from benchmarks.micro.sample import SETTINGS, charges
from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.redis import Keys, ledger_script, pack_charge, unpack_verdict
from sekisho.ledger.shed import Shed

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from sekisho.model import Charge, Verdict
    from tests.servers import RedisServer


def _clock_us() -> int:
    return time.monotonic_ns() // 1_000


def _memory() -> MemoryLedger:
    return MemoryLedger(SETTINGS.limits, entries_max=SETTINGS.memory_entries_max, clock_us=_clock_us)


def test_memory_charges_a_newcomer(benchmark: BenchmarkFixture) -> None:
    """Every identity is new: what an attack from a botnet looks like."""
    ledger, fresh = _memory(), charges()

    verdict = benchmark.pedantic(  # type: ignore[no-untyped-call]  # the plugin leaves it untyped
        ledger.charge_now, setup=lambda: ((fresh(),), {}), rounds=5_000
    )

    assert verdict.throttle_wait_us == 0


def test_memory_refuses(benchmark: BenchmarkFixture) -> None:
    """The same attempt again and again, over every limit."""
    ledger, charge = _memory(), charges()()

    assert benchmark(ledger.charge_now, charge).throttle_wait_us > 0


@pytest.mark.parametrize("shed", [False, True], ids=["nothing remembered", "remembered"])
def test_shed(benchmark: BenchmarkFixture, *, shed: bool) -> None:
    """The look at what this worker refuses by itself."""
    memory, charge = Shed(_clock_us), charges()()
    if shed:
        memory.remember(charge, UNHINDERED._replace(ip_wait_us=3_600_000_000))

    wait_us = benchmark(memory.wait_us, (charge.ip, charge.device, *charge.networks))

    assert bool(wait_us) is shed


@pytest.mark.parametrize("batch", [1, 8, 64])
def test_one_call_of_the_script(benchmark: BenchmarkFixture, redis_server: RedisServer, batch: int) -> None:
    """Pack, call over the unix socket, unpack: newcomers all, so many in a call."""
    script, keys, fresh = ledger_script(SETTINGS.limits), Keys("bench").of, charges()
    with redis.Redis(unix_socket_path=str(redis_server.socket_path)) as client:
        client.flushall()
        redis_server.load_library(script.library)

        def call(batched: list[Charge]) -> list[Verdict]:
            named = [key for charge in batched for key in keys(charge)]
            reply = client.execute_command(
                *script.by_name, len(named), *named, *script.leading, *map(pack_charge, batched)
            )
            step = script.reply_bytes
            return [unpack_verdict(reply[at : at + step]) for at in range(0, len(reply), step)]

        verdicts = benchmark.pedantic(  # type: ignore[no-untyped-call]  # the plugin leaves it untyped
            call, setup=lambda: (([fresh() for _ in range(batch)],), {}), rounds=300
        )

    assert [verdict.throttle_wait_us for verdict in verdicts] == [0] * batch
