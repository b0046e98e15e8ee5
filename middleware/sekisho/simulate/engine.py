"""Sends the tries when they are due, over as many connections as stated, and counts what comes back."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple

from sekisho.simulate.client import Answer, Client, Unanswered, login_request
from sekisho.simulate.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.simulate.generator import Try

CONNECTIONS = 48
LOOK_EVERY_SECONDS = 0.25


class Jar:
    """Owners' browsers: what a log-in sets is kept and sent again, for devices that are known and for no other."""

    def __init__(self) -> None:
        self._cookies: dict[int, str] = {}

    def cookie(self, attempt: Try) -> str:
        return self._cookies.get(attempt.owner, "") if attempt.known_device else ""

    def keep(self, attempt: Try, answer: Answer) -> None:
        # The session has ended by the next log-in; what makes a device known outlives it.
        kept = {name: value for name, value in answer.cookies().items() if name != "session" and value}
        if attempt.known_device and kept:
            self._cookies[attempt.owner] = "; ".join(f"{name}={value}" for name, value in kept.items())


class Pace(NamedTuple):
    """How a run is paced.

    Attributes:
        connections: tries under way at once, at most.
        seconds_max: no try is begun later than this; a slow machine cuts a run short rather than never ending it.
    """

    connections: int = CONNECTIONS
    seconds_max: float = float("inf")


async def replay(
    tries: Iterator[Try],
    port: int,
    *,
    jar: Jar,
    pace: Pace,
    look: Callable[[Tally, float], None] = lambda _tally, _seconds: None,
) -> tuple[Tally, float]:
    """Send `tries`, in order of time, none before it is due; returns the tally and the seconds it took.

    Each connection takes the next try when it is free, so at most `pace.connections` wait for an answer and nothing
    queues up in here. `look` is called four times a second with what there is so far and the seconds since the start.
    """
    run = _Run(tries, port, jar, pace)
    looking = asyncio.create_task(_look(run, look))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(pace.connections):
                group.create_task(run.connection())
    finally:
        looking.cancel()
    return run.tally, run.seconds()


async def _look(run: _Run, look: Callable[[Tally, float], None]) -> None:
    while True:
        look(run.tally, run.seconds())
        await asyncio.sleep(LOOK_EVERY_SECONDS)


class _Run:
    def __init__(self, tries: Iterator[Try], port: int, jar: Jar, pace: Pace) -> None:
        self.tally = Tally()
        self._tries = tries
        self._port = port
        self._jar = jar
        self._pace = pace
        self._began = time.perf_counter()

    def seconds(self) -> float:
        return time.perf_counter() - self._began

    async def connection(self) -> None:
        async with Client(self._port) as client:
            for attempt in self._tries:
                if self.seconds() > self._pace.seconds_max:
                    return
                if (early := attempt.at_us / 1e6 - self.seconds()) > 0:
                    await asyncio.sleep(early)
                await self._send(client, attempt)

    async def _send(self, client: Client, attempt: Try) -> None:
        request = login_request(attempt, cookie=self._jar.cookie(attempt))
        began = time.perf_counter()
        try:
            answer = await client.send(request)
        except Unanswered:
            answer = None
        self.tally.add(attempt, answer, (time.perf_counter() - began) * 1e6)
        if answer is not None and attempt.honest:
            self._jar.keep(attempt, answer)
