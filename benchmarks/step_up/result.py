"""Where results are kept, and what stands at the head of each."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"


def write(part: str, found: dict[str, Any], *, quick: bool) -> None:
    """Beside those of the other benchmarks; of a quick run under a name of its own, which git ignores."""
    RESULTS.mkdir(exist_ok=True)
    (path := _path(part, quick=quick)).write_text(
        json.dumps({"when": time.strftime("%Y-%m-%d"), **found}, indent=1) + "\n"
    )
    print(f"Written: benchmarks/results/{path.name}")


def read(part: str, *, quick: bool) -> dict[str, Any] | None:
    path = _path(part, quick=quick)
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _path(part: str, *, quick: bool) -> Path:
    return RESULTS / f"step-up-{part}{'-quick' if quick else ''}.json"
