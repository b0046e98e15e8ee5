"""The idle benchmark measures active guards and successful starts, and shows its figures."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks.apps.at_rest import GUARDS, build
from benchmarks.idle import STARTS, _memory_mib, idle_tables
from tests.asgi.driving import ask, http, log_in

SAID = {"low": 1.0, "median": 2.0, "high": 3.0}
FOUND = {
    "imports": {"asyncio": {"cpu_ms": SAID, "peak_mib": 20.0, "modules": 100}},
    "workers": [
        {
            "service": "bare",
            "guard": "",
            "start_cpu_ms": 100.0,
            "first_log_in_ms": 5.0,
            "later_log_in_ms": 1.0,
            "rss_mib": 30.0,
            "pss_mib": 20.0,
        }
    ],
    "elsewhere": [{"guard": "work", "added": SAID, "added_us": SAID, "bare_cpu_us": SAID}],
}


@pytest.mark.parametrize("guard", list(GUARDS))
async def test_every_guard_that_is_measured_is_on(guard: str, redis_url: str) -> None:
    """Every measured guard is on: one that failed to start and answers 503 would be the cheapest."""
    app = build("bare", guard, redis_url)

    pages = [(await ask(app, http(f"/articles/{number}", method="GET"))).status for number in (1, 1)]
    guesses = [(await log_in(app, password=f"guess{number}")).status for number in range(25)]
    await app._loops.stop()

    assert pages == [401, 401]  # the bare endpoint answers this to everything
    assert guesses[0] == 401
    assert 429 in guesses


@pytest.mark.parametrize("name", list(STARTS))
def test_everything_that_is_timed_succeeds(name: str) -> None:
    """Every timed start succeeds, as a failing one is fast."""
    subprocess.run([sys.executable, "-c", STARTS[name]], check=True)


def test_memory_is_read_in_mebibytes() -> None:
    """Memory is in mebibytes: this process has more than ten, and no more shared pages than pages."""
    rss, pss = _memory_mib(os.getpid())

    assert 10 < pss <= rss < 100_000


def test_what_was_found_is_shown() -> None:
    """Each result is a row with every figure."""
    starts, lives, others = idle_tables(FOUND)

    assert [list(column.cells) for column in starts.columns] == [["asyncio"], ["2 (1 - 3)"], ["20.0"], ["100"]]
    assert [next(iter(column.cells)) for column in lives.columns] == [
        "bare",
        "-",
        "100.0",
        "5.0",
        "1.0",
        "30.0",
        "20.0",
    ]
    assert [next(iter(column.cells)) for column in others.columns][1:] == [
        "200.00% (100.00% - 300.00%)",
        "2.00 (1.00 - 3.00)",
        "2.0",
    ]
