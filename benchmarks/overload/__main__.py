"""Known devices beside floods larger than the machine: `python -m benchmarks.overload [--quick]`.

One uvicorn process on a core checks passwords in argon2id at OWASP's settings; the flood, Redis and those who measure
share the other. Each cell has a service and a Redis of its own. Owners on known devices log in five times a second, and
an honest stranger each second, who does the work and shows the factor that he is asked for, in three tries. `--page`
writes docs/overload.md and its picture from the results so far; `--again` measures the rows of `--only` and takes them
over into these results, each as soon as it is measured; with `--quick`, into those of a quick run.
"""

from __future__ import annotations

import resource
import sys
import time
from typing import TYPE_CHECKING, Any

from benchmarks import arguments, measure
from benchmarks.overload import cells, soak
from benchmarks.overload.cells import Cell, Row
from benchmarks.overload.page import KNOWN, cell_cells, page
from benchmarks.result import draw_result, read_result, write_page, write_result
from benchmarks.tables import screen_table, wide_console

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Mapping

    from rich.table import Table

QUICK_KNOWN = 10
TIMES = 5


def _twice(name: str, flood: str, rate: float, **more: Any) -> Iterator[Row]:
    """A row, and five times of it."""
    said = f"{rate:,.0f}/s" if rate > TIMES else ""
    yield Row(f"{name} {said}".strip(), flood, rate, **more)
    said = f"{TIMES * rate:,.0f}/s" if rate > TIMES else f"× {TIMES}"
    yield Row(f"{name} {said}", flood, TIMES * rate, **more)


def rows() -> Iterator[Row]:
    yield Row("none")
    yield from _twice("one address", "one address", 5_400)
    yield from _twice("slow bodies, 500", "slow bodies", 1)
    yield from _twice("idle connections, 1,000", "idle connections", 1)
    yield from _twice("work pages", "work pages", 150)
    yield from _twice("300 addresses", "300 addresses", 150)
    for rate in (60, 150, 1_059):
        yield from _twice("fresh addresses", "fresh addresses", rate)
    yield Row("TOTP, none", factors=True)
    for rate in (70, 150, 800):
        yield from _twice("TOTP, fresh addresses", "fresh addresses", rate, factors=True)
    for app, name in (("pool", "own pool"), ("blocking", "on the event loop")):
        yield Row(f"{name}, none", app=app)
        yield from _twice(f"{name}, fresh addresses", "fresh addresses", 150, app=app)


QUICK = (
    "none", "one address 5,400/s", "slow bodies, 500", "idle connections, 1,000", "work pages 150/s",
    "300 addresses 150/s", "fresh addresses 60/s", "fresh addresses 150/s", "fresh addresses 750/s",
    "fresh addresses 1,059/s", "TOTP, none", "TOTP, fresh addresses 150/s", "TOTP, fresh addresses 750/s",
    "own pool, none", "own pool, fresh addresses 150/s", "on the event loop, none",
    "on the event loop, fresh addresses 150/s",
)  # fmt: skip


def main() -> None:
    parser = arguments.parser(__doc__, quick=f"{QUICK_KNOWN} log-ins in each of {len(QUICK)} cells, in four minutes")
    parser.add_argument("--known", type=int, default=0, help=f"log-ins of known devices in a cell; {KNOWN} by default")
    parser.add_argument("--only", default="", help="rows whose name holds this; several, separated by semicolons")
    parser.add_argument("--again", action="store_true", help="take the rows of --only over into the kept results")
    parser.add_argument("--page", action="store_true", help="measure nothing: the page from what was measured")
    parser.add_argument("--soak", type=float, default=0, metavar="MINUTES", help="one flood for so long: what grows")
    options = parser.parse_args()
    if options.page:
        return write_overload_page(quick=options.quick)
    measure.require("taskset")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if options.again:
        return _measure_again(options)
    if options.soak:
        sys.exit(not soak.ran(options.soak))
    return _measure(options)


def _measure(options: Namespace) -> None:
    about, known = measure.machine(), options.known or (QUICK_KNOWN if options.quick else KNOWN)
    found = list(_measured(options, known))
    wide_console().print(overload_table(found))
    kept = {"machine": about, "known": known, "cells": [cell._asdict() for cell in found]}
    write_result("overload", kept, quick=options.quick or bool(options.only))
    if not options.quick and not options.only:
        write_overload_page(quick=False)


def _measured(options: Namespace, known: int) -> Iterator[Cell]:
    console = wide_console()
    for row in rows():
        if not _is_chosen(row, options):
            continue
        with console.status(row.name):
            cell = cells.measured(row, known)
        console.print(f"{row.name}: {cell.known_in} of {cell.known}, p99 {cell.p99_ms:,.0f} ms")
        yield cell


def _is_chosen(row: Row, options: Namespace) -> bool:
    return any(part in row.name for part in options.only.split(";")) and (row.name in QUICK or not options.quick)


def _measure_again(options: Namespace) -> None:
    about, day = measure.machine(), time.strftime("%Y-%m-%d")
    kept = _kept(quick=options.quick)
    if not any(_is_chosen(row, options) for row in rows()):
        raise SystemExit(f"no row holds {options.only!r}")
    for cell in _measured(options, kept["known"]):
        kept = with_cell(kept, cell, about, day)
        write_result("overload", kept, quick=options.quick)
    write_overload_page(quick=options.quick)


def with_cell(kept: Mapping[str, Any], cell: Cell, about: Mapping[str, Any], day: str) -> dict[str, Any]:
    """The kept results with a cell measured again, or for the first time: `again` says when and on which machine."""
    again = {**kept.get("again", {}), cell.row: {"when": day, "machine": about}}
    by_row = {one["row"]: one for one in kept["cells"]} | {cell.row: cell._asdict()}
    return {**kept, "cells": [*by_row.values()], "again": again}


def overload_table(found: list[Cell]) -> Table:
    headings = ("flood", "sent/s", "known in", "p50 / p99 ms", "honest in", "their p50 ms", "reached/s")
    return screen_table(
        "Known devices beside a flood",
        (*headings, "lag p99, ms", "MiB", "Redis MiB"),
        [cell_cells(cell._asdict()) for cell in found],
    )


def write_overload_page(*, quick: bool) -> None:
    kept = _kept(quick=quick)
    draw_result("overload", kept, quick=quick)
    write_page("overload.md", page(kept), quick=quick)


def _kept(*, quick: bool) -> dict[str, Any]:
    kept = read_result("overload", quick=quick)
    if kept is None:
        raise SystemExit("nothing has been measured yet")
    return kept


if __name__ == "__main__":
    main()
