"""What the guard costs when nobody logs in: `python -m benchmarks.idle [--quick]`.

Start-up (imports, the first request), memory of a worker, and server time of requests at no door. Writes
`benchmarks/results/idle.json`; the method stands in `benchmarks/README.md`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks import arguments, measure
from benchmarks.measure import Server, median_interval
from benchmarks.result import interval_text, write_result
from benchmarks.tables import screen_table, wide_console
from tests.servers import RedisServer, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.table import Table

APP = "benchmarks.apps.at_rest:app"

BUILD = """
import secrets
from sekisho import LoginGuard
async def app(scope, receive, send): pass
guard = LoginGuard(app, secret=secrets.token_urlsafe(48), store="redis://127.0.0.1:1", {settings})
assert not guard._problem, guard._problem
"""
FACTORS = """
    factors="webauthn,totp", passkey_domain="shop.example",
    owners=__import__("sekisho.owners.memory", fromlist=["memory"]).MemoryOwners({})
"""
STARTS = {
    "Python alone": "pass",
    "asyncio": "import asyncio",
    "asyncio, redis-py": "import redis.asyncio",
    "import sekisho": "import sekisho",
    "a guard, limits alone": BUILD.format(settings='challenges="none"'),
    "a guard, with work": BUILD.format(settings=""),
    "a guard, with step-up": BUILD.format(settings=FACTORS),
}

WORKERS = (
    ("bare", ""),
    ("starlette", ""),
    ("starlette", "limits"),
    ("starlette", "work"),
    ("starlette", "step-up"),
)
GUARDS = ("limits", "work", "step-up")


class Plan(NamedTuple):
    """How often each is measured; slices of server time last so many seconds, on so many starts of the servers."""

    imports: int = 20
    workers: int = 7
    rounds: int = 20
    rounds_per_start: int = 5
    seconds: int = 2


QUICK = Plan(imports=3, workers=2, rounds=6, rounds_per_start=3, seconds=1)


def imports(plan: Plan) -> dict[str, Any]:
    """CPU time and memory of a Python that starts, loads and ends, in turns; the first turn only fills caches."""
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in STARTS}
    for number in range(plan.imports + 1):
        for name, code in STARTS.items():
            used = _used(code)
            if number:
                taken[name].append(used)
    return {
        name: {
            "cpu_ms": median_interval([one["cpu_seconds"] * 1e3 for one in every])._asdict(),
            "peak_mib": statistics.median(one["peak_rss_bytes"] for one in every) / 2**20,
            "modules": _modules(STARTS[name]),
        }
        for name, every in taken.items()
    }


def _used(code: str) -> dict[str, float]:
    with tempfile.NamedTemporaryFile() as result:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.corpus.rusage", result.name, sys.executable, "-c", code], check=True
        )
        used: dict[str, float] = json.load(result)
        return used


def _modules(code: str) -> int:
    counted = f"{code}\nimport sys; print(len(sys.modules))"
    return int(subprocess.run([sys.executable, "-c", counted], check=True, capture_output=True).stdout)


def workers(plan: Plan, start: Callable[[str, str], Server]) -> list[dict[str, Any]]:
    """A worker of each kind after its start, its first log-in and a hundred more, new processes each time."""
    taken: dict[tuple[str, str], list[dict[str, float]]] = {kind: [] for kind in WORKERS}
    for _ in range(plan.workers):
        for kind in WORKERS:
            with start(*kind) as server:
                taken[kind].append(_life(server))
    return [
        {"service": service, "guard": guard, **{name: _median(every, name) for name in every[0]}}
        for (service, guard), every in taken.items()
    ]


def _life(server: Server) -> dict[str, float]:
    server.wait_until_up()
    start_cpu_ms = server.cpu_seconds() * 1e3
    first_ms, first_cpu_ms = _log_in(server, 0)
    later = [_log_in(server, number) for number in range(1, 101)]
    rss, pss = _memory_mib(server.pid)
    return {
        "start_cpu_ms": start_cpu_ms,
        "first_log_in_ms": first_ms,
        "first_log_in_cpu_ms": first_cpu_ms,
        "later_log_in_ms": statistics.median(wall for wall, _ in later),
        "rss_mib": rss,
        "pss_mib": pss,
    }


def _log_in(server: Server, number: int) -> tuple[float, float]:
    """Milliseconds by the client's clock, and of the server's core."""
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Forwarded-For": f"240.{number}.1.1",
        "User-Agent": "Mozilla/5.0",
    }
    before = server.cpu_seconds()
    began = time.perf_counter()
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    connection.request("POST", "/login", f"username=user{number}&password=wrong{number}", headers)
    connection.getresponse().read()
    connection.close()
    return (time.perf_counter() - began) * 1e3, (server.cpu_seconds() - before) * 1e3


def _memory_mib(pid: int) -> tuple[float, float]:
    """Resident, and with each shared page divided among those who share it."""
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kib = {name: int(value) for name, value, _ in lines}
    return kib["Rss:"] / 1024, kib["Pss:"] / 1024


def _median(every: Sequence[Mapping[str, float]], name: str) -> float:
    return round(statistics.median(one[name] for one in every), 3)


def elsewhere(plan: Plan, start: Callable[[str, str], Server]) -> list[dict[str, Any]]:
    """Server time of a request at no door, of each guard in pairs with the endpoint alone."""
    pairs: dict[str, list[tuple[float, float]]] = {guard: [] for guard in GUARDS}
    for numbers in measure.starts(plan.rounds, plan.rounds_per_start):
        with ExitStack() as stack:
            servers = {guard: stack.enter_context(start("bare", guard)) for guard in ("", *GUARDS)}
            for server in servers.values():
                server.wait_until_up()
                _cpu_us(server, 1)
            for number in numbers:
                for guard in GUARDS:
                    pairs[guard].append(_pair(servers[""], servers[guard], plan, bare_first=number % 2 == 0))
    return [
        {
            "guard": guard,
            "added": median_interval([guarded / bare - 1 for bare, guarded in every])._asdict(),
            "added_us": median_interval([guarded - bare for bare, guarded in every])._asdict(),
            "bare_cpu_us": median_interval([bare for bare, _ in every])._asdict(),
            "pairs": [{"bare": round(bare, 3), "guarded": round(guarded, 3)} for bare, guarded in every],
        }
        for guard, every in pairs.items()
    ]


def _pair(bare: Server, guarded: Server, plan: Plan, *, bare_first: bool) -> tuple[float, float]:
    if bare_first:
        return _cpu_us(bare, plan.seconds), _cpu_us(guarded, plan.seconds)
    last = _cpu_us(guarded, plan.seconds)
    return _cpu_us(bare, plan.seconds), last


def _cpu_us(server: Server, seconds: int) -> float:
    before = server.cpu_seconds()
    report = measure.attack(server.url, load="elsewhere", first=0, seconds=seconds)
    return (server.cpu_seconds() - before) * 1e6 / float(report["requests"])


def idle_tables(found: Mapping[str, Any]) -> list[Table]:
    starts = [
        (name, interval_text(one["cpu_ms"], ".0f"), f"{one['peak_mib']:.1f}", str(one["modules"]))
        for name, one in found["imports"].items()
    ]
    names = ("start_cpu_ms", "first_log_in_ms", "later_log_in_ms", "rss_mib", "pss_mib")
    lives = [(one["service"], one["guard"] or "-", *(f"{one[name]:.1f}" for name in names)) for one in found["workers"]]
    others = [
        (
            one["guard"],
            interval_text(one["added"], ".2%"),
            interval_text(one["added_us"]),
            f"{one['bare_cpu_us']['median']:.1f}",
        )
        for one in found["elsewhere"]
    ]
    figures = ("start, CPU ms", "first log-in, ms", "later, ms", "RSS MiB", "PSS MiB")
    return [
        screen_table("Start-up", ("application", "CPU ms", "peak MiB", "modules"), starts),
        screen_table("A worker", ("service", "guard", *figures), lives),
        screen_table("A request at no door", ("guard", "added", "added, µs", "bare, µs"), others),
    ]


def main() -> None:
    quick = arguments.parser(__doc__, quick="a few short rounds").parse_args().quick
    plan = QUICK if quick else Plan()
    measure.require_tools()
    os.sched_setaffinity(0, {measure.LOAD_CORE})
    about = measure.machine()
    with RedisServer() as redis, tempfile.TemporaryDirectory() as folder:
        environment = {
            "BENCH_STORE": redis.url,
            "SHOP_DATABASE": f"{folder}/shop.sqlite3",
            "SHOP_ARGON2": "1,256,1",
        }

        def start(service: str, guard: str) -> Server:
            return Server(APP, free_port(), environment | {"BENCH_SERVICE": service, "BENCH_GUARD": guard})

        found = {
            "machine": about,
            "plan": plan._asdict(),
            "imports": imports(plan),
            "workers": workers(plan, start),
            "elsewhere": elsewhere(plan, start),
        }
    wide_console().print(*idle_tables(found))
    write_result("idle", found, quick=quick)


if __name__ == "__main__":
    main()
