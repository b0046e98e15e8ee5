"""The comparison as one picture, drawn from the same JSON that readers get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

_OURS, _OTHER, _INK = "#b3261e", "#8a8f98", "#2f3136"


def structures(rows: Sequence[dict[str, Any]], entries: int, path: Path) -> None:
    """Bars of bytes per hash and of the time of a look-up, as SVG; what cannot be drawn stands beside them."""
    mpl.rcParams["svg.hashsalt"] = "sekisho"  # and no date: the same figures give the same file
    figure = Figure(figsize=(12, 1.4 + 0.5 * len(rows)), layout="constrained")
    size, speed = figure.subplots(1, 2, sharey=True)
    upwards = list(reversed(rows))
    _bars(size, upwards, lambda row: row["bytes_per_hash"], _told)
    size.set_xlabel("bytes per hash (log); shorter is better")
    _bars(speed, upwards, lambda row: row["absent_ns"]["median"] / 1000, _took)
    speed.set_xlabel("µs per warm look-up of an absent password (log); shorter is better")
    figure.suptitle(f"{entries:,} leaked passwords in each structure: one process, pinned, in turns")
    figure.savefig(path, metadata={"Date": None})


def _bars(
    axes: Axes, rows: Sequence[dict[str, Any]], value: Callable[[dict[str, Any]], float], say: Callable[..., str]
) -> None:
    values = [value(row) for row in rows]
    axes.barh([row["name"] for row in rows], values, color=[_OURS if row["ours"] else _OTHER for row in rows])
    axes.set_xscale("log")
    for place, row in enumerate(rows):
        axes.annotate(say(row), (values[place], place), xytext=(5, 0), textcoords="offset points", va="center")
    axes.set_xlim(min(values) / 2, max(values) * 30)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK)


def _told(row: dict[str, Any]) -> str:
    wrong = "exact" if row["exact"] else _in_error(row["false_positives"])
    return f"{row['bytes_per_hash']:.2f} B, {wrong}{', tells how often' if row['prevalence'] else ''}"


def _in_error(rate: dict[str, Any]) -> str:
    # Where nothing was found wrongly, the interval's end is all that is known.
    return f"{rate['rate']:.1e} wrong" if rate["hits"] else f"< {rate['high']:.0e} wrong"


def _took(row: dict[str, Any]) -> str:
    mib = max(0, *row["worker_bytes"]) / 2**20
    return f"{row['absent_ns']['median'] / 1000:.2f} µs" + (f"; {mib:,.0f} MiB more a worker" if mib >= 1 else "")
