"""The run as one picture, drawn from the same JSON that readers get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

_OURS, _OTHER, _THIRD, _INK = "#b3261e", "#8a8f98", "#3f6ea8", "#2f3136"


def draw(found: Mapping[str, Any], path: Path) -> None:
    """Rate, memory and cores over the scenario's hours, and the attacks by what was asked of them, as SVG."""
    mpl.rcParams["svg.hashsalt"] = "sekisho"  # and no date: the same figures give the same file
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
    _bars(verdicts, found)
    plan, scenario = found["plan"], found["scenario"]
    hours_long, minutes = scenario["seconds"] / 3600, found["seconds"] / 60
    figure.suptitle(
        f"{scenario['attempts']:,} attacks and {scenario['logins']:,} log-ins of {hours_long:.1f} hours, "
        f"in {minutes:.1f} minutes: {plan['workers']} workers and Redis on two cores"
    )
    figure.savefig(path, metadata={"Date": None})


def _lines(axes: Axes, hours: Sequence[float], series: Sequence[Mapping[str, float]], names: Mapping[str, str]) -> None:
    for (name, label), colour in zip(names.items(), (_OURS, _OTHER, _THIRD), strict=False):
        axes.plot(hours, [row[name] for row in series], color=colour, label=label, linewidth=1.2)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("hours of the scenario")
    axes.legend(frameon=False, loc="best")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK)


def _bars(axes: Axes, found: Mapping[str, Any]) -> None:
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
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK)
