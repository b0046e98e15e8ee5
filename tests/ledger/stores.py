"""The stores under one contract, each with a clock that only the test moves."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import redis

from sekisho.ledger.history import DeviceBucket
from sekisho.ledger.key_groups import ANSWER_BYTES, Families, GroupAnswer, unpack_answer
from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.opening import ledger_on, open_line
from sekisho.ledger.records import FRESH, Record, account_key, credit_key, network_keys, secret_key
from sekisho.ledger.redis import VERDICT, Keys, ledger_script, pack_limits, unpack_verdict
from sekisho.ledger.tags import TAG_BYTES, Tags
from sekisho.model import Charge, Ledger, Limit, LimitSet, Verdict
from sekisho.store import Script
from sekisho.store.cluster import ClusterLine
from tests.ledger.charges import HOUR, T0, charge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from sekisho.ledger.key_groups import Part
    from sekisho.store import AnyStoreConnection
    from tests.servers import RedisServer
    from tests.servers import Store as Server

MANY = (Limit(1_000_000, HOUR),)
WIDE = LimitSet(ip=MANY, networks=(MANY, MANY), device=MANY, account=MANY, known_device=MANY)
PATIENT_US = 20_000_000  # these tests are about counting: a slow machine's deadlines must not matter


def only(**limits: tuple[Limit, ...] | tuple[tuple[Limit, ...], ...]) -> LimitSet:
    """No limit trips except the named ones."""
    return replace(WIDE, **limits)  # type: ignore[arg-type] # fields of two shapes


class Store(Protocol):
    """A store for counters. Each `ledger` is one worker's; all of them see the same counters."""

    now_us: int

    def ledger(self, limits: LimitSet) -> Ledger: ...

    async def move_to(self, now_us: int) -> None:
        """Move the clock after all queued operations ran at their own time."""
        ...

    async def records(self) -> int:
        """The number of records or keys."""
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

    async def records(self) -> int:
        return len(self._book)


class InRedis:
    """The ledger over real connections; the script is given the test's time."""

    def __init__(self, url: str, server: Server) -> None:
        self.now_us = T0
        self.lines: list[AnyStoreConnection] = []
        self._url = url
        self._server = server

    def ledger(self, limits: LimitSet) -> Ledger:
        line = open_line(self._url, limits, deadline_us=PATIENT_US, now_us=self.now_us)
        self.lines.append(line)
        return self._on(line, "t")

    def _on(self, line: AnyStoreConnection, namespace: str) -> Ledger:
        return ledger_on(line, self._url, namespace, deadline_us=PATIENT_US)

    async def move_to(self, now_us: int) -> None:
        await self.finish()
        self.now_us = now_us
        for line in self.lines:
            script = line._options.script if isinstance(line, ClusterLine) else line._script
            script.leading = (script.leading[0], b"%d" % now_us)

    async def records(self) -> int:
        await self.finish()
        return sum(self._server.each("DBSIZE"))

    async def finish(self) -> None:
        """Wait until all queued operations ran: a question is answered after all earlier settlements."""
        everywhere = [charge(number, number, network=number) for number in range(12)]  # at every node of a Cluster
        for line in self.lines:
            await ask(self._on(line, "elsewhere"), everywhere)

    async def aclose(self) -> None:
        for line in self.lines:
            await line.aclose()


@asynccontextmanager
async def in_redis(url: str, server: Server) -> AsyncIterator[InRedis]:
    store = InRedis(url, server)
    try:
        yield store
    finally:
        await store.aclose()


SPARE_MS = 600_000
"""The script extends records' lives by this much: the test's clock stands still while Redis's runs on."""

KEYS = Keys("t")


FIELD_BYTES = 8


def in_bucket(place: bytes) -> tuple[bytes, bytes]:
    """The bucket and field of an account without its own key."""
    return place[:-FIELD_BYTES], place[-FIELD_BYTES:]


def places(each: Charge) -> dict[bytes, bytes]:
    """Redis's places for the reference's keys. An account's own key is listed whether used or not."""
    found = dict(zip(KEYS.network(each), network_keys(each), strict=True))
    if each.place:
        address = KEYS.network(each)[-2]
        found[address[:-9] + b"c" + address[-8:]] = credit_key(each)
    if each.account:
        found[KEYS.account(each)] = account_key(each)
    if each.secret:
        found[KEYS.secret(each)] = secret_key(each)
    return found


def unpack_record(value: bytes) -> Record:
    """Reads a record by the layout in docs/design.md, independently of the script."""
    at = 0

    def number(size: int) -> int:
        nonlocal at
        at += size
        return int.from_bytes(value[at - size : at], "little")

    def text(size: int) -> bytes:
        nonlocal at
        at += size
        return value[at - size : at]

    version, tats, at_us, generation, young, old = (number(size) for size in (1, 1, 7, 4, 1, 1))
    failures, tried, tried_old, buckets, bucket_tats = (number(size) if version == 2 else 0 for size in (2, 1, 1, 1, 1))
    record = Record(
        tats=tuple(number(7) for _ in range(tats)),
        at_us=at_us,
        seen=Tags(generation, text(young * TAG_BYTES), text(old * TAG_BYTES)),
        failures=failures,
        tried=Tags(generation, text(tried * TAG_BYTES), text(tried_old * TAG_BYTES)),
        buckets=tuple(
            DeviceBucket(text(8), number(4), number(7), tuple(number(7) for _ in range(bucket_tats)))
            for _ in range(buckets)
        ),
    )
    assert at == len(value)
    return record


