"""A line with a script of its own, that counts what is done and gives every caller back what it asked."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from sekisho.model import StoreUnavailable
from sekisho.store import Line, Script, open_to
from sekisho.store.options import LineOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.servers import RedisServer

DEADLINE_US = 150_000
SLACK_S = 5.0  # a shared machine: what is to be told apart is this from a connection's own patience of 59 s

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
    """A line, with an event for each turn of its fortunes."""

    def __init__(self, url: str, *, script: str = ECHO, deadline_us: int = DEADLINE_US) -> None:
        self.turns: list[bool] = []
        self.up, self.down = asyncio.Event(), asyncio.Event()
        line = open_to(url, LineOptions(Script(script, (), 8), deadline_us, self._turn))
        self.line = cast("Line", line)  # a Cluster's is used like any other

    def _turn(self, answers: bool) -> None:
        self.turns.append(answers)
        gone, come = (self.down, self.up) if answers else (self.up, self.down)
        gone.clear()
        come.set()

    def ask(self, number: int = 0, keys: tuple[bytes, ...] = COUNTED) -> asyncio.Future[bytes]:
        return self.line.ask(keys, question(number))

    def tell(self, number: int = 0, keys: tuple[bytes, ...] = COUNTED) -> None:
        self.line.tell(keys, b"!%07d" % number)

    async def written(self) -> None:
        """Until everything asked so far has left."""
        await until(lambda: not self.line._queue)

    async def fails(self) -> float:
        """Seconds until an ask is told that the store is gone."""
        start = asyncio.get_running_loop().time()
        try:
            await asyncio.wait_for(self.ask(), 10)
        except StoreUnavailable:
            return asyncio.get_running_loop().time() - start
        raise AssertionError("it was answered")

    async def recovers(self) -> None:
        """Until it is answered again, as it will be if it comes back by itself."""
        async with asyncio.timeout(10):
            await self.up.wait()
        await self.is_answered()

    async def is_answered(self, key: bytes = b"probe", *, answered: bool = True) -> None:
        """Until asks at this key are answered, or refused."""
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
    """Let the loop turn until it is so; for what no event tells of."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0)


def question(number: int) -> bytes:
    return b"?%07d" % number


@asynccontextmanager
async def watched(url: str, **more: Any) -> AsyncIterator[Watched]:
    """Connected, its script known to Redis, closed at the end."""
    found = Watched(url, **more)
    try:
        await found.recovers()
        yield found
    finally:
        await found.line.aclose()


def counted(server: RedisServer, key: bytes = b"counted") -> int:
    """How many operations were done, whether anybody heard of it or not."""
    return int(server.cli("GET", key) or 0)


def calls(server: RedisServer) -> int:
    """How many batches ran since the statistics were last reset."""
    return sum(calls_by(server).values())


def calls_by(server: RedisServer) -> dict[str, int]:
    """The same, by the command that ran them."""
    stats = server.cli("INFO", "commandstats")
    named = {name: stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("fcall", "evalsha", "eval")}
    return {name: count for name, count in named.items() if count}
