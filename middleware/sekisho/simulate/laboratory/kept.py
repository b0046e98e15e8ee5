"""Runs that were played before, one JSON object to a line, so that a laboratory that was cut off goes on."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, fields
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sekisho.simulate.laboratory.results import OwnerCounts, Results

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sekisho.simulate.laboratory.scenario import Scenario


def run_key(scenario: Scenario, policy: str, settings: Mapping[str, str], seed: int) -> str:
    """What a run's results depend on, but for the code: every parameter, setting and the seed."""
    said = repr((scenario, policy, sorted(settings.items()), seed))
    return blake2b(said.encode(), digest_size=16).hexdigest()


class KeptRuns:
    """Results and the seconds that each took, by `run_key`.

    Args:
        path: of the file; None: nothing is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._found = _read(path.read_text()) if path is not None and path.exists() else {}

    def played(self, key: str, play: Callable[[], Results], clock_s: Callable[[], float]) -> tuple[Results, float]:
        """The results of before, or those of `play`; and how many seconds it took."""
        if key in self._found:
            return self._found[key]
        begun_s = clock_s()
        results = play()
        took_s = clock_s() - begun_s
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps({"run": key, "took_s": round(took_s, 3), "results": _as_json(results)}) + "\n")
        return results, took_s


def _read(text: str) -> dict[str, tuple[Results, float]]:
    found = {}
    for line in text.splitlines():
        try:
            each = json.loads(line)
        except ValueError:
            continue  # the machine stopped while it was written
        found[str(each["run"])] = _results(each["results"]), float(each["took_s"])
    return found


def _as_json(results: Results) -> dict[str, Any]:
    return {
        **{field.name: getattr(results, field.name) for field in fields(Results)},
        "taken": {name: sorted(owners) for name, owners in results.taken.items()},
        "by_kind": {name: asdict(counts) for name, counts in results.by_kind.items()},
    }


def _results(found: dict[str, Any]) -> Results:
    return Results(
        **found
        | {
            "right": Counter(found["right"]),
            "taken": {name: set(owners) for name, owners in found["taken"].items()},
            "by_kind": {name: OwnerCounts(**counts) for name, counts in found["by_kind"].items()},
            "refused_by": Counter(found["refused_by"]),
        }
    )
