"""What each refusal costs beside a bare 404 and beside another commit: `python -m benchmarks.refusals [--base COMMIT]`.

Instructions over HTTP, counted as `benchmarks.beside` counts them, as ratios to the 404 that Starlette alone answers.
A step-up is counted without the application's run behind the seal: the application answers nothing while it is counted,
as many runs as may be under way are so before the first request that counts, and those of the others stand in their
queue. What it takes to put them there is counted.
"""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from benchmarks import arguments, measure
from benchmarks.beside import SHED_AFTER_S, Counted, of_both
from benchmarks.result import write_result
from benchmarks.tables import screen_table, wide_console
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from rich.table import Table

    from benchmarks.beside import Counts, Tree

BASE = "97295b2"
REQUESTS, QUICK_REQUESTS, LEAD_IN, STEP_UP_LEAD_IN = 960, 320, 128, 40
CONNECTIONS = 8
PAGE, JSON = "text/html,application/xhtml+xml", "application/json"
# Of the length that tokens have, five of them.
GARBAGE = "Cookie: __Host-sekisho=" + ".".join([urlsafe_b64encode(bytes(range(47))).decode().rstrip("=")] * 5) + "\r\n"
_HEAD = (
    "POST {} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/141.0\r\n"
    "Accept: {}\r\nAccept-Language: en\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    "X-Forwarded-For: {}\r\n{}Content-Length: {}\r\n\r\n{}"
)


class Load(NamedTuple):
    """Attributes:
    status: that every answer has once the lead-in is over.
    server: which is asked: `bare`, one that asks for `work`, or for a `step-up`.
    path, accept, more: of the request.
    one_address: whether all come from one.
    body: with the number of the request in it, or none.
    requests_max: counted at most.
    """

    status: int
    server: str
    path: str = "/login"
    accept: str = JSON
    more: str = ""
    one_address: bool = False
    body: str = "username=somebody%40mail.example&password=wrong{}"
    requests_max: int = REQUESTS

    def environment(self, store: str) -> dict[str, str]:
        """What the server is told. `store`: a URL."""
        if self.server == "bare":
            return {}
        return {"BENCH_STORE": store} | ({"BENCH_FACTORS": "totp"} if self.server == "step-up" else {})

    def request(self, number: int) -> bytes:
        network = number * 1_000_003 % 6_291_456  # neighbours in time are no neighbours in space
        address = f"{128 + (network >> 16)}.{network >> 8 & 255}.{network & 255}.{1 + number % 250}"
        address = "198.51.100.7" if self.one_address else address
        body = self.body.format(number)
        return _HEAD.format(self.path, self.accept, address, self.more, len(body), body).encode()


ANYBODY = "username=user{}%40mail.example&password=wrong"
# Of the 288 places for runs behind the seal, the lead-in has taken 48.
RUNS_MAX = 160
LOADS = {
    "404": Load(404, "bare", path="/nothing"),
    "shed": Load(429, "work", one_address=True),
    "shed, garbage cookie": Load(429, "work", one_address=True, more=GARBAGE),
    "unreadable": Load(400, "work", body="username=a&username=b{}&password=c"),
    "work, JSON": Load(401, "work"),
    "work, page": Load(401, "work", accept=PAGE),
    "step-up, JSON": Load(401, "step-up", body=ANYBODY, requests_max=RUNS_MAX),
    "step-up, page": Load(401, "step-up", accept=PAGE, body=ANYBODY, requests_max=RUNS_MAX),
}


class Server(Counted):
    """Counts one load."""

    async def count_load(self, load: Load, requests: int) -> float:
        """Instructions for each of `requests`."""
        await self._wait_until_up()
        first = STEP_UP_LEAD_IN if load.server == "step-up" else LEAD_IN
        await self._ask(load, range(first), checked=False)
        if load.one_address:
            await asyncio.sleep(SHED_AFTER_S)
            await self._ask(load, range(first), checked=False)
        await self._ask(load, range(first, first + CONNECTIONS), checked=True)
        self._control("--instr=on")
        await self._ask(load, range(first + CONNECTIONS, first + CONNECTIONS + requests), checked=True)
        self._control("--dump")  # before counting ends, which would forget the counts
        return self._total() / requests

    async def _ask(self, load: Load, numbers: range, *, checked: bool) -> None:
        share = len(numbers) // CONNECTIONS
        await asyncio.gather(
            *(self._ask_each(load, numbers[at : at + share], checked) for at in range(0, len(numbers), share))
        )

    async def _ask_each(self, load: Load, numbers: Iterable[int], checked: bool) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        for number in numbers:
            writer.write(load.request(number))
            head = await reader.readuntil(b"\r\n\r\n")
            lengths = [int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length:")]
            await reader.readexactly(sum(lengths))
            if checked and int(head[9:12]) != load.status:
                raise SystemExit(f"answered {head[9:12].decode()} where {load.status} is measured")
        writer.close()


async def measured(trees: Iterable[Tree], folder: Path, *, requests: int) -> Counts:
    """Thousands of instructions a request, by load and tree."""
    found: Counts = {}
    with RedisServer() as redis, Console().status("Counting") as status:
        for tree in trees:
            for name, load in LOADS.items():
                status.update(f"Counting: {name}, {tree.name}")
                redis.cli("FLUSHALL")
                with Server(tree, "refusals", folder, load.environment(redis.url)) as server:
                    counted = await server.count_load(load, min(requests, load.requests_max))
                found.setdefault(name, {})[tree.name] = counted / 1_000
    return found


def ratios(found: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """To the 404 of the same tree's run."""
    return {
        load: {tree: thousands / found["404"][tree] for tree, thousands in counts.items()}
        for load, counts in found.items()
    }


def refusal_table(found: Mapping[str, Mapping[str, float]], base: str) -> Table:
    trees = (base, "here")
    return screen_table(
        "Thousands of instructions a refusal, over HTTP, and their ratio to a bare 404",
        ("refusal", base, "here", f"to the 404: {base}", "here"),
        [
            (load, *(f"{found[load][tree]:.0f}" for tree in trees), *(f"{by_tree[tree]:.2f}" for tree in trees))
            for load, by_tree in ratios(found).items()
        ],
    )


def main() -> None:
    parser = arguments.parser(__doc__, quick="fewer requests")
    arguments.add_base(parser, BASE)
    options = parser.parse_args()
    requests = QUICK_REQUESTS if options.quick else REQUESTS
    found = of_both(options.base, partial(measured, requests=requests))
    wide_console().print(refusal_table(found, options.base))
    about = {"machine": measure.machine(), "base": options.base, "requests": requests}
    write_result("refusals", about | {"thousands": found, "ratios": ratios(found)}, quick=options.quick)


if __name__ == "__main__":
    main()
