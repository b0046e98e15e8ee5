"""One flood for minutes: memory, file handles and tasks of the server, looked at again and again."""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial
from typing import NamedTuple

from rich.console import Console

from benchmarks.measure import LOAD_CORE, Server, status_bytes
from benchmarks.overload import owners
from benchmarks.overload.cells import Row, ended, flooded, state
from tests.servers import RedisServer, free_port

FLOOD = Row("fresh addresses 150/s", "fresh addresses", 150)
LOOK_S = 15.0
WARM_LOOKS = 4
"""Samples before the first that counts: records that are kept for a while must exist once."""

GREW_MIB_MAX, GREW_FILES_MAX, GREW_TASKS_MAX = 24.0, 64, 64


class Look(NamedTuple):
    rss_mib: float
    files: int
    tasks: int


def grew(looks: list[Look]) -> str:
    """The figures whose largest value grew from the first third of the samples to the last; empty if none did."""
    third = max(1, len(looks) // 3)
    first, last = looks[:third], looks[-third:]
    most = {"rss_mib": GREW_MIB_MAX, "files": GREW_FILES_MAX, "tasks": GREW_TASKS_MAX}
    found = {name: max(getattr(one, name) for one in last) - max(getattr(one, name) for one in first) for name in most}
    return ", ".join(f"{name} by {found[name]:.0f}" for name in most if found[name] > most[name])


def ran(minutes: float) -> bool:
    """Whether nothing grew, and every known device was let in."""
    os.sched_setaffinity(0, {LOAD_CORE})
    console, looks, known, known_in = Console(), [], 0, 0
    until = time.monotonic() + 60 * minutes
    with RedisServer() as redis, _server(redis) as server:
        server.wait_until_up(partial(state, server))
        flood = flooded(server.port, FLOOD.flood, FLOOD.rate)
        while time.monotonic() < until:
            came = asyncio.run(owners.known(server.port, 5.0, int(5 * LOOK_S), known))
            owners.forget_connections()  # they belonged to that event loop
            known, known_in = known + len(came), known_in + sum(one.is_in for one in came)
            looks.append(_look(server))
            console.print(f"{looks[-1]}, known devices: {known_in} of {known}")
        ended(flood)
    counted = looks[WARM_LOOKS:] or looks
    problem = grew(counted) or ("" if known_in >= 0.99 * known else f"{known - known_in} of {known} were not let in")
    console.print(f"grew: {problem}" if problem else "flat")
    return not problem


def _server(redis: RedisServer) -> Server:
    return Server("benchmarks.overload.app:app", free_port(), {"BENCH_STORE": redis.url})


def _look(server: Server) -> Look:
    found = state(server)
    return Look(status_bytes(server.pid, "VmRSS") / 2**20, found["files"], found["tasks"])
