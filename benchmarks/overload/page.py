"""The results as a page of the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.result import measured_text
from benchmarks.tables import markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COLUMNS = ("flood", "sent/s", "known in", "p50 / p99 ms", "honest strangers in", "their p50 ms", "reached/s",
           "loop late, p99 ms", "server MiB", "Redis MiB")  # fmt: skip


KNOWN = 500
"""Log-ins of known devices in a row of a whole run."""

HEAD = """\
# More than the machine can do

Written by `python -m benchmarks.overload` from `benchmarks/results/overload.json`.

The hash of a password takes a core some 35 ms, so a core checks some thirty log-ins a second, from any client. A list
of a million lines, sent from a million addresses, exceeds no limit of any address; if all clients shared one queue
with it, owners would be refused. Here owners on known devices log in five times a second beside floods of many times
what the machine can check. Each second an honest stranger logs in and solves the challenges, in at most three tries.
[design.md](design.md#more-than-the-machine-can-do) says how they are kept apart.

{known} log-ins of known devices in each row. One uvicorn process runs on one core; Redis, the flood and the measuring
clients share the other. argon2id with 19 MiB and two passes; the only settings are the door, the proxy and, in rows
with TOTP, the factor. *Own pool* is a service that hashes in its own threads, first come, first served; *on the event
loop* is one that hashes there. Milliseconds count from the moment at which a log-in was due. One core can send a
flood of some 5,000 a second at most.
"""

TAIL = """
Meanwhile strangers are served as follows. If work can be asked for (`SEKISHO_CHALLENGES`, by default), a stranger
gets a challenge as soon as half of the waiting room is taken, and a turn within about a second after solving it;
otherwise 503 with `Retry-After`. One in four checks is for a stranger, regardless of the number of known devices, and
one place in the application is reserved for strangers.

`make soak` continues one such flood for ten minutes, and fails if memory, file handles or tasks grow.
"""


def page(kept: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the page."""
    yield from HEAD.format(known=f"{kept['known']:,}").splitlines()
    if kept["known"] < KNOWN:
        yield from ("", f"**A first look**: a whole run has {KNOWN} in each row, and twice as many rows.")
    yield ""
    rows = ((*cell_cells(cell), _commit_of(cell["row"], kept)) for cell in kept["cells"])
    yield from markdown_table((*COLUMNS, "commit"), rows)
    yield from ("", "![Known devices beside a flood](../benchmarks/results/overload.svg)", "")
    yield measured_text(kept)
    yield from _again(kept.get("again", {}))
    yield from TAIL.splitlines()


def _commit_of(row: str, kept: Mapping[str, Any]) -> str:
    """The commit at which a row was measured."""
    commit: str = kept.get("again", {}).get(row, kept)["machine"]["commit"]
    return commit


def _again(again: Mapping[str, Any]) -> Iterator[str]:
    """When and at which commits rows were measured again."""
    by_run: dict[str, list[str]] = {}
    for row, run in again.items():
        by_run.setdefault(measured_text(run), []).append(row)
    for text, rows in by_run.items():
        yield from ("", f"Measured again after the others: {'; '.join(rows)}. {text}")


def cell_cells(cell: Mapping[str, Any]) -> tuple[str, ...]:
    """The row of a cell, for the screen and the page."""
    return (
        cell["row"],
        f"{cell['sent_a_second']:,.0f}",
        f"{cell['known_in']} of {cell['known']}",
        f"{cell['p50_ms']:,.0f} / {cell['p99_ms']:,.0f}",
        f"{cell['honest_in']} of {cell['honest']}",
        f"{cell['honest_p50_ms']:,.0f}",
        f"{cell['reached_a_second']:.1f}",
        f"{cell['lag_p99_ms']:.0f}",
        f"{cell['rss_mib']:.0f}",
        f"{cell['redis_mib']:.1f}",
    )
