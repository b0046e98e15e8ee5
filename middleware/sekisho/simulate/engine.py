"""Send the tries when they are due, over a fixed number of connections, and count the answers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple

from sekisho.simulate.client import Client, HttpAnswer, Unanswered, login_request
from sekisho.simulate.owner import NONE, persist
from sekisho.simulate.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sekisho.simulate.generator import Try
    from sekisho.simulate.phones import Phones

DEVICE_COOKIE = "__Host-sekisho"
LOOK_EVERY_SECONDS = 0.25


class Jar:
    """The cookies of owners' browsers: a log-in's device cookie is stored and sent again, for known devices only."""

    def __init__(self) -> None:
        self._cookies: dict[int, str] = {}

    def cookie(self, attempt: Try) -> str:
        return self._cookies.get(attempt.owner, "") if attempt.known_device else ""

    def keep(self, attempt: Try, answer: HttpAnswer) -> None:
        # The session has ended by the next log-in; the device cookie outlives it.
        kept = {name: value for name, value in answer.cookies().items() if name == DEVICE_COOKIE and value}
        if attempt.known_device and kept:
            self._cookies[attempt.owner] = "; ".join(f"{name}={value}" for name, value in kept.items())


class Stream(NamedTuple):
    """Tries in order of time, and the number of concurrent connections for them.

    Attackers and owners have separate streams, so that waiting attackers do not delay owners, nor the reverse.
    """

    tries: Iterator[Try]
    connections: int


async def replay(
    streams: Sequence[Stream],
    port: int,
    *,
    jar: Jar,
    phones: Phones | None = None,
    seconds_max: float = float("inf"),
    look: Callable[[Tally, float], None] = lambda _tally, _seconds: None,
) -> tuple[Tally, float]:
    """Send all streams at once, no try before its time; return the counts and the seconds that the sending took.

    `phones` are the owners' authenticator apps: with them, owners complete work and step-ups.

    Each free connection takes the next try of its stream, so nothing is queued here. No try begins after
    `seconds_max`, so a slow machine shortens a run. `look` is called four times a second with the tally so far and the
    seconds since the start.
    """
    run = _Run(port, jar, phones, seconds_max)
    looking = asyncio.create_task(_look(run, look))
    try:
        async with asyncio.TaskGroup() as group:
            for stream in streams:
                for _ in range(stream.connections):
                    group.create_task(run.connection(stream.tries))
    finally:
        looking.cancel()
    return run.tally, run.seconds()


async def _look(run: _Run, look: Callable[[Tally, float], None]) -> None:
    while True:
        look(run.tally, run.seconds())
        await asyncio.sleep(LOOK_EVERY_SECONDS)


class _Run:
    def __init__(self, port: int, jar: Jar, phones: Phones | None, seconds_max: float) -> None:
        self.tally = Tally()
        self._port = port
        self._jar = jar
        self._phones = phones
        self._seconds_max = seconds_max
        self._began = time.perf_counter()

    def seconds(self) -> float:
        return time.perf_counter() - self._began

    async def connection(self, tries: Iterator[Try]) -> None:
        async with Client(self._port) as client:
            for attempt in tries:
                if self.seconds() > self._seconds_max:
                    return
                if (early := attempt.at_us / 1e6 - self.seconds()) > 0:
                    await asyncio.sleep(early)
                await self._send(client, attempt)

    async def _send(self, client: Client, attempt: Try) -> None:
        cookie, steps = self._jar.cookie(attempt), NONE
        request = login_request(attempt, cookie=cookie)
        began = time.perf_counter()
        try:
            answer: HttpAnswer | None = await client.send(request)
            if answer and self._phones and attempt.honest and attempt.right:
                answer, steps = await persist(client, attempt, answer, self._phones, cookie=cookie)
        except Unanswered:
            answer = None
        self.tally.add(attempt, answer, (time.perf_counter() - began) * 1e6, steps)
        if answer is not None and attempt.honest:
            self._jar.keep(attempt, answer)
