"""A fetch from a server of the range API, on a clock that moves only when a task sleeps."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sekisho.corpus.fetch import FetchReport, Surroundings, fetch
from tests.breach.range_app import (
    RangeApp,
    Reply,
    range_service,
    trusting,
)
from tests.breach.ranges import Ranges, prefix
from tests.store.proxy import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path


ROWS = 40
NOW = 1_700_000_000.0


class Time:
    """A clock that advances only when a task sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.naps: list[float] = []

    @property
    def surroundings(self) -> Surroundings:
        return Surroundings(self.now, self.clock, self.sleep, lambda: 0.5)

    def now(self) -> float:
        return NOW + self.seconds

    def clock(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        end = self.seconds + seconds
        await asyncio.sleep(0)
        self.seconds = max(self.seconds, end)


class StoppedTime(Time):
    """A clock that advances when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self._moved = asyncio.Condition()

    async def sleep(self, seconds: float) -> None:
        end = self.seconds + seconds
        async with self._moved:
            self.naps.append(seconds)
            self._moved.notify_all()
            await self._moved.wait_for(lambda: self.seconds >= end)

    async def asleep(self, sleepers: int) -> None:
        """Wait until so many tasks sleep."""
        async with self._moved:
            await self._moved.wait_for(lambda: len(self.naps) >= sleepers)

    async def go_to(self, seconds: float) -> None:
        async with self._moved:
            self.seconds = seconds
            self._moved.notify_all()


class Wire(Server):
    """A proxy before a service, whose first connection may fall silent after so many bytes to the client."""

    def __init__(self, url: str, silent_after_bytes: int | None = None) -> None:
        super().__init__()
        self._port = urlsplit(url).port
        self._there = url
        self._silent_after_bytes = silent_after_bytes

    @property
    def service(self) -> str:
        """The service's URL through this proxy."""
        return self._there.replace(str(self._port), str(urlsplit(self.url).port))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self._silent_after_bytes if self.connections == 1 else None
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        sending = asyncio.ensure_future(self._carry(reader, there_writer, None))
        try:
            await self._carry(there_reader, writer, left)
        finally:
            sending.cancel()
            there_writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None) -> None:
        while data := await reader.read(4096):
            if left is not None and (left := left - len(data)) < 0:
                await asyncio.Event().wait()
            writer.write(data)
            await writer.drain()


class Told:
    """The reported progress."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None, str]] = []
        self.steps: list[int] = []

    def begin(self, stage: str, total: int | None, unit: str) -> None:
        self.stages.append((stage, total, unit))

    def advance(self, amount: int) -> None:
        self.steps.append(amount)


def names(amount: int) -> list[str]:
    return [prefix(number) for number in range(amount)]


def landed(folder: Path) -> dict[str, bytes]:
    """The text of each range that has a file."""
    return {path.stem: gzip.decompress(path.read_bytes()) for path in folder.glob("*.gz")}


def stats(folder: Path) -> list[tuple[str, int, int]]:
    """Name, size and modification time (ns) of each range's file."""
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.glob("*.gz*"))]


def served(ranges: Ranges, wanted: Iterable[str]) -> dict[str, bytes]:
    """The text of each range as the service means it."""
    return {name: ranges.body(name) for name in wanted}


async def get(folder: Path, url: str, wanted: Iterable[str], *, time: Time | None = None, **how: Any) -> FetchReport:
    surroundings = (time or Time()).surroundings
    return await fetch(folder, url=url, prefixes=wanted, tls=trusting(), surroundings=surroundings, **how)


@asynccontextmanager
async def a_service(app: RangeApp | None = None, *, secure: bool = False) -> AsyncIterator[tuple[RangeApp, str]]:
    serving = app or RangeApp(Ranges(rows=ROWS))
    async with range_service(serving, secure=secure) as url:
        yield serving, url


async def as_it_is(reply: Reply) -> Reply:
    return reply
