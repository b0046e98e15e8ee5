"""How a speed is measured here, so that every comparison measures alike.

Requests per second on a shared machine wander by a quarter from minute to minute. The time that a server spends on its
core for each request wanders less, and a ratio of two such times taken one right after the other wanders least: so
slices come in pairs, and what is reported is the median of the pairs' ratios with an interval that assumes nothing
about how they are distributed.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.metadata import distributions
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from benchmarks.compiled import compiled_first
from tests.servers import cpu_seconds, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.servers import RedisServer

SERVER_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 32
_ROOT = Path(__file__).parent.parent
_START_SECONDS_MAX = 30.0
_ANSWER_SECONDS_MAX = 10.0


class Interval(NamedTuple):
    """A median and the interval that holds the true one in at least 95 runs of 100."""

    low: float
    median: float
    high: float


def median_interval(values: Sequence[float]) -> Interval:
    """The median with its 95% interval from order statistics: no assumption about the distribution.

    Below six values no such interval exists; then it is the whole range.
    """
    ranked = sorted(values)
    count = len(ranked)
    outside = _outside(count)
    return Interval(ranked[outside], statistics.median(ranked), ranked[count - 1 - outside])


def tail(count: int, k: int) -> float:
    """Chance that at most `k` of `count` values fall on one side of the true median."""
    return float(
        sum(comb(count, i) for i in range(k + 1)) / 2**count
    )  # of integers: a thousand values overflow a float


def _outside(count: int) -> int:
    """The most values on either side that may be left out of the interval."""
    ways, sum_of_ways, found = 1, 0, 0
    for k in range(count // 2):
        sum_of_ways += ways  # of `k` values on one side
        if 40 * sum_of_ways > 2**count:
            break
        found = k
        ways = ways * (count - k) // (k + 1)
    return found


def starts(rounds: int, per_start: int) -> Iterator[range]:
    """The numbers of the rounds that are measured on the same processes, for each start of those."""
    for first in range(0, rounds, per_start):
        yield range(first, min(first + per_start, rounds))


class Slice(NamedTuple):
    """What one run of the load generator against one server gave.

    Attributes:
        cpu_us: server time on its core for each request.
        redis_us: Redis time on its core for each request.
        per_second: requests answered each second, as many as went through at `CONNECTIONS` connections.
        reached: attempts that came through to the endpoint.
    """

    cpu_us: float
    redis_us: float
    per_second: float
    p50_ms: float
    p99_ms: float
    requests: int
    reached: int


class Service(NamedTuple):
    """The measured application and its server.

    Attributes:
        app: module in `benchmarks.apps`.
        server: `uvicorn` (uvloop, httptools) or `granian`.
        workers: processes. One runs on `SERVER_CORE`; more share both cores with the load.
        unix: reaches Redis over its unix socket.
        settings: further variables of the environment, as pairs.
        compiled: runs our hot path as wheels carry it, compiled; else the plain sources.
    """

    app: str
    server: str = "uvicorn"
    workers: int = 1
    unix: bool = False
    settings: tuple[tuple[str, str], ...] = ()
    compiled: bool = False

    def start(self, redis: RedisServer, environment: Mapping[str, str]) -> Server:
        """It comes up on a port of its own; `environment` is for all services of a comparison."""
        # redis-py and we write a unix socket differently; peers are compared over TCP alone.
        store = redis.unix_url if self.unix else redis.url
        variables = {"BENCH_STORE": store, **environment, **dict(self.settings)}
        if self.compiled:
            variables["PYTHONPATH"] = compiled_first()
        app = f"benchmarks.apps.{self.app}:app"
        return Server(app, free_port(), variables, server=self.server, workers=self.workers)


def _command(server: str, app: str, port: int, workers: int) -> list[str]:
    flags = {
        "uvicorn": "--loop uvloop --http httptools --no-proxy-headers --no-access-log --log-level warning",
        "granian": "--interface asgi --loop uvloop --http 1 --no-ws --no-log",
    }[server]
    return [sys.executable, "-m", server, app, "--port", str(port), "--workers", str(workers), *flags.split()]


class Server:
    """A server process with the flags that every variant gets, on `SERVER_CORE`, or with more workers on both cores."""

    def __init__(
        self, app: str, port: int, environment: Mapping[str, str], *, server: str = "uvicorn", workers: int = 1
    ) -> None:
        """`app` is what the server imports, e.g. `benchmarks.apps.bare:app`."""
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.workers = workers
        cores = (SERVER_CORE,) if workers == 1 else (SERVER_CORE, LOAD_CORE)
        self._process = subprocess.Popen(
            [*pinned(*cores), *_command(server, app, port, workers)], cwd=_ROOT, env={**os.environ, **environment}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_up(self, probe: Callable[[], object] | None = None) -> None:
        """Wait until `probe` raises no error, by default `reached`.

        Raises `RuntimeError` where the server does not come up; what it said is on stderr.
        """
        deadline = time.monotonic() + _START_SECONDS_MAX
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                (probe or self.reached)()
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"the server at {self.url} did not start")

    def reached(self) -> int:
        """Attempts that came through to the endpoint so far, in all workers.

        A worker answers for itself, and which one does is chance: so it is asked until all have answered.
        """
        found: dict[str, int] = {}
        deadline = time.monotonic() + _ANSWER_SECONDS_MAX
        while len(found) < self.workers and time.monotonic() < deadline:
            with urllib.request.urlopen(f"{self.url}/reached", timeout=10) as answer:
                worker, count = answer.read().decode().split()
                found[worker] = int(count)
        if len(found) < self.workers:
            raise ConnectionError(f"only {len(found)} of {self.workers} workers answer at {self.url}")
        return sum(found.values())

    def cpu_seconds(self) -> float:
        """Of the process and of all it has started: workers are children."""
        return sum(map(cpu_seconds, family(self.pid)))


def status_bytes(pid: int, name: str) -> int:
    """A size in the kernel's status of a process (Linux), e.g. `VmRSS`; 0 if it has none."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return next((int(size[0]) * 1024 for key, *size in lines if key == f"{name}:"), 0)


