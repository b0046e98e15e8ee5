"""One picture of one comparison, drawn from the same JSON that readers get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

_OURS, _PEER, _BARE = "#b3261e", "#8a8f98", "#2f3136"

# Ids by a fixed salt and no date: the same figures give the same file. Letters as letters, not as a drawing of each.
mpl.rcParams.update({"svg.hashsalt": "sekisho", "svg.fonttype": "none", "font.family": "sans-serif"})


def bars(result: dict[str, Any], path: Path) -> None:
    """Horizontal bars of speed as a share of the bare endpoint's, with 95% intervals, as SVG."""
    rows = list(reversed(result["variants"]))
    speeds = [row["speed_of_bare"] for row in rows]
    figure = Figure(figsize=(9, 1.2 + 0.5 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.barh(
        [row["name"] for row in rows],
        [100 * speed["median"] for speed in speeds],
        xerr=[
            [100 * (speed["median"] - speed["low"]) for speed in speeds],
            [100 * (speed["high"] - speed["median"]) for speed in speeds],
        ],
        color=[_OURS if row["ours"] else _PEER for row in rows],
        error_kw={"capsize": 3, "ecolor": _BARE, "elinewidth": 1},
    )
    axes.axvline(100, color=_BARE, linewidth=1, linestyle="--")
    for place, (row, speed) in enumerate(zip(rows, speeds, strict=True)):
        said = f"{row['server_cpu_us']['median']:.0f} µs, {row['requests_per_second']['median']:,.0f} req/s"
        axes.annotate(said, (100 * speed["high"], place), xytext=(6, 0), textcoords="offset points", va="center")
    axes.set_xlim(0, 1.35 * max(100, *(100 * speed["high"] for speed in speeds)))
    axes.set_xlabel("speed by server time, % of the bare endpoint (dashed); longer is better")
    figure.suptitle("One log-in attempt behind each guard: one server core, one Redis")
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
