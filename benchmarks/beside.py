"""What a log-in costs beside another commit, in instructions over HTTP: `python -m benchmarks.beside COMMIT [--quick]`.

Both trees are compiled as wheels are, served by uvicorn under callgrind on one real Redis, and asked the same number of
requests over the same number of connections. Instructions do not depend on the load of the machine; a ratio of two
such counts tells one hundredth. The server is counted from the first request after a lead-in to the last one.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from rich.console import Console

from benchmarks import arguments, measure
from benchmarks.result import write_result
from benchmarks.tables import screen_table, wide_console
from tests.servers import RedisServer, free_port

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from rich.table import Table

_ROOT = Path(__file__).parents[1]
Counts = dict[str, dict[str, float]]
"""Thousands of instructions, by load and tree."""

LOADS = {"wrong": "fail", "right": "success", "shed": "shed"}
REQUESTS, QUICK_REQUESTS, LEAD_IN = 3_200, 960, 320
SHED_AFTER_S = 3.0  # a worker remembers a refusal once the charges under it are two seconds old
START_S_MAX = 300.0  # under callgrind, beside other work
_HEAD = (
    "POST /login HTTP/1.1\r\nHost: shop.example\r\n"
    "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 "
    "Safari/537.36\r\nAccept: text/html,application/xhtml+xml\r\nAccept-Language: ja,en;q=0.8\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nX-Forwarded-For: {}\r\nContent-Length: {}\r\n\r\n{}"
)
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_TOTALS = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


class Tree(NamedTuple):
    """Attributes:
    name: the commit, or `here`.
    package: the folder that holds its compiled `sekisho`.
    """

    name: str
    package: str


def exported(commit: str, folder: Path) -> Path:
    """The sources of the package at a commit. Raises `SystemExit` where git does not know it."""
    packed = subprocess.run(["git", "archive", commit, "middleware"], cwd=_ROOT, capture_output=True, check=False)
    if packed.returncode:
        raise SystemExit(f"git does not know the commit {commit}: {packed.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "middleware"


def compiled(middleware: Path, folder: Path) -> str:
    """The package as its own wheels carry it."""
    subprocess.run([sys.executable, str(middleware / "hatch_build.py"), str(folder)], check=True, capture_output=True)
    return str(folder)


class Counted:
    """A server under callgrind, which counts only while it is told to."""

    def __init__(self, tree: Tree, app: str, folder: Path, environment: Mapping[str, str]) -> None:
        self._port = free_port()
        self._counts = folder / f"{tree.name}.{self._port}"
        # Hashes of text decide where things lie in dictionaries, and with it how many steps a look-up takes.
        # Under callgrind a turn takes fifty times as long: within the usual deadline no store would answer.
        fixed = {"PYTHONPATH": tree.package, "PYTHONHASHSEED": "0", "SEKISHO_STORE_DEADLINE_MS": "10000"}
        fixed["BENCH_CALLGRIND"] = "1"
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={self._counts}"]
        command += [sys.executable, "-m", "uvicorn", f"benchmarks.apps.{app}:app", "--port", str(self._port)]
        command += ["--loop", "uvloop", "--http", "httptools", "--no-proxy-headers", "--no-access-log"]
        command += ["--timeout-keep-alive", "600"]  # a turn may take seconds
        self._process = subprocess.Popen(
            command, cwd=_ROOT, env={**os.environ, **fixed, **environment}, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)

    async def count(self, load: str, requests: int, first: int) -> float:
        """Instructions for each of `requests` attempts, numbered from `first`."""
        await self._wait_until_up()
        await self._send(load, LEAD_IN, first)
        if load == "shed":
            await asyncio.sleep(SHED_AFTER_S)
            await self._send(load, LEAD_IN, first)
        self._control("--instr=on")
        await self._send(load, requests, first + LEAD_IN)
        self._control("--dump")  # before counting ends, which would forget the counts
        return self._total() / requests

    def _control(self, order: str) -> None:
        subprocess.run(["callgrind_control", order, str(self._process.pid)], check=True, capture_output=True)

    def _total(self) -> int:
        dumps = self._counts.parent.glob(f"{self._counts.name}.*")
        return sum(int(found[1]) for path in dumps if (found := _TOTALS.search(path.read_text())))

    async def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.2)
            else:
                return writer.close()
        raise SystemExit("the server under callgrind did not start")

    async def _send(self, load: str, requests: int, first: int) -> None:
        share = requests // measure.CONNECTIONS
        await asyncio.gather(
            *(self._connection(load, range(first + each * share, first + (each + 1) * share))
              for each in range(measure.CONNECTIONS))
        )  # fmt: skip

    async def _connection(self, load: str, numbers: Iterable[int]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        for number in numbers:
            writer.write(attempt(load, number))
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
        writer.close()


def attempt(load: str, number: int) -> bytes:
    """A form post as browsers send it, from an address, for an account and with a password of its own."""
    network = number * 1_000_003 % 6_291_456  # neighbours in time are no neighbours in space
    address = f"{128 + (network >> 16)}.{network >> 8 & 255}.{network & 255}.{1 + number % 250}"
    password = "right" if load == "success" else "wrong"
    body = f"username=user{number:07d}%40mail.example&password={password}{number:07d}"
    return _HEAD.format("198.51.100.7" if load == "shed" else address, len(body), body).encode()


async def measured(trees: Iterable[Tree], folder: Path, *, app: str, requests: int) -> Counts:
    """Thousands of instructions an attempt, by load and tree; of the bare endpoint as well."""
    found: Counts = {}
    with RedisServer() as redis, Console().status("Counting") as status:
        for load, sent in LOADS.items():
            for tree in trees:
                status.update(f"Counting: {load}, {tree.name}")
                redis.cli("FLUSHALL")
                with Counted(tree, app, folder, {"BENCH_STORE": redis.url}) as server:
                    thousands = await server.count(sent, requests, first=1) / 1_000
                found.setdefault(load, {})[tree.name] = thousands
    return found


def beside_table(found: Mapping[str, Mapping[str, float]], base: str) -> Table:
    counts = ((load, each[base], each["here"]) for load, each in found.items())
    return screen_table(
        "Thousands of instructions an attempt, over HTTP",
        ("attempt", base, "here", "ratio"),
        [(load, f"{before:.1f}", f"{now:.1f}", f"{now / before:.3f}") for load, before, now in counts],
    )


def of_both(commit: str, count: Callable[[tuple[Tree, Tree], Path], Coroutine[Any, Any, Counts]]) -> Counts:
    """What `count` finds for the tree of a commit and for this one, both compiled; it gets a folder for its files."""
    measure.require("valgrind")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Console().status("Compiling both"):
            before = Tree(commit, compiled(exported(commit, folder / "base"), folder / "base-compiled"))
            now = Tree("here", compiled(_ROOT / "middleware", folder / "here-compiled"))
        return asyncio.run(count((before, now), folder))


def main() -> None:
    options = _options()
    requests = QUICK_REQUESTS if options.quick else REQUESTS
    found = of_both(options.commit, partial(measured, app=options.app, requests=requests))
    wide_console().print(beside_table(found, options.commit))
    about: dict[str, Any] = {"machine": measure.machine(), "base": options.commit, "app": options.app}
    write_result("beside", {**about, "requests": requests, "thousands": found}, quick=options.quick)


def _options() -> argparse.Namespace:
    parser = arguments.parser(__doc__, quick="fewer requests")
    parser.add_argument("commit", metavar="COMMIT", help="what to compare with, as git names it")
    parser.add_argument("--app", default="guarded", metavar="APP", help="of benchmarks.apps (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
