"""One cell: a service, a flood, and those who are to be let in beside it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from functools import partial
from typing import Any, NamedTuple

from benchmarks.measure import LOAD_CORE, Server, status_bytes
from benchmarks.open_loop import percentile
from benchmarks.overload import owners
from tests.servers import RedisServer, free_port

State = dict[str, Any]

KNOWN_RATE, STRANGERS_RATE = 5.0, 1.0
LEAD_IN_S = 3.0  # the flood alone, before anybody is counted


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        flood: what floods; empty for none.
        rate: attempts a second; of *slow bodies* and *idle connections* how many times as many.
        app: how the service checks passwords, see `app`.
        factors: strangers are asked for a second proof.
    """

    name: str
    flood: str = ""
    rate: float = 0.0
    app: str = "passwords"
    factors: bool = False


class Cell(NamedTuple):
    """What one row came to.

    Attributes:
        known, known_in: log-ins of known devices, and how many were let in.
        p50_ms, p99_ms: of known devices, from the instant at which each was due.
        honest, honest_in: strangers with a right password who do what they are asked for, in three tries.
        honest_p50_ms: of those who were let in.
        sent_a_second, statuses: of the flood.
        reached_a_second: attempts that came to the application, those of owners included.
        lag_p99_ms, lag_max_ms: how late the event loop was.
        rss_mib: of the server, at most.
        redis_mib: what Redis used in the end.
    """

    row: str
    known: int
    known_in: int
    p50_ms: float
    p99_ms: float
    honest: int
    honest_in: int
    honest_p50_ms: float
    sent_a_second: float
    statuses: dict[str, int]
    refusals: dict[str, int]
    reached_a_second: float
    lag_p99_ms: float
    lag_max_ms: float
    rss_mib: float
    redis_mib: float
    tasks: int
    files: int


def measured(row: Row, known: int) -> Cell:
    """One service, started for this cell alone, with a Redis of its own."""
    os.sched_setaffinity(0, {LOAD_CORE})  # the flood, Redis and those who measure; the server has the other core
    with RedisServer() as redis:
        environment = {"BENCH_STORE": redis.url, "BENCH_APP": row.app}
        if row.factors:
            environment["BENCH_FACTORS"] = "1"
        with Server("benchmarks.overload.app:app", free_port(), environment) as server:
            server.wait_until_up(partial(state, server))
            return _besideflooded(row, known, server, redis)


def _besideflooded(row: Row, known: int, server: Server, redis: RedisServer) -> Cell:
    flood = flooded(server.port, row.flood, row.rate) if row.flood else None
    try:
        time.sleep(LEAD_IN_S)
        begun = time.monotonic()
        came, strangers, before, after = asyncio.run(_owners(server.port, known))
        owners.forget_connections()  # they belonged to that event loop
        seconds = time.monotonic() - begun
    finally:
        sent = ended(flood) if flood else {}
    return Cell(
        row=row.name,
        known=len(came),
        known_in=sum(one.is_in for one in came),
        p50_ms=_percentile([one.ms for one in came], 0.5),
        p99_ms=_percentile([one.ms for one in came], 0.99),
        honest=len(strangers),
        honest_in=sum(one.is_in for one in strangers),
        honest_p50_ms=_percentile([one.ms for one in strangers if one.is_in], 0.5),
        sent_a_second=sent.get("per_second", 0.0),
        statuses=sent.get("statuses", {}),
        refusals=dict(Counter(one.said[:40] for one in came if not one.is_in)),
        reached_a_second=(after["reached"] - before["reached"]) / seconds,
        lag_p99_ms=after["lag_p99_ms"],
        lag_max_ms=after["lag_max_ms"],
        rss_mib=status_bytes(server.pid, "VmHWM") / 2**20,
        redis_mib=int(redis.cli("INFO", "memory")["used_memory"]) / 2**20,
        tasks=after["tasks"],
        files=after["files"],
    )


async def _owners(port: int, known: int) -> tuple[list[owners.Came], list[owners.Came], State, State]:
    """Known devices, honest strangers, and what the service said of itself before and after them."""
    honest = max(1, int(known / KNOWN_RATE * STRANGERS_RATE))
    before = await owners.state(port)
    came, strangers = await asyncio.gather(
        owners.known(port, KNOWN_RATE, known, 0), owners.strangers(port, STRANGERS_RATE, honest, 0)
    )
    return came, strangers, before, await owners.state(port)


def _percentile(values: list[float], share: float) -> float:
    return percentile(sorted(values), share) if values else 0.0


def flooded(port: int, kind: str, rate: float) -> subprocess.Popen[str]:
    """The process of a flood, see `flood`."""
    command = [sys.executable, "-m", "benchmarks.overload.flood", str(port), kind, str(rate)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ended(flood: subprocess.Popen[str]) -> dict[str, Any]:
    """It ends when its input does."""
    output, _ = flood.communicate(timeout=60)
    found: dict[str, Any] = json.loads(output)
    return found


def state(server: Server) -> dict[str, Any]:
    with urllib.request.urlopen(f"{server.url}/state", timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
        return found
