"""Pictures of the comparisons, drawn from the same JSON that readers get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
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


_STYLES = {"p50": "-", "p99": "--", "p99.9": ":"}


def latency(result: dict[str, Any], path: Path) -> None:
    """Latency over the rate for the bare and the guarded service, as SVG."""
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    for service, colour in (("guarded", _OURS), ("bare", _PEER)):
        rows = [row for row in result["points"] if row["service"] == service and row["latency_us"]]
        rows.sort(key=lambda row: row["rate"])
        for name, style in _STYLES.items():
            found = [row["latency_us"][name] for row in rows]
            axes.errorbar(
                [row["rate"] for row in rows],
                [each["median"] / 1e3 for each in found],
                yerr=_arms(found, 1e-3),
                color=colour,
                linestyle=style,
                marker="o",
                markersize=3,
                elinewidth=0.7,
                label=f"{service}, {name}",
            )
    for service, rate in result["saturation"].items():
        axes.axvline(rate, color=_OURS if service == "guarded" else _PEER, linewidth=0.8)
    axes.set_yscale("log")
    axes.set_xlim(left=0)
    axes.set_xlabel("requests a second, sent by the clock; upright lines: what each can answer at all")
    axes.set_ylabel("ms from the instant a request was due")
    axes.legend(frameon=False, ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle("How long a log-in waits, in front of one server core")
    _save(figure, path)


def growth(result: dict[str, Any], path: Path) -> None:
    """One small picture a curve: server and Redis time for each attempt over what grows, as SVG."""
    curves = result["curves"]
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    for axes, curve in zip(figure.subplots(2, 2).flat, curves, strict=False):
        points = curve["points"]
        for name, colour, label in (
            ("server_cpu_us", _OURS, "server, guarded"),
            ("bare_server_cpu_us", _PEER, "server, bare"),
            ("redis_cpu_us", _BARE, "Redis"),
        ):
            found = [point[name] for point in points]
            axes.errorbar(
                [point["at"] for point in points],
                [each["median"] for each in found],
                yerr=_arms(found, 1),
                color=colour,
                marker="o",
                markersize=3,
                elinewidth=0.7,
                label=label,
            )
        axes.set_xscale(curve["scale"])
        axes.set_ylim(bottom=0)
        axes.set_xlabel(curve["name"])
        axes.set_ylabel("µs for each attempt")
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False)
    figure.suptitle("What an attempt costs as something grows: one server core, one Redis")
    _save(figure, path)


def overload(result: dict[str, Any], path: Path) -> None:
    """For each flood: how many known devices were let in, and how long the slowest hundredth took, as SVG."""
    rows = list(reversed(result["cells"]))
    names = [row["row"] for row in rows]
    figure = Figure(figsize=(10, 1.5 + 0.3 * len(rows)), layout="constrained")
    let_in, took = figure.subplots(1, 2, sharey=True)
    let_in.barh(names, [100 * row["known_in"] / row["known"] for row in rows], color=_OURS)
    let_in.barh(names, [-100 * row["honest_in"] / row["honest"] for row in rows], color=_PEER)
    let_in.set_xticks([-100, -50, 0, 50, 100], ["100", "50", "0", "50", "100"])
    let_in.set_xlabel("let in, %: honest strangers (grey), known devices (red)")
    took.barh(names, [row["p99_ms"] for row in rows], color=_PEER)
    took.barh(names, [row["p50_ms"] for row in rows], color=_OURS)
    took.set_xlabel("ms, known devices: p50 (red), p99 (grey)")
    for axes in (let_in, took):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Log-ins of known devices beside a flood: one core, argon2id")
    _save(figure, path)


def _arms(found: Sequence[dict[str, float]], scale: float) -> list[list[float]]:
    """Lengths of the bars of error, downwards and upwards."""
    return [
        [scale * (each["median"] - each["low"]) for each in found],
        [scale * (each["high"] - each["median"]) for each in found],
    ]


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
