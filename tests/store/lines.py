"""A line to Redis with its own script, which counts each operation and echoes the question."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from sekisho.model import StoreUnavailable
from sekisho.store import Script, StoreConnection, open_to
from sekisho.store.batch import packed_keys
from sekisho.store.options import LineOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.servers import RedisServer

DEADLINE_US = 150_000
SLACK_S = 5.0  # a shared machine: to be told apart from a connection's own patience of 59 s

ECHO = """
local asked = {}
for i, operation in ipairs(ARGV) do
  redis.call('INCR', KEYS[i])
  redis.call('EXPIRE', KEYS[i], 600)
  if string.sub(operation, 1, 1) == '?' then asked[#asked + 1] = operation end
end
return table.concat(asked)
"""
COUNTED = (b"counted",)


class Watched:
    """A line with an event for each change of its state."""

    def __init__(self, url: str, *, script: str = ECHO, deadline_us: int = DEADLINE_US) -> None:
        self.turns: list[bool] = []
        self.up, self.down = asyncio.Event(), asyncio.Event()
        line = open_to(url, LineOptions(Script(script, (), 8), deadline_us, self._turn))
        self.line = cast("StoreConnection", line)  # a Cluster's lines are used like any other

    def _turn(self, answers: bool) -> None:
        self.turns.append(answers)
        gone, come = (self.down, self.up) if answers else (self.up, self.down)
        gone.clear()
        come.set()

    def ask(self, number: int = 0, keys: tuple[bytes, ...] = COUNTED) -> asyncio.Future[bytes]:
        return self.line.ask(packed_keys(keys), question(number))

    def tell(self, number: int = 0, keys: tuple[bytes, ...] = COUNTED) -> None:
        self.line.tell(packed_keys(keys), b"!%07d" % number)

    async def written(self) -> None:
        """Wait until all questions so far have been written."""
        await until(lambda: not self.line._intake.queue)

    async def fails(self) -> float:
        """The seconds until a question is told that the store is gone."""
        start = asyncio.get_running_loop().time()
        try:
            await asyncio.wait_for(self.ask(), 10)
        except StoreUnavailable:
            return asyncio.get_running_loop().time() - start
        raise AssertionError("it was answered")

    async def recovers(self) -> None:
        """Wait until the line answers again, if it recovers by itself."""
        async with asyncio.timeout(10):
            await self.up.wait()
        await self.is_answered()

    async def is_answered(self, key: bytes = b"probe", *, answered: bool = True) -> None:
        """Wait until questions at this key are answered, or refused."""
        async with asyncio.timeout(60):
            while await self._is_answered(key) is not answered:  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0)

    async def _is_answered(self, key: bytes) -> bool:
        try:
            await self.ask(9_999_999, (key,))
        except StoreUnavailable:
            return False
        return True


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until the condition holds, for states without an event."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0)


def question(number: int) -> bytes:
    return b"?%07d" % number


@asynccontextmanager
async def watched(url: str, **more: Any) -> AsyncIterator[Watched]:
    """A connected line whose script Redis has loaded; closed at the end."""
    found = Watched(url, **more)
    try:
        await found.recovers()
        yield found
    finally:
        await found.line.aclose()


def counted(server: RedisServer, key: bytes = b"counted") -> int:
    """The number of operations done, whether their answers arrived or not."""
    return int(server.cli("GET", key) or 0)


def calls(server: RedisServer) -> int:
    """The number of batches since the statistics were reset."""
    return sum(calls_by(server).values())


def calls_by(server: RedisServer) -> dict[str, int]:
    """The same per command."""
    stats = server.cli("INFO", "commandstats")
    named = {name: stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("fcall", "evalsha", "eval")}
    return {name: count for name, count in named.items() if count}
