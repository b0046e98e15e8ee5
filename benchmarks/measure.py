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
from importlib.metadata import version
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tests.servers import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SERVER_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 32
_ROOT = Path(__file__).parent.parent
_START_SECONDS_MAX = 30.0


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


class Server:
    """One uvicorn process on `SERVER_CORE`, with the flags that every variant gets."""

    def __init__(self, app: str, port: int, environment: Mapping[str, str]) -> None:
        """`app` is what uvicorn imports, e.g. `benchmarks.apps.bare:app`."""
        self.url = f"http://127.0.0.1:{port}"
        flags = [
            "--loop",
            "uvloop",
            "--http",
            "httptools",
            "--no-proxy-headers",
            "--no-access-log",
            "--log-level",
            "warning",
        ]
        self._process = subprocess.Popen(
            [*pinned(SERVER_CORE), sys.executable, "-m", "uvicorn", app, "--port", str(port), *flags],
            cwd=_ROOT,
            env={**os.environ, **environment},
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

    def wait_until_up(self) -> None:
        """Raises `RuntimeError` where the server does not come up; what it said is on stderr."""
        deadline = time.monotonic() + _START_SECONDS_MAX
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                self.reached()
            except urllib.error.URLError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"the server at {self.url} did not start")

    def reached(self) -> int:
        """Attempts that came through to the endpoint so far."""
        with urllib.request.urlopen(f"{self.url}/reached", timeout=10) as answer:
            return int(answer.read())

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)


def attack(url: str, *, load: str, first: int, seconds: int) -> dict[str, Any]:
    """Run wrk with `attack.lua` on `LOAD_CORE`; what its `done` reports."""
    script = str(Path(__file__).with_name("attack.lua"))
    # A refusal may wait for two seconds in case a charge is given back; wrk's own patience ends there, too.
    flags = ["--threads", "1", "--connections", str(CONNECTIONS), "--timeout", "10s"]
    flags += ["--duration", f"{seconds}s", "--script", script]
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


def pinned(core: int) -> list[str]:
    """The words that put a command on one core, and keep its later threads there."""
    return ["taskset", "--cpu-list", str(core)]


def require_tools() -> None:
    """Two cores, taskset and wrk; wrk is installed where we may. Raises `SystemExit` that says what is missing."""
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("two cores are needed: one for the server, one for the load and Redis")
    if not shutil.which("wrk") and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "-qq", "update"], check=False)
        subprocess.run(["apt-get", "-qq", "install", "--yes", "wrk"], check=False, stdout=subprocess.DEVNULL)
    if missing := [tool for tool in ("wrk", "taskset") if not shutil.which(tool)]:
        raise SystemExit(f"missing: {', '.join(missing)}. Install the packages `wrk` and `util-linux`.")


def keep(name: str, result: Mapping[str, Any], *, quick: bool) -> None:
    """Write a result, with the day, into `results/`; a quick one beside it, where nobody takes it for one."""
    path = _ROOT / "benchmarks" / "results" / (f"{name}-quick.json" if quick else f"{name}.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"when": time.strftime("%Y-%m-%d"), **result}, indent=1) + "\n")
    print(f"Written: benchmarks/results/{path.name}")


def machine() -> dict[str, Any]:
    """What a reader must know to judge the figures; nothing that names a host, a user or a path."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    packages = ("uvicorn", "uvloop", "httptools", "redis", "hiredis", "limits", "slowapi", "fastapi-limiter")
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load_average_before": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain") else ""),
        "versions": {name: version(name) for name in (*packages, "throttled-py", "starlette", "fastapi")},
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _git(*args: str) -> str:
    return subprocess.run(["git", *args], cwd=_ROOT, capture_output=True, text=True, check=False).stdout.strip()
