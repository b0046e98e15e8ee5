"""Runs that were played before, one JSON object to a line, so that a laboratory that was cut off goes on."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict, fields
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.simulate.laboratory.results import CopyCounts, CopyUse, OwnerCounts, ResetCounts, Results

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sekisho.simulate.laboratory.scenario import Scenario


def run_key(scenario: Scenario, policy: str, settings: Mapping[str, str], seed: int) -> str:
    """Return a name for a run: a digest of every parameter, every setting and the seed, but not of the code."""
    said = repr((scenario, policy, sorted(settings.items()), seed))
    return blake2b(said.encode(), digest_size=16).hexdigest()


class KeptRun(NamedTuple):
    """Attributes:
    took_s: how long the run took, in seconds.
    at: the code that was played; empty where it has no name.
    """

    results: Results
    took_s: float
    at: str


class KeptRuns:
    """Results, the seconds that each took, and the code that was played, by `run_key`.

    Args:
        path: of the file; None: nothing is kept.
        at: names the code, such as by its commit; empty for no name.
    """

    def __init__(self, path: Path | None, at: str = "") -> None:
        self._path = path
        self._at = at
        self._found = _read(path.read_text(encoding="utf-8")) if path is not None and path.exists() else {}

    def __contains__(self, key: str) -> bool:
        return key in self._found

    def played(self, key: str, play: Callable[[], Results], clock_s: Callable[[], float]) -> KeptRun:
        """Return the kept run under `key`; if there is none, call `play` and keep what it returns."""
        if key not in self._found:
            begun_s = clock_s()
            results = play()
            self.keep(key, results, clock_s() - begun_s)
        return self._found[key]

    def keep(self, key: str, results: Results, took_s: float) -> None:
        """Keep a run's results, and the seconds that it took."""
        if self._path is not None:
            line = {"run": key, "at": self._at, "took_s": round(took_s, 3), "results": _as_json(results)}
            _append(self._path, json.dumps(line) + "\n")
        self._found[key] = KeptRun(results, took_s, self._at)


def _append(path: Path, line: str) -> None:
    with path.open("ab", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            content = line.encode()
            while content:  # a disk that becomes full takes a part
                content = content[file.write(content) :]
        except OSError as error:
            file.truncate(end)  # the next line would be glued to half of this one
            raise OSError(error.errno, error.strerror, str(path)) from None


def _read(text: str) -> dict[str, KeptRun]:
    found = {}
    for line in text.splitlines():
        try:
            each = json.loads(line)
        except ValueError:
            continue  # the machine stopped while it was written
        kept = KeptRun(_results(each["results"]), float(each["took_s"]), str(each.get("at", "")))
        found[str(each["run"])] = kept
    return found


def _as_json(results: Results) -> dict[str, Any]:
    return {
        **{field.name: getattr(results, field.name) for field in fields(Results)},
        "taken": {name: sorted(owners) for name, owners in results.taken.items()},
        "by_kind": {name: asdict(counts) for name, counts in results.by_kind.items()},
        "resets": {name: asdict(counts) for name, counts in results.resets.items()},
        "copies": [[use, asdict(counts)] for use, counts in results.copies.items()],
    }


def _results(found: dict[str, Any]) -> Results:
    return Results(
        **found
        | {
            "right": Counter(found["right"]),
            "attempts_of": Counter(found.get("attempts_of", {})),
            "reached_of": Counter(found.get("reached_of", {})),
            "taken": {name: set(owners) for name, owners in found["taken"].items()},
            "by_kind": {name: OwnerCounts(**counts) for name, counts in found["by_kind"].items()},
            "resets": {name: ResetCounts(**counts) for name, counts in found.get("resets", {}).items()},
            "copies": {CopyUse(*use): CopyCounts(**counts) for use, counts in found.get("copies", [])},
            "refused_by": Counter(found["refused_by"]),
        }
    )