def family(pid: int) -> list[int]:
    """A process and all that descend from it (Linux)."""
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()
    ]
    return [pid, *(each for child in children for each in family(child))]


def attack(
    url: str, *, load: str, first: int, seconds: int, connections: int = CONNECTIONS, script: str = "attack.lua"
) -> dict[str, Any]:
    """Run wrk with a script of this folder on `LOAD_CORE`; what its `done` reports."""
    # A refusal may wait for two seconds in case a charge is given back; wrk's own patience ends there, too.
    flags = ["--threads", "1", "--connections", str(connections), "--timeout", "10s"]
    flags += ["--duration", f"{seconds}s", "--script", str(Path(__file__).with_name(script))]
    output = subprocess.run(
        [*pinned(LOAD_CORE), "wrk", *flags, f"{url}/login", "--", load, str(first)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    report: dict[str, Any] = json.loads(output.rpartition("RESULT ")[2])
    if report["broken"]:
        raise RuntimeError(f"{report['broken']} connections broke: the figures would be of something else")
    return report


class Meter:
    """Slices of load, of which no two repeat each other's accounts."""

    def __init__(self, redis: RedisServer) -> None:
        self.attempts = 0  # of all slices so far
        self._redis = redis

    def slice(
        self, server: Server, load: str, *, seconds: int, connections: int = CONNECTIONS, script: str = "attack.lua"
    ) -> Slice:
        before = server.cpu_seconds(), self._redis.cpu_seconds(), server.reached()
        report = attack(
            server.url, load=load, first=self.attempts, seconds=seconds, connections=connections, script=script
        )
        after = server.cpu_seconds(), self._redis.cpu_seconds(), server.reached()
        self.attempts += report["requests"] + connections
        requests = report["requests"]
        return Slice(
            cpu_us=(after[0] - before[0]) * 1e6 / requests,
            redis_us=(after[1] - before[1]) * 1e6 / requests,
            per_second=requests / report["seconds"],
            p50_ms=report["p50_ms"],
            p99_ms=report["p99_ms"],
            requests=requests,
            reached=after[2] - before[2],
        )


def pinned(*cores: int) -> list[str]:
    """The words that put a command on these cores, and keep its later threads there."""
    return ["taskset", "--cpu-list", ",".join(map(str, cores))]


_PACKAGES = {"wrk": "wrk", "taskset": "util-linux", "valgrind": "valgrind"}


def require_tools() -> None:
    """Two cores, taskset and wrk. Raises `SystemExit` that names the missing one."""
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("two cores are needed: one for the server, one for the load and Redis")
    require("wrk", "taskset")


def require(*tools: str) -> None:
    """Programs that pip does not bring; installed where we may. Raises `SystemExit` that names the missing one."""
    missing = [_PACKAGES[tool] for tool in tools if not shutil.which(tool)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "-qq", "update"], check=False)
        subprocess.run(["apt-get", "-qq", "install", "--yes", *missing], check=False, stdout=subprocess.DEVNULL)
        missing = [_PACKAGES[tool] for tool in tools if not shutil.which(tool)]
    if missing:
        raise SystemExit(f"something is missing: install the packages {', '.join(missing)}")


def machine(redis: RedisServer | None = None) -> dict[str, Any]:
    """What a reader must know to judge the figures; nothing that names a host, a user or a path.

    `redis`: the measured one, whose version is told too.
    """
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    packages = (
        "uvicorn", "uvloop", "httptools", "granian", "redis", "hiredis", "limits", "slowapi", "fastapi-limiter",
        "pyrate-limiter", "fastapi-sentinel", "throttled-py", "starlette", "fastapi",
    )  # fmt: skip
    installed = {distribution.name: distribution.version for distribution in distributions()}
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load_average_before": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain") else ""),
        # What compares with others installs them first; all else runs without them.
        "versions": {name: installed[name] for name in packages if name in installed},
    } | ({"redis": redis.cli("INFO", "server")["redis_version"]} if redis else {})


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _git(*args: str) -> str:
    return subprocess.run(["git", *args], cwd=_ROOT, capture_output=True, text=True, check=False).stdout.strip()
