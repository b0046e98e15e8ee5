"""Pictures of the comparisons, drawn from the same JSON that readers get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

_OURS, _PEER, _BLUE, _INK = "#b3261e", "#8a8f98", "#3f6ea8", "#2f3136"

# Ids by a fixed salt and no date: the same figures give the same file. Letters as letters, not as a drawing of each.
mpl.rcParams.update({"svg.hashsalt": "sekisho", "svg.fonttype": "none", "font.family": "sans-serif"})


def draw_http(result: Mapping[str, Any], path: Path) -> None:
    """Horizontal bars of speed as a share of the bare endpoint's, with 95% intervals, as SVG."""
    rows = list(reversed(result["variants"]))
    speeds = [row["speed_of_bare"] for row in rows]
    figure = Figure(figsize=(9, 1.2 + 0.5 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.barh(
        [row["name"] for row in rows],
        [100 * speed["median"] for speed in speeds],
        xerr=_arms(speeds, 100),
        color=[_OURS if row["ours"] else _PEER for row in rows],
        error_kw={"capsize": 3, "ecolor": _INK, "elinewidth": 1},
    )
    axes.axvline(100, color=_INK, linewidth=1, linestyle="--")
    for place, (row, speed) in enumerate(zip(rows, speeds, strict=True)):
        said = f"{row['server_cpu_us']['median']:.0f} µs, {row['requests_per_second']['median']:,.0f} req/s"
        axes.annotate(said, (100 * speed["high"], place), xytext=(6, 0), textcoords="offset points", va="center")
    axes.set_xlim(0, 1.35 * max(100, *(100 * speed["high"] for speed in speeds)))
    axes.set_xlabel("speed by server time, % of the bare endpoint (dashed); longer is better")
    figure.suptitle("One log-in attempt behind each guard: one server core, one Redis")
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


_STYLES = {"p50": "-", "p99": "--", "p99.9": ":"}


def draw_latency(result: Mapping[str, Any], path: Path) -> None:
    """Latency over the rate for the bare and the guarded service, as SVG."""
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    for service, colour in (("guarded", _OURS), ("bare", _PEER)):
        rows = [row for row in result["points"] if row["service"] == service and row["latency_us"]]
        rows.sort(key=lambda row: row["rate"])
        for name, style in _STYLES.items():
            found = [row["latency_us"][name] for row in rows]
            label = f"{service}, {name}"
            _curve(axes, [row["rate"] for row in rows], found, 1e-3, color=colour, linestyle=style, label=label)
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


def draw_growth(result: Mapping[str, Any], path: Path) -> None:
    """One small picture a curve: server and Redis time for each attempt over what grows, as SVG."""
    curves = result["curves"]
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    for axes, curve in zip(figure.subplots(2, 2).flat, curves, strict=False):
        points = curve["points"]
        for name, colour, label in (
            ("server_cpu_us", _OURS, "server, guarded"),
            ("bare_server_cpu_us", _PEER, "server, bare"),
            ("redis_cpu_us", _INK, "Redis"),
        ):
            found = [point[name] for point in points]
            _curve(axes, [point["at"] for point in points], found, 1, color=colour, label=label)
        axes.set_xscale(curve["scale"])
        axes.set_ylim(bottom=0)
        axes.set_xlabel(curve["name"])
        axes.set_ylabel("µs for each attempt")
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False)
    figure.suptitle("What an attempt costs as something grows: one server core, one Redis")
    _save(figure, path)


def draw_overload(result: Mapping[str, Any], path: Path) -> None:
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


def draw_structures(result: Mapping[str, Any], path: Path) -> None:
    """Bars of bytes per hash and of the time of a look-up, as SVG; what cannot be drawn stands beside them."""
    rows, entries = result["structures"], result["plan"]["entries"]
    figure = Figure(figsize=(12, 1.4 + 0.5 * len(rows)), layout="constrained")
    size, speed = figure.subplots(1, 2, sharey=True)
    upwards = list(reversed(rows))
    _structure_bars(size, upwards, lambda row: row["bytes_per_hash"], _told)
    size.set_xlabel("bytes per hash (log); shorter is better")
    _structure_bars(speed, upwards, lambda row: row["absent_ns"]["median"] / 1000, _took)
    speed.set_xlabel("µs per warm look-up of an absent password (log); shorter is better")
    figure.suptitle(f"{entries:,} leaked passwords in each structure: one process, pinned, in turns")
    _save(figure, path)


def _structure_bars(
    axes: Axes, rows: Sequence[dict[str, Any]], value: Callable[[dict[str, Any]], float], say: Callable[..., str]
) -> None:
    values = [value(row) for row in rows]
    axes.barh([row["name"] for row in rows], values, color=[_OURS if row["ours"] else _PEER for row in rows])
    axes.set_xscale("log")
    for place, row in enumerate(rows):
        axes.annotate(say(row), (values[place], place), xytext=(5, 0), textcoords="offset points", va="center")
    axes.set_xlim(min(values) / 2, max(values) * 30)
    _plain(axes)


def _told(row: dict[str, Any]) -> str:
    wrong = "exact" if row["exact"] else _in_error(row["false_positives"])
    return f"{row['bytes_per_hash']:.2f} B, {wrong}{', tells how often' if row['prevalence'] else ''}"


def _in_error(rate: dict[str, Any]) -> str:
    # Where nothing was found wrongly, the interval's end is all that is known.
    return f"{rate['rate']:.1e} wrong" if rate["hits"] else f"< {rate['high']:.0e} wrong"


def _took(row: dict[str, Any]) -> str:
    mib = max(0, *row["worker_bytes"]) / 2**20
    return f"{row['absent_ns']['median'] / 1000:.2f} µs" + (f"; {mib:,.0f} MiB more a worker" if mib >= 1 else "")


def draw_replay(found: Mapping[str, Any], path: Path) -> None:
    """Rate, memory and cores over the scenario's hours, and the attacks by what was asked of them, as SVG."""
    series = found["series"]
    hours = [row["scenario_hours"] for row in series]
    figure = Figure(figsize=(12, 7.5), layout="constrained")
    (rate, memory), (cores, verdicts) = figure.subplots(2, 2)
    _lines(rate, hours, series, {"attempts_per_second": "attempts", "asked_per_second": "charges asked of Redis"})
    rate.set_ylabel("a second")
    _lines(memory, hours, series, {
        "redis_used_mib": "Redis, used", "redis_rss_mib": "Redis, resident", "worker_rss_mib": "largest worker",
    })  # fmt: skip
    memory.set_ylabel("MiB")
    _lines(cores, hours, series, {"workers_cores": "workers", "redis_cores": "Redis"})
    cores.set_ylabel("cores")
    _verdict_bars(verdicts, found)
    plan, scenario = found["plan"], found["scenario"]
    hours_long, minutes = scenario["seconds"] / 3600, found["seconds"] / 60
    figure.suptitle(
        f"{scenario['attempts']:,} attacks and {scenario['logins']:,} log-ins of {hours_long:.1f} hours, "
        f"in {minutes:.1f} minutes: {plan['workers']} workers and Redis on two cores"
    )
    _save(figure, path)


def _lines(axes: Axes, hours: Sequence[float], series: Sequence[Mapping[str, float]], names: Mapping[str, str]) -> None:
    for (name, label), colour in zip(names.items(), (_OURS, _PEER, _BLUE), strict=False):
        axes.plot(hours, [row[name] for row in series], color=colour, label=label, linewidth=1.2)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("hours of the scenario")
    axes.legend(frameon=False, loc="best")
    _plain(axes)


def _verdict_bars(axes: Axes, found: Mapping[str, Any]) -> None:
    counts, attempts = found["tally"]["counts"], found["scenario"]["attempts"]
    assessed, admitted = counts.get("assessed_attacks", 0), counts.get("admitted", 0)
    rows = {
        "let in": counts.get("taken", 0),
        "asked for a proof": counts.get("looked_at", 0) - counts.get("taken", 0),
        "asked for work first": counts.get("work_asked", 0),
        "throttled by Redis": assessed - admitted,
        "shed by the worker": counts.get("shed", 0),
    }
    axes.barh(list(rows), [100 * times / attempts for times in rows.values()], color=_OURS)
    for place, times in enumerate(rows.values()):
        text = f"{times:,} ({times / attempts:.2%})"
        axes.annotate(text, (100 * times / attempts, place), xytext=(5, 0), textcoords="offset points", va="center")
    axes.set_xlim(0, 125)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("% of the attacks")
    _plain(axes)


def _curve(
    axes: Axes, places: Sequence[float], found: Sequence[Mapping[str, float]], scale: float, **style: str
) -> None:
    medians = [scale * each["median"] for each in found]
    axes.errorbar(places, medians, yerr=_arms(found, scale), marker="o", markersize=3, elinewidth=0.7, **style)


def _arms(found: Sequence[Mapping[str, float]], scale: float) -> list[list[float]]:
    """Lengths of the bars of error, downwards and upwards."""
    return [
        [scale * (each["median"] - each["low"]) for each in found],
        [scale * (each["high"] - each["median"]) for each in found],
    ]


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK)


PICTURES: dict[str, Callable[[Mapping[str, Any], Path], None]] = {
    "http": draw_http,
    "latency": draw_latency,
    "growth": draw_growth,
    "overload": draw_overload,
    "corpus-structures": draw_structures,
    "replay": draw_replay,
}
"""The function that draws each result, by the stem of its file."""