class LuaLedger:
    """The script in a real Redis, as a library, called synchronously with the test's time."""

    def __init__(self, server: RedisServer, limits: LimitSet, *, db: int = 0) -> None:
        self._client = redis.Redis(unix_socket_path=str(server.socket_path), db=db)
        script = ledger_script(limits)
        self._limits = pack_limits(limits)
        source = script.source.decode()
        for life in ("ceil((last - now) / 1000)", "ceil((last + server_ahead) / 1000)"):
            assert source.count(life) == 1
            source = source.replace(life, f"{life} + {SPARE_MS}")
        script = Script(source, (), VERDICT.size)
        self._how = script.by_name
        server.load_library(script.library)

    def limit(self, limits: LimitSet) -> None:
        """Count by these limits from now on."""
        self._limits = pack_limits(limits)

    def start_anew(self) -> None:
        self._client.flushall()

    def run(self, now_us: int, operations: list[tuple[Charge, bytes]]) -> list[Verdict]:
        packed = self.call(now_us, [(KEYS.of_families(each, argument[2]), argument) for each, argument in operations])
        return [unpack_verdict(packed[at : at + VERDICT.size]) for at in range(0, len(packed), VERDICT.size)]

    def call(
        self, now_us: int, operations: Sequence[tuple[list[bytes], bytes]], *, limits: bytes | None = None
    ) -> bytes:
        keys = [key for each, _ in operations for key in each]
        arguments = [limits or self._limits, now_us, *(argument for _, argument in operations)]
        command = (*self._how, len(keys), *keys, *arguments)
        packed: bytes = self._client.execute_command(*command)  # type: ignore[no-untyped-call]
        return packed

    def records(self, places: Iterable[bytes]) -> list[Record]:
        """The records in these places, in the reference's form."""
        return [unpack_record(value) if value else FRESH for value in self.values(places)]

    def values(self, places: Iterable[bytes]) -> list[bytes]:
        """The packed records; empty where there is none."""
        pipe = self._client.pipeline(transaction=False)
        for place in places:
            pipe.get(place)
            pipe.hget(*in_bucket(place))
        found = [value or b"" for value in pipe.execute()]
        pairs = list(zip(found[::2], found[1::2], strict=True))
        assert not any(own and bucketed for own, bucketed in pairs)
        return [own or bucketed for own, bucketed in pairs]

    def plant(self, place: bytes, value: bytes, life_ms: int | None = None) -> None:
        """Write any bytes in place of a record."""
        bucket, field = in_bucket(place)
        if self._client.hexists(bucket, field):
            self._client.hset(bucket, field, value)
            if life_ms:
                self._client.pexpire(bucket, life_ms)
        else:
            self._client.set(place, value, px=life_ms)

    def lives_ms(self) -> list[int]:
        pipe = self._client.pipeline(transaction=False)
        for key in self._client.scan_iter():
            pipe.pttl(key)
        return pipe.execute()

    def close(self) -> None:
        self._client.close()


class PartedLedger:
    """The same script called family by family, as on a Cluster."""

    def __init__(self, lua: LuaLedger) -> None:
        self.lua = lua
        self._families = Families("t")

    def charge(self, now_us: int, charge: Charge) -> Verdict:
        answers: dict[int, GroupAnswer] = {}
        self.ask(now_us, self._families.first(charge), answers)
        self.ask(now_us, self._families.rest(charge, answers), answers)
        verdict, compensations = self._families.combine(charge, answers)
        self.tell_each(now_us, compensations)
        return verdict

    def settle(self, now_us: int, charge: Charge, verdict: Verdict, effects: int = 0) -> None:
        parts = self._families.settlements(charge, verdict, effects)
        self.tell_each(now_us, parts)

    def fail(self, now_us: int, charge: Charge, verdict: Verdict) -> None:
        self.tell_each(now_us, self._families.failures(charge, verdict))

    def tell_each(self, now_us: int, parts: list[Part]) -> None:
        for part in parts:
            self.tell(now_us, [part])

    def ask(self, now_us: int, parts: list[Part], answers: dict[int, GroupAnswer]) -> None:
        if parts:
            packed = self.lua.call(now_us, [(part.keys, part.operation) for part in parts])
            starts = range(0, len(packed), ANSWER_BYTES)
            for part, at in zip(parts, starts, strict=True):
                answers[part.family] = unpack_answer(packed[at : at + ANSWER_BYTES])

    def tell(self, now_us: int, parts: list[Part]) -> None:
        if parts:
            assert self.lua.call(now_us, [(part.keys, part.operation) for part in parts]) == b""


async def ask(ledger: Ledger, charges: Iterable[Charge]) -> list[Verdict]:
    """Ask all in one turn of the loop: in Redis they share a batch."""
    return list(await asyncio.gather(*[ledger.charge(each) for each in charges]))


def let_in(verdicts: Iterable[Verdict]) -> int:
    """How many attempts no counter refuses."""
    return sum(not verdict.throttle_wait_us and not verdict.account_wait_us for verdict in verdicts)
