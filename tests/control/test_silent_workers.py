"""A worker that is silent for a while obeys and records, once it is back, all that operators did meanwhile."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sekisho.control import Act, ControlMac, ListEntry, StoredControl, change
from sekisho.control.record import posture_text
from sekisho.model import Mode, Posture
from sekisho.record import replay
from sekisho.store.opening import open_to
from sekisho.store.options import LineOptions
from sekisho.store.script import Script
from sekisho.testing import SECRET
from tests.acceptance.processes import SECRET as SERVED
from tests.acceptance.processes import served, service_at
from tests.asgi.driving import OPEN, Shop, guarded, log_in
from tests.control.test_workers import mode, stop
from tests.store.proxy import Proxy
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import Popen

    from sekisho.wiring import LoginGuard
    from tests.servers import RedisServer

FAR_S = 4_000_000_000
ACTS = 45
"""More than a record has room for, twice."""


async def done_meanwhile(url: str, secret: bytes) -> None:
    """What operators do: the mode, a posture, a network, and between them 42 acts that unblock an address."""
    line = open_to(url, LineOptions(Script("return ''", (), 1), deadline_us=5_000_000))
    place, mac = StoredControl(line, "sekisho"), ControlMac([secret], "sekisho")

    async def do(word: str, number: int, **changes: object) -> None:
        act = Act(0, 0, word, by="jane (uid 1000)", why=f"act {number}")
        await change(place, mac, lambda record: replace(record, **changes), time.time, act)  # type: ignore[arg-type]

    try:
        await do("mode", 0, mode=Mode.MONITOR)
        await do("posture", 1, posture=posture_text(Posture.ATTACK, FAR_S))
        await do("deny", 2, deny=(ListEntry("203.0.113.0/24", FAR_S),))
        for number in range(3, ACTS):
            await do("unblock", number)
    finally:
        await line.aclose()


def is_in(guard: LoginGuard, to: Mode) -> bool:
    return mode(guard) is to


def recorded(file: Path) -> list[str]:
    file.touch()  # the first event makes it
    with file.open("rb") as written:
        return [event.text for event in replay(written) if event.kind == "commanded"]


@contextmanager
def paused(process: Popen[str]) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


async def test_a_worker_that_was_paused_hears_of_all_acts(redis_url: str, tmp_path: Path) -> None:
    """A process that is stopped (a debugger, a snapshot of its machine) records each act once, in their order."""
    file = tmp_path / "events"
    with served(service_at, {"store": redis_url, "events_file": str(file)}) as (_, process):
        with paused(process):
            await done_meanwhile(redis_url, SERVED.encode())
        await until(lambda: len(recorded(file)) >= ACTS)

        assert recorded(file) == [f"act {number}" for number in range(ACTS)]


async def test_a_worker_that_was_cut_off_hears_of_all_acts(
    redis_server: RedisServer, redis_url: str, tmp_path: Path
) -> None:
    """A network that fails between a worker and Redis loses no act; mode, posture and lists are in force at once."""
    file = tmp_path / "events"
    async with Proxy(redis_server) as proxy:
        guard = guarded(Shop(), store=proxy.url, workers=1, events_file=str(file), **OPEN)
        await log_in(guard)
        proxy.refuse()
        await done_meanwhile(redis_url, SECRET)
        proxy.flow()
        await until(lambda: mode(guard) is Mode.MONITOR)
        assert guard._loops is not None
        applied = guard._loops.control.applied
        await stop(guard)

    assert (applied.posture, [str(network) for network in applied.deny]) == (Posture.ATTACK, ["203.0.113.0/24"])
    assert recorded(file) == [f"act {number}" for number in range(ACTS)]


async def test_acts_beside_the_record_that_are_forged_or_of_another_type_do_nothing(
    redis_server: RedisServer, redis_url: str, tmp_path: Path
) -> None:
    """An attacker with write access to the store adds no act, and keeps no worker from the record."""
    file = tmp_path / "events"
    key = "sekisho:{control}earlier"
    guard = guarded(Shop(), store=redis_url, workers=1, events_file=str(file), **OPEN)
    await log_in(guard)
    forged = ControlMac([b"guess" * 9], "sekisho").sign(b'{"v":1,"earlier":[{"number":1,"at_s":1,"word":"mode"}]}')
    for spoil in (("SET", key, forged.decode()), ("SET", key, "x" * 200_000), ("DEL", key), ("LPUSH", key, "x")):
        redis_server.cli(*spoil)
        line = open_to(redis_url, LineOptions(Script("return ''", (), 1), deadline_us=5_000_000))
        place, mac = StoredControl(line, "sekisho"), ControlMac([SECRET], "sekisho")
        to = Mode.ENFORCE if mode(guard) is Mode.MONITOR else Mode.MONITOR
        act = Act(0, 0, "mode", why=to.value)
        await change(place, mac, partial(replace, mode=to), time.time, act)
        await line.aclose()
        await until(partial(is_in, guard, to))
    await stop(guard)

    assert recorded(file) == ["monitor", "enforce", "monitor", "enforce"]
