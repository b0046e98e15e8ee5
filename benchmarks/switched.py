"""What an attempt costs with features switched on, in instructions: `python -m benchmarks.switched [--quick]`.

The same compiled tree, served as in `benchmarks.beside`, with its defaults, with each feature alone, and with all. The
thread that answers requests is counted apart from the others, which write the audit: they run while it waits.
"""

from __future__ import annotations

import asyncio
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from benchmarks import arguments, measure
from benchmarks.beside import LEAD_IN, LOADS, SHED_FOR_LONG, Counted, Sent, Tree
from benchmarks.compiled import compiled_path
from benchmarks.login_post import numbered_login
from benchmarks.result import write_result
from benchmarks.tables import screen_table, wide_console
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REQUESTS, QUICK_REQUESTS = 3_200, 960
DEFAULTS, ALL = "defaults", "all of them"
FEATURES = {
    "audit": {"SEKISHO_AUDIT": "file:{folder}/audit.jsonl", "SEKISHO_AUDIT_CHECKPOINTS": "store"},
    "events": {"SEKISHO_EVENTS_FILE": "{folder}/events.jsonl"},
    "metrics": {"SEKISHO_METRICS_TOKEN": "a-token-of-the-benchmarks-that-opens-nothing"},
    "feed": {"SEKISHO_FEED": "on"},
    "posture and familiarity": {"SEKISHO_PRESET": "familiar"},
}


class Cost(NamedTuple):
    """Thousands of instructions an attempt: of the thread that answers, and of all others."""

    answering: float
    others: float


def set_ups(folder: str) -> dict[str, dict[str, str]]:
    """Variables by the name of what they switch on. `folder`: for files."""
    features = {
        title: {name: value.format(folder=folder) for name, value in variables.items()}
        for title, variables in FEATURES.items()
    }
    everything = {name: value for variables in features.values() for name, value in variables.items()}
    return {DEFAULTS: {}, **features, ALL: everything}


async def costs(package: str, loads: Sequence[str], requests: int) -> dict[str, dict[str, Cost]]:
    """By load and set-up."""
    found: dict[str, dict[str, Cost]] = {load: {} for load in loads}
    with RedisServer() as redis, tempfile.TemporaryDirectory() as name, Console().status("Counting") as status:
        for load, of in found.items():
            sent = Sent(
                partial(numbered_login, LOADS[load]), requests, LEAD_IN, measure.CONNECTIONS, is_shed=load == "shed"
            )
            folder = Path(name) / load
            folder.mkdir()
            for title, variables in set_ups(str(folder)).items():
                status.update(f"Counting: {load}, {title}")
                redis.cli("FLUSHALL")
                limits = SHED_FOR_LONG if sent.is_shed else {}
                environment = {"BENCH_STORE": redis.url, **limits, **variables}
                with Counted(Tree("here", package), "guarded", folder, environment) as server:
                    total = await server.count(sent)
                    of[title] = Cost(server.first_thread / 1_000, (total - server.first_thread) / 1_000)
    return found


def rows(found: dict[str, dict[str, Cost]]) -> Iterator[tuple[str, ...]]:
    for load, of in found.items():
        for title, cost in of.items():
            ratio = cost.answering / of[DEFAULTS].answering
            yield load, title, f"{cost.answering:.1f}", f"{ratio:.3f}", f"{cost.others:.1f}"


def main() -> None:
    options = arguments.parser(__doc__, quick="fewer requests, wrong passwords alone").parse_args()
    measure.require("valgrind")
    loads = ["wrong"] if options.quick else list(LOADS)
    requests = QUICK_REQUESTS if options.quick else REQUESTS
    found = asyncio.run(costs(compiled_path(), loads, requests))
    headings = ("attempt", "switched on", "answering", "ratio", "other threads")
    wide_console().print(screen_table("Thousands of instructions an attempt, over HTTP", headings, list(rows(found))))
    kept = {load: {title: cost._asdict() for title, cost in of.items()} for load, of in found.items()}
    write_result(
        "switched", {"machine": measure.machine(), "requests": requests, "thousands": kept}, quick=options.quick
    )


if __name__ == "__main__":
    main()
