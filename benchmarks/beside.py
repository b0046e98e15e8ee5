"""What a log-in costs beside another commit, in instructions over HTTP: `python -m benchmarks.beside COMMIT [--quick]`.

Both trees are compiled as wheels are, served by uvicorn under callgrind on one real Redis, and asked the same number of
requests over the same number of connections. Instructions do not depend on the load of the machine; a ratio of two
such counts tells one hundredth. The server is counted from the first request after a lead-in to the last one.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import os
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
from benchmarks.callgrind import FIXED, total
from benchmarks.login_post import numbered_login, read_answer, status_of
from benchmarks.result import write_result
from benchmarks.tables import screen_table, wide_console
from tests.servers import RedisServer, free_port

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping

    from rich.table import Table

_ROOT = Path(__file__).parents[1]
Counts = dict[str, dict[str, float]]
"""Thousands of instructions, by load and tree."""

LOADS = {"wrong": "fail", "right": "success", "shed": "shed"}
REQUESTS, QUICK_REQUESTS, LEAD_IN = 3_200, 960, 320
SHED_AFTER_S = 3.0  # a worker remembers a refusal once the charges under it are two seconds old
SHED_FOR_LONG = {"SEKISHO_LIMIT_IP": "20/day;100/2day"}
"""As many limits as by default, and no room again within the minutes that counting takes under callgrind."""
START_S_MAX = 300.0  # under callgrind, beside other work


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


class Sent(NamedTuple):
    """What a server is sent while its instructions are counted.

    Attributes:
        request: the bytes of the request with this number.
        counted: requests that are counted.
        lead_in: requests before those.
        connections: at once; the requests are shared out among them.
        status: of every counted answer; 0 accepts any.
        is_shed: the lead-in is sent twice, so that the worker refuses the counted requests from memory.
        has_store: whether the server has a Redis.
        variables: of the server's environment.
    """

    request: Callable[[int], bytes]
    counted: int
    lead_in: int
    connections: int
    status: int = 0
    is_shed: bool = False
    has_store: bool = True
    variables: dict[str, str] = {}  # noqa: RUF012 - never changed

    @property
    def numbers(self) -> tuple[range, range]:
        """Of the lead-in and of the counted requests."""
        return range(1, self.lead_in + 1), range(self.lead_in + 1, self.lead_in + 1 + self.counted)


class Counted:
    """A server under callgrind, which counts only while it is told to."""

    def __init__(self, tree: Tree, app: str, folder: Path, environment: Mapping[str, str]) -> None:
        self._port = free_port()
        self._counts = folder / f"{tree.name}.{self._port}"
        self.first_thread = 0.0
        # Under callgrind a turn takes fifty times as long: within the usual deadline no store would answer.
        fixed = FIXED | {"PYTHONPATH": tree.package, "SEKISHO_STORE_DEADLINE_MS": "10000", "BENCH_CALLGRIND": "1"}
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes"]
        command += [f"--callgrind-out-file={self._counts}"]
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

    async def count(self, sent: Sent) -> float:
        """Instructions for each of the counted requests; `first_thread`: those of the thread that answers."""
        await self._wait_until_up()
        before, counted = sent.numbers
        await self._send(sent, before)
        if sent.is_shed:
            await asyncio.sleep(SHED_AFTER_S)
            await self._send(sent, before)
        self._control("--instr=on")
        await self._send(sent, counted, status=sent.status)
        self._control("--dump")  # before counting ends, which would forget the counts
        dumps = list(self._counts.parent.glob(f"{self._counts.name}.*"))
        self.first_thread = sum(total(dump) for dump in dumps if dump.name.endswith("-01")) / len(counted)
        return sum(map(total, dumps)) / len(counted)

    def _control(self, order: str) -> None:
        subprocess.run(["callgrind_control", order, str(self._process.pid)], check=True, capture_output=True)

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

    async def _send(self, sent: Sent, numbers: range, *, status: int = 0) -> None:
        """Send over all connections at once. Raises `SystemExit` at another status than this one, if there is one."""
        share = len(numbers) // sent.connections
        parts = (numbers[at : at + share] for at in range(0, len(numbers), share))
        await asyncio.gather(*(self._send_each(map(sent.request, part), status) for part in parts))

    async def _send_each(self, requests: Iterable[bytes], status: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        for request in requests:
            writer.write(request)
            head, _ = await read_answer(reader)
            if status and status_of(head) != status:
                raise SystemExit(f"answered {status_of(head)} where {status} is measured")
        writer.close()


async def counts_of(trees: Iterable[Tree], folder: Path, *, app: str, loads: Mapping[str, Sent]) -> Counts:
    """Thousands of instructions a request, by load and tree."""
    found: Counts = {}
    with RedisServer() as redis, Console().status("Counting") as status:
        for (name, sent), tree in itertools.product(loads.items(), trees):
            status.update(f"Counting: {name}, {tree.name}")
            redis.cli("FLUSHALL")
            store = {"BENCH_STORE": redis.url} if sent.has_store else {}
            limit = SHED_FOR_LONG if sent.is_shed else {}
            with Counted(tree, app, folder, store | limit | sent.variables) as server:
                found.setdefault(name, {})[tree.name] = await server.count(sent) / 1_000
    return found


def beside_table(found: Mapping[str, Mapping[str, float]], base: str) -> Table:
    counts = ((load, each[base], each["here"]) for load, each in found.items())
    return screen_table(
        "Thousands of instructions an attempt, over HTTP",
        ("attempt", base, "here", "ratio"),
        [(load, f"{before:.1f}", f"{now:.1f}", f"{now / before:.3f}") for load, before, now in counts],
    )


def counts_of_both(commit: str, app: str, loads: Mapping[str, Sent]) -> Counts:
    """Counts of the tree of a commit and of this one (`here`), both compiled."""
    measure.require("valgrind")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Console().status("Compiling both"):
            before = Tree(commit, compiled(exported(commit, folder / "base"), folder / "base-compiled"))
            now = Tree("here", compiled(_ROOT / "middleware", folder / "here-compiled"))
        return asyncio.run(counts_of((before, now), folder, app=app, loads=loads))


def main() -> None:
    options = _options()
    requests = QUICK_REQUESTS if options.quick else REQUESTS
    about: dict[str, Any] = {"machine": measure.machine(), "base": options.commit, "app": options.app}
    loads = {
        name: Sent(partial(numbered_login, load), requests, LEAD_IN, measure.CONNECTIONS, is_shed=load == "shed")
        for name, load in LOADS.items()
    }
    found = counts_of_both(options.commit, options.app, loads)
    wide_console().print(beside_table(found, options.commit))
    write_result("beside", {**about, "requests": requests, "thousands": found}, quick=options.quick)


def _options() -> argparse.Namespace:
    parser = arguments.parser(__doc__, quick="fewer requests")
    parser.add_argument("commit", metavar="COMMIT", help="what to compare with, as git names it")
    parser.add_argument("--app", default="guarded", metavar="APP", help="of benchmarks.apps (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
