"""Where a guarded attempt spends its time: `python -m benchmarks.in_process [--load fail|success|shed] [--profile]`.

The guard and the bare endpoint in this process, driven without HTTP by as many callers as the HTTP comparison has
connections, on a real Redis. For finding what to make faster, and for seeing within seconds whether it is; claims are
made over HTTP.
"""

from __future__ import annotations

import asyncio
import cProfile
import os
import pstats
import time
from typing import TYPE_CHECKING, Any

import uvloop

from benchmarks import arguments, measure
from benchmarks.login_post import FORM, ONE_ADDRESS, numbered_body
from benchmarks.measure import median_interval
from benchmarks.micro.sample import scope
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    App = Callable[[MutableMapping[str, Any], Callable[..., Awaitable[Any]], Callable[..., Awaitable[None]]], Any]

REQUESTS = 20_000
LEAD_IN = 2_000
ROUNDS = 7


class Driver:
    """Sends attempts to an app, each from a network, for an account and with a password of its own."""

    def __init__(self, app: App, load: str, first: int = 0) -> None:
        """`first` numbers the attempt before the first one."""
        self._app = app
        self._load = load
        self._next = first

    async def send(self, requests: int) -> None:
        share = requests // measure.CONNECTIONS
        await asyncio.gather(*(self._caller(share) for _ in range(measure.CONNECTIONS)))

    async def _caller(self, requests: int) -> None:
        for _ in range(requests):
            await self.send_one()

    async def send_one(self) -> None:
        """The next attempt."""
        self._next += 1
        await self._one(self._next)

    async def _one(self, number: int) -> None:
        address = (
            ONE_ADDRESS if self._load == "shed" else f"{128 + (number >> 16)}.{number >> 8 & 255}.{number & 255}.7"
        )
        body = numbered_body(self._load, number).encode()
        asked = scope(FORM.encode(), address=address.encode())

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(_message: MutableMapping[str, Any]) -> None:
            # A server's `send` gives way to nobody either, unless its buffer is full.
            pass

        await self._app(asked, receive, send)


async def cpu_us(driver: Driver, requests: int) -> float:
    """CPU time of this process per request."""
    before = time.process_time()
    await driver.send(requests)
    return (time.process_time() - before) * 1e6 / requests


async def _warm(driver: Driver, load: str) -> None:
    await driver.send(LEAD_IN)
    if load == "shed":
        await asyncio.sleep(3)  # until then refusals rest on charges that might yet be given back
        await driver.send(LEAD_IN)


async def compare(bare: App, guarded: App, load: str) -> None:
    drivers = Driver(bare, load), Driver(guarded, load)
    await drivers[0].send(LEAD_IN)
    await _warm(drivers[1], load)
    pairs = [[await cpu_us(driver, REQUESTS) for driver in drivers] for _ in range(ROUNDS)]
    low, extra, high = median_interval([guarded_us - bare_us for bare_us, guarded_us in pairs])
    print(f"{load}: the guard costs {extra:.1f} µs ({low:.1f} - {high:.1f}) of this process per request")


async def profile(guarded: App, load: str) -> None:
    driver = Driver(guarded, load)
    await _warm(driver, load)
    profiler = cProfile.Profile()
    profiler.enable()
    await driver.send(REQUESTS)
    profiler.disable()
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(45)


def main() -> None:
    parser = arguments.parser(__doc__, quick="")
    arguments.add_load(parser)
    parser.add_argument("--profile", action="store_true", help="by function; the profiler triples every call's cost")
    options = parser.parse_args()
    os.sched_setaffinity(0, {measure.LOAD_CORE})
    with RedisServer() as server:
        os.sched_setaffinity(0, {measure.SERVER_CORE})
        os.environ["BENCH_STORE"] = server.url
        # The app reads its store from the environment as it is imported.
        from benchmarks.apps import bare, guarded  # noqa: PLC0415

        run = profile(guarded.app, options.load) if options.profile else compare(bare.app, guarded.app, options.load)
        uvloop.run(run)


if __name__ == "__main__":
    main()
