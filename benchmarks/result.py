"""Where results are kept, what stands at the head of each, and how figures are written."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RESULTS = Path(__file__).with_name("results")


def path(stem: str, *, quick: bool, suffix: str = "json") -> Path:
    """Of a quick run under a name of its own, which git ignores."""
    return RESULTS / f"{stem}{'-quick' if quick else ''}.{suffix}"


def write(stem: str, found: Mapping[str, Any], *, quick: bool) -> dict[str, Any]:
    """Write a result; returns its content."""
    RESULTS.mkdir(exist_ok=True)
    kept = {"when": time.strftime("%Y-%m-%d"), **found}
    where = path(stem, quick=quick)
    where.write_text(json.dumps(kept, indent=1) + "\n")
    print(f"Written: benchmarks/results/{where.name}")
    return kept


def read(stem: str, *, quick: bool) -> dict[str, Any] | None:
    where = path(stem, quick=quick)
    if not where.exists():
        return None
    found: dict[str, Any] = json.loads(where.read_text())
    return found


def said(interval: Mapping[str, float], form: str) -> str:
    """A median with its interval."""
    low, median, high = interval["low"], interval["median"], interval["high"]
    return f"{median:{form}} ({low:{form}} - {high:{form}})"


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table; all but the first column to the right."""
    yield f"| {' | '.join(headings)} |"
    yield f"|---|{'---:|' * (len(headings) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def machine(found: Mapping[str, Any]) -> str:
    """On what it was measured, in one sentence."""
    about = found["machine"]
    redis = f"Redis {about['redis']}, " if "redis" in about else ""
    return (
        f"Measured {found['when']}: {about['processor']}, {about['cores']} cores, Linux {about['kernel']}, Python "
        f"{about['python']}, {redis}commit {about['commit']}, load before {about['load_average_before']}."
    )
