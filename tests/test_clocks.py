"""Clocks are chosen in `wiring/` and handed to every part: a simulation runs the whole guard on its own time."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from sekisho import LoginGuard, wiring
from tests.modules import sources

if TYPE_CHECKING:
    from collections.abc import Iterator

CHOOSE = ("sekisho.wiring", "sekisho.cli", "sekisho.corpus")
"""They choose clocks: for a guard, for a command, for a build of a file."""

EXCEPTIONS = {
    "sekisho.breach.hibp_protocol": "bounds what a thread waits for a socket, which no other clock moves",
    "sekisho.settings.files": "a FIFO is waited for before there is a guard, by the system's `poll`",
    "sekisho.simulate.engine": "measures how long real servers take",
    "sekisho.simulate.phones": "codes for a service in a process of its own, on the machine's clock",
    "sekisho.simulate.serve": "reports the CPU time of its process",
}

OF_TIME = {
    f"{name}{unit}"
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime")
    for unit in ("", "_ns")
} | {"localtime", "gmtime", "ctime", "asctime", "strftime"}
OF_DATES = {"now", "utcnow", "today"}


def clocks_read(tree: ast.Module) -> Iterator[str]:
    """The names of clocks in a module, called or kept for later."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"time.{alias.name}" for alias in node.names if alias.name in OF_TIME)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            named = {"time": OF_TIME, "datetime": OF_DATES, "date": OF_DATES}.get(node.value.id, set())
            if node.attr in named:
                yield f"{node.value.id}.{node.attr}"


def test_no_part_chooses_its_clock() -> None:
    """A module outside the rooms that choose clocks reads none by itself, except for the reason stated here."""
    found = {name: sorted(set(clocks_read(tree))) for name, tree in sources().items() if not name.startswith(CHOOSE)}

    assert {name: clocks for name, clocks in found.items() if clocks and name not in EXCEPTIONS} == {}
    assert {name for name in EXCEPTIONS if not found.get(name)} == set(), "no longer exceptions"


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "from time import monotonic",
        "from time import time_ns as now",
        "import time\ndef f(clock=time.perf_counter): ...",
        "from datetime import datetime\ndatetime.now()",
        "from datetime import date\ndate.today()",
    ],
)
def test_a_clock_is_found(source: str) -> None:
    """Clocks are found in calls, imports and defaults."""
    assert list(clocks_read(ast.parse(source)))


def test_a_pause_is_no_clock() -> None:
    """Sleeping in a thread reads no time."""
    assert list(clocks_read(ast.parse("import time\ntime.sleep(1)"))) == []


def test_a_guard_on_other_clocks_is_a_login_guard() -> None:
    """`on_clocks` gives a class of its own, and leaves the guard on the machine's clocks."""
    clocks = wiring.MACHINE._replace(wall_s=lambda: 1.0)
    assert issubclass(wiring.on_clocks(clocks), LoginGuard)
    assert wiring.on_clocks(clocks)._clocks is clocks
    assert LoginGuard._clocks is wiring.MACHINE
