"""Lua = memory = reference, for any history of attempts, settlements, batches and clocks."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, consumes, RuleBasedStateMachine, invariant, multiple, rule

from sekisho.model import Charge, LimitSet, Verdict
from sekisho.observe.limiter import ledger
from sekisho.observe.limiter.ledger import Record
from sekisho.observe.limiter.memory import MemoryLedger
from sekisho.observe.limiter.redis import (
    VERDICT,
    Keys,
    ledger_script,
    pack_charge,
    pack_settlement,
    unpack_verdict,
)
from tests.limiter.charges import DAY, HOUR, LIMITS, MINUTE, SECOND, T0, charge
from tests.servers import RedisServer

SPARE_MS = 600_000
"""The script lets records live this much longer here: the test's clock stands still while Redis's runs on."""

KEYS = Keys("t")


class LuaLedger:
    """The script in a real Redis, called synchronously and at a time of the test's choosing."""

    def __init__(self, server: RedisServer, limits: LimitSet) -> None:
        self._client = redis.Redis(unix_socket_path=str(server.socket_path))
        script = ledger_script(limits)
        (self._limits, _) = script.leading
        life = "ceil((last - now) / 1000)"
        assert script.source.decode().count(life) == 1
        self._script = self._client.register_script(script.source.decode().replace(life, f"{life} + {SPARE_MS}"))

    def run(self, now_us: int, operations: list[tuple[Charge, bytes]]) -> list[Verdict]:
        keys = [key for each, _ in operations for key in KEYS.of(each)]
        arguments = [self._limits, now_us, *(argument for _, argument in operations)]
        packed: bytes = self._script(keys=keys, args=arguments)
        return [unpack_verdict(packed[at : at + VERDICT.size]) for at in range(0, len(packed), VERDICT.size)]

    def lives_ms(self) -> list[int]:
        pipe = self._client.pipeline(transaction=False)
        for key in self._client.keys():
            pipe.pttl(key)
        return pipe.execute()

    def close(self) -> None:
        self._client.close()


attempts = st.builds(
    charge,
    account=st.integers(0, 3),
    secret=st.integers(0, 12),
    ip=st.integers(0, 3),
    device=st.integers(0, 2),
    network=st.integers(0, 1),
    lane=st.none() | st.integers(0, 20),
    generation=st.integers(0, 2),
    exempt=st.just(False) | st.booleans(),
    v6=st.booleans(),
)
steps = st.sampled_from(
    [0, 1, 999, SECOND, 3 * SECOND, 31 * SECOND, MINUTE, 7 * MINUTE, 29 * MINUTE, HOUR, 5 * HOUR, DAY, 91 * DAY]
)


class Ledgers(RuleBasedStateMachine):
    """Three ledgers, one history."""

    server: RedisServer
    charged = Bundle("charged")

    def __init__(self) -> None:
        super().__init__()
        self.server.cli("FLUSHALL")
        self.now_us = T0
        self.book: dict[bytes, Record] = {}
        self.memory = MemoryLedger(LIMITS, entries_max=10_000, clock_us=lambda: self.now_us)
        self.lua = LuaLedger(self.server, LIMITS)

    def teardown(self) -> None:
        self.lua.close()

    @rule(target=charged, batch=st.lists(attempts, min_size=1, max_size=40))
    def attempt(self, batch: list[Charge]) -> Any:
        expected = [ledger.apply(self.book, each, LIMITS, self.now_us) for each in batch]
        assert expected == [self.memory.charge_now(each) for each in batch]
        assert expected == self.lua.run(self.now_us, [(each, pack_charge(each)) for each in batch])
        return multiple(*zip(batch, expected, strict=True))

    @rule(target=charged, one=attempts, times=st.integers(5, 30))
    def repeat(self, one: Charge, times: int) -> Any:
        return self.attempt([one] * times)

    @rule(done=st.lists(consumes(charged), min_size=1, max_size=10), renewed=st.booleans())
    def succeed(self, done: list[tuple[Charge, Verdict]], renewed: bool) -> None:
        for each, verdict in done:
            ledger.undo(self.book, each, verdict, LIMITS, self.now_us, renewed=renewed)
            self.memory.settle(each, verdict, renewed=renewed)
        self.lua.run(self.now_us, [(each, pack_settlement(each, verdict, renewed=renewed)) for each, verdict in done])

    @rule(step=steps)
    def wait(self, step: int) -> None:
        self.now_us += step

    @invariant()
    def every_key_expires(self) -> None:
        assert all(left_ms > 0 for left_ms in self.lua.lives_ms())


@pytest.fixture
def _server(redis_server: RedisServer) -> None:
    Ledgers.server = redis_server


@pytest.mark.usefixtures("_server")
class TestLedgers(Ledgers.TestCase):  # type: ignore[misc] # Hypothesis builds it at run time
    """Lua, memory and reference give the same verdicts for the same history."""

    settings = settings(max_examples=60, stateful_step_count=30, deadline=None, report_multiple_bugs=False)
