"""The script, its parts, memory and the reference agree for any history of attempts, settlements, batches and
clocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from sekisho.ledger import arithmetic as ledger
from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.records import FRESH, current, expires_us
from sekisho.ledger.redis import failed_families, pack_charge, pack_failure, pack_settlement
from sekisho.model import Effect
from tests.ledger.charges import DAY, HOUR, LIMITS, MINUTE, SECOND, T0, charge
from tests.ledger.stores import KEYS, LuaLedger, PartedLedger, places

if TYPE_CHECKING:
    from sekisho.ledger.records import Record
    from sekisho.model import Charge, Verdict
    from tests.servers import RedisServer

EFFECTS = [Effect.RENEWED, Effect.PROVED, Effect.RIGHT, Effect.LEARNS, Effect.EARNS, Effect.ENDS]


def attempt(*, network: int, **rest: Any) -> Charge:
    """One attempt. The second network is also counted with its provider: keys of one network have one layout."""
    return charge(network=network, provider=network == 1, **rest)


attempts = st.builds(
    attempt,
    account=st.integers(0, 3),
    secret=st.none() | st.integers(0, 12),
    ip=st.integers(0, 3),
    device=st.integers(0, 2),
    network=st.integers(0, 1),
    known_device=st.none() | st.integers(0, 20),
    generation=st.integers(0, 2),
    exempt=st.just(False) | st.booleans(),
    v6=st.booleans(),
    place=st.none() | st.integers(0, 5),
    browser=st.integers(0, 5),
    worked=st.booleans(),
    issued_us=st.sampled_from([0, T0, T0 + MINUTE, T0 + DAY]),
    tries=st.booleans(),
)
steps = st.sampled_from(
    [
        0,
        1,
        999,
        SECOND,
        3 * SECOND,
        31 * SECOND,
        MINUTE,
        7 * MINUTE,
        29 * MINUTE,
        HOUR,
        5 * HOUR,
        DAY,
        3 * DAY,
        91 * DAY,
    ]
)


class Ledgers(RuleBasedStateMachine):
    """Four ledgers with one history."""

    server: RedisServer
    charged = Bundle("charged")

    def __init__(self) -> None:
        super().__init__()
        self.server.cli("FLUSHALL")
        self.now_us = T0
        self.book: dict[bytes, Record] = {}
        self.memory = MemoryLedger(LIMITS, entries_max=10_000, clock_us=lambda: self.now_us)
        self.lua = LuaLedger(self.server, LIMITS)
        self.parted = PartedLedger(LuaLedger(self.server, LIMITS, db=1))
        self.places: dict[bytes, bytes] = {}

    def teardown(self) -> None:
        self.lua.close()
        self.parted.lua.close()

    @rule(target=charged, batch=st.lists(attempts, min_size=1, max_size=40))
    def attempt(self, batch: list[Charge]) -> Any:
        expected = [ledger.apply(self.book, each, LIMITS, self.now_us) for each in batch]
        assert expected == [self.memory.charge_now(each) for each in batch]
        assert expected == self.lua.run(self.now_us, [(each, pack_charge(each)) for each in batch])
        assert expected == [self.parted.charge(self.now_us, each) for each in batch]
        for each in batch:
            self.places |= places(each)
        return multiple(*zip(batch, expected, strict=True))

    @rule(target=charged, one=attempts, times=st.integers(5, 30))
    def repeat(self, one: Charge, times: int) -> Any:
        return self.attempt([one] * times)

    @rule(
        done=st.lists(consumes(charged), min_size=1, max_size=10),
        effects=st.lists(st.sampled_from(EFFECTS), unique=True),
    )
    def succeed(self, done: list[tuple[Charge, Verdict]], effects: list[int]) -> None:
        flags = sum(effects)
        for each, verdict in done:
            ledger.undo(self.book, each, verdict, LIMITS, self.now_us, flags)
            self.memory.settle(each, verdict, flags)
            self.parted.settle(self.now_us, each, verdict, flags)
        settlements = [(each, pack_settlement(each, verdict, flags)) for each, verdict in done]
        self.lua.run(self.now_us, settlements)

    @rule(done=st.lists(consumes(charged), min_size=1, max_size=10))
    def end_without_success(self, done: list[tuple[Charge, Verdict]]) -> None:
        for each, verdict in done:
            ledger.fail(self.book, each, verdict, LIMITS, self.now_us)
            self.memory.fail(each, verdict)
            self.parted.fail(self.now_us, each, verdict)
            if families := failed_families(verdict):
                operation = (KEYS.of_families(each, families), pack_failure(each, verdict))
                assert self.lua.call(self.now_us, [operation]) == b""

    @rule(done=st.lists(consumes(charged), min_size=1, max_size=10))
    def give_back(self, done: list[tuple[Charge, Verdict]]) -> None:
        for each, verdict in done:
            kept = verdict._replace(tagged=0)
            ledger.undo(self.book, each, kept, LIMITS, self.now_us)
            self.memory.settle(each, kept)
            self.parted.settle(self.now_us, each, kept)
            self.lua.run(self.now_us, [(each, pack_settlement(each, kept))])

    @rule(step=steps)
    def wait(self, step: int) -> None:
        self.now_us += step

    @invariant()
    def every_key_expires(self) -> None:
        assert all(left_ms > 0 for lua in (self.lua, self.parted.lua) for left_ms in lua.lives_ms())

    @invariant()
    def records_are_the_same(self) -> None:
        if self.places:
            expected = [at_rest(self.book.get(key, FRESH), self.now_us) for key in self.places.values()]
            for lua in (self.lua, self.parted.lua):
                assert expected == [at_rest(record, self.now_us) for record in lua.records(self.places)]


def at_rest(record: Record, now_us: int) -> Record:
    """The record without expired parts: written or not, it reads the same."""
    if expires_us(record, now_us) <= now_us:
        return FRESH
    record = current(record, now_us)
    tats = tuple(max(tat, now_us) for tat in record.tats) if any(tat > now_us for tat in record.tats) else ()
    # The last charge matters only if it could make another younger or keep it longer.
    at_us = record.at_us if tats or record.failures or record.tried.size else 0
    return record._replace(tats=tats, at_us=at_us)


@pytest.fixture
def _server(redis_server: RedisServer) -> None:
    Ledgers.server = redis_server


@pytest.mark.usefixtures("_server")
class TestLedgers(Ledgers.TestCase):  # type: ignore[misc, valid-type] # Hypothesis builds it at run time
    """The script, memory and the reference give the same verdicts for the same history."""

    settings = settings(max_examples=40, stateful_step_count=30, deadline=None, report_multiple_bugs=False)
