"""The stores that one contract is held against, each with a clock that only the test moves."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import redis

from sekisho.model import Charge, Ledger, Limit, LimitSet, Verdict
from sekisho.observe.limiter.memory import MemoryLedger
from sekisho.observe.limiter.redis import VERDICT, Keys, RedisLedger, ledger_script, pack_limits, unpack_verdict
from sekisho.store import Line
from tests.limiter.charges import HOUR, T0, charge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from tests.servers import RedisServer

MANY = (Limit(1_000_000, HOUR),)
WIDE = LimitSet(ip=MANY, networks=(MANY, MANY), device=MANY, account=MANY, lane=MANY)
PATIENT_US = 5_000_000  # these tests are about counting: a slow machine must not make them about deadlines


def only(**limits: tuple[Limit, ...] | tuple[tuple[Limit, ...], ...]) -> LimitSet:
    """Everything has room but what is named."""
    return replace(WIDE, **limits)  # type: ignore[arg-type] # fields of two shapes


class Store(Protocol):
    """Somewhere to count. Each `ledger` is one worker's; all of them see the same counts."""

    now_us: int

    def ledger(self, limits: LimitSet) -> Ledger: ...

    async def move_to(self, now_us: int) -> None:
        """Move the clock, once all that was queued has been done at its own time."""
        ...


class InMemory:
    def __init__(self) -> None:
        self.now_us = T0
        self._book = MemoryLedger(WIDE, entries_max=100_000, clock_us=lambda: 0).book

    def ledger(self, limits: LimitSet) -> MemoryLedger:
        ledger = MemoryLedger(limits, entries_max=0, clock_us=lambda: self.now_us)
        ledger.book = self._book
        return ledger

    async def move_to(self, now_us: int) -> None:
        self.now_us = now_us


class InRedis:
    """`RedisLedger` over real connections; the script is told the time that the test says."""

    def __init__(self, url: str) -> None:
        self.now_us = T0
        self.lines: list[Line] = []
        self._url = url

    def ledger(self, limits: LimitSet) -> RedisLedger:
        line = Line(self._url, ledger_script(limits, now_us=self.now_us), deadline_us=PATIENT_US)
        self.lines.append(line)
        return RedisLedger(line, "t")

    async def move_to(self, now_us: int) -> None:
        await self.finish()
        self.now_us = now_us
        for line in self.lines:
            line._script.leading = (line._script.leading[0], b"%d" % now_us)

    async def finish(self) -> None:
        """Until everything queued has been done: an answered question stands behind all that was told before it."""
        for line in self.lines:
            await RedisLedger(line, "elsewhere").charge(charge())

    async def aclose(self) -> None:
        for line in self.lines:
            await line.aclose()


@asynccontextmanager
async def in_redis(url: str) -> AsyncIterator[InRedis]:
    store = InRedis(url)
    try:
        yield store
    finally:
        await store.aclose()


SPARE_MS = 600_000
"""The script lets records live this much longer here: the test's clock stands still while Redis's runs on."""

KEYS = Keys("t")


class LuaLedger:
    """The script in a real Redis, called synchronously and at a time of the test's choosing."""

    def __init__(self, server: RedisServer, limits: LimitSet) -> None:
        self._client = redis.Redis(unix_socket_path=str(server.socket_path))
        script = ledger_script(limits)
        self._limits = pack_limits(limits)
        life = "ceil((last - now) / 1000)"
        assert script.source.decode().count(life) == 1
        self._script = self._client.register_script(script.source.decode().replace(life, f"{life} + {SPARE_MS}"))

    def limit(self, limits: LimitSet) -> None:
        """From now on, count by these."""
        self._limits = pack_limits(limits)

    def start_anew(self) -> None:
        self._client.flushall()

    def run(self, now_us: int, operations: list[tuple[Charge, bytes]]) -> list[Verdict]:
        keys = [key for each, _ in operations for key in KEYS.of(each)]
        arguments: list[bytes | int] = [self._limits, now_us, *(argument for _, argument in operations)]
        packed: bytes = self._script(keys=keys, args=arguments)
        return [unpack_verdict(packed[at : at + VERDICT.size]) for at in range(0, len(packed), VERDICT.size)]

    def lives_ms(self) -> list[int]:
        pipe = self._client.pipeline(transaction=False)
        for key in self._client.scan_iter():
            pipe.pttl(key)
        return pipe.execute()

    def close(self) -> None:
        self._client.close()


async def ask(ledger: Ledger, charges: Iterable[Charge]) -> list[Verdict]:
    """All in one turn of the loop: in Redis they share a batch."""
    return list(await asyncio.gather(*[ledger.charge(each) for each in charges]))


def let_in(verdicts: Iterable[Verdict]) -> int:
    """How many no counter refuses."""
    return sum(not verdict.throttle_wait_us and not verdict.account_wait_us for verdict in verdicts)
