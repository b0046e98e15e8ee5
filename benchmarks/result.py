"""Results: JSON and pictures in `benchmarks/results`, and pages in `docs` that are written from them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RESULTS = Path(__file__).with_name("results")
DOCS = Path(__file__).parents[1] / "docs"


def result_path(stem: str, *, quick: bool, suffix: str = "json") -> Path:
    """The file of a result. A quick run has a name of its own, which git ignores."""
    return RESULTS / f"{stem}{'-quick' if quick else ''}.{suffix}"


def write_result(stem: str, found: Mapping[str, Any], *, quick: bool) -> dict[str, Any]:
    """Write a result with its day. Returns the written content."""
    RESULTS.mkdir(exist_ok=True)
    kept = {"when": time.strftime("%Y-%m-%d"), **found}
    path = result_path(stem, quick=quick)
    path.write_text(json.dumps(kept, indent=1) + "\n")
    print(f"Written: benchmarks/results/{path.name}")
    return kept


def read_result(stem: str, *, quick: bool) -> dict[str, Any] | None:
    """The content of a result; `None` where nothing has been measured yet."""
    path = result_path(stem, quick=quick)
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def draw_result(stem: str, kept: Mapping[str, Any], *, quick: bool) -> None:
    """Draw the picture of a result beside it."""
    from benchmarks import picture  # noqa: PLC0415 - measuring and reading need no plotting package

    picture.PICTURES[stem](kept, result_path(stem, quick=quick, suffix="svg"))


def write_page(name: str, lines: Iterable[str], *, quick: bool = False) -> None:
    """Write a page of the documentation. That of a quick run is printed instead."""
    text = "\n".join(lines) + "\n"
    if quick:
        print(text)
    else:
        (DOCS / name).write_text(text, "utf-8")
        print(f"Written: docs/{name}")


def interval_text(interval: Mapping[str, float], form: str = ".2f") -> str:
    """A median with its interval: `0.51 (0.50 - 0.52)`."""
    low, median, high = interval["low"], interval["median"], interval["high"]
    return f"{median:{form}} ({low:{form}} - {high:{form}})"


def machine_text(about: Mapping[str, Any]) -> str:
    """The machine, as `measure.machine` describes it, and the measured commit."""
    redis = f"Redis {about['redis']}, " if "redis" in about else ""
    return (
        f"{about['processor']}, {about['cores']} cores, Linux {about['kernel']}, Python {about['python']}, "
        f"{redis}commit {about['commit']}"
    )


def measured_text(found: Mapping[str, Any]) -> str:
    """When and on which machine a result was measured, as a sentence."""
    about = found["machine"]
    return f"Measured {found['when']}: {machine_text(about)}, load before {about['load_average_before']}."
