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

A password's hash takes a core some 35 ms, so a core checks some thirty log-ins a second, whoever sends them. A list of
a million lines from a million addresses is over no limit of any address; in one line with it, owners are turned away.
Here owners on known devices log in five times a second beside floods of many times what the machine can check, and an
honest stranger each second does what is asked of a stranger, in three tries.
[design.md](design.md#more-than-the-machine-can-do) says how they are kept apart.

{known} log-ins of known devices in each row. One uvicorn process on a core; Redis, the flood and those who measure on
the other. argon2id with 19 MiB and two passes; no setting but the door, the proxy and, where it says TOTP, the factor.
*Own pool* is a service with threads of its own, first come, first served; *on the event loop* one that hashes there.
Milliseconds count from the instant at which a log-in was due; a flood of more than some 5,000 a second is what one core
can send.
"""

TAIL = """
What a stranger gets meanwhile: where work can be asked for (`SEKISHO_CHALLENGES`, by default) a question for it as soon
as half of the room to wait is taken, and a turn within about a second once it is done; else 503 with `Retry-After`.
One in four checks is a stranger's however many known devices come, and one place in the application is always theirs.

`make soak` keeps one such flood up for ten minutes and fails where memory, file handles or tasks grow.
"""


def page(kept: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the page."""
    yield from HEAD.format(known=f"{kept['known']:,}").splitlines()
    if kept["known"] < KNOWN:
        yield from ("", f"**A first look**: a whole run has {KNOWN} in each row, and twice as many rows.")
    yield ""
    yield from markdown_table(COLUMNS, map(cell_cells, kept["cells"]))
    yield from ("", "![Known devices beside a flood](../benchmarks/results/overload.svg)", "")
    yield measured_text(kept)
    yield from TAIL.splitlines()


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
