"""What the thread that writes the audit takes: `python -m benchmarks.audit COMMIT [--compiled] [--quick]`.

Beside another commit: processor time of one thread for an attempt that failed, in each dialect, which is its decision
as a part of a sum and a line of its own for its outcome. Both trees take turns in processes of their own, and of each
the least time counts, because all that the machine does besides only adds to it. Then a flood: the size of the audit
after a million attempts that are refused unread within a hundred seconds of a fake clock.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import arguments, measure
from benchmarks.beside import compiled, exported
from benchmarks.micro.test_audit import LOGIN, SHED, attempts, audit
from benchmarks.result import write_result
from benchmarks.tables import screen_table, wide_console
from sekisho.model import Mode
from sekisho.settings.audit import AuditFormat

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

_ROOT = Path(__file__).parents[1]
DIALECTS = ("sekisho", "ocsf", "ecs", "owasp")
ROUNDS, QUICK_ROUNDS = 5, 1
_TIMED = """
import sys, time
from benchmarks.micro.test_audit import audit, attempts, failures
from sekisho.settings.audit import AuditFormat
tried, least = attempts(), float("inf")
for _ in range(12):
    events, writer = audit(AuditFormat(sys.argv[1]))
    failures(events, tried)
    start = time.thread_time()
    writer.flush()
    least = min(least, time.thread_time() - start)
print(least / len(tried) * 1e6)
"""


def least_us(package: str, dialect: str) -> float:
    """Microseconds of an attempt, the least of twelve times 5,000 in one process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((package, str(_ROOT)))}
    command = [sys.executable, "-c", _TIMED, dialect]
    ran = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=True)
    return float(ran.stdout)


def times(packages: dict[str, str], rounds: int) -> dict[str, dict[str, float]]:
    """By dialect and tree."""
    found: dict[str, dict[str, float]] = {dialect: dict.fromkeys(packages, float("inf")) for dialect in DIALECTS}
    for _ in range(rounds):
        for dialect, of in found.items():
            for name, package in packages.items():
                of[name] = min(of[name], least_us(package, dialect))
    return found


class Flooded:
    """Takes the lines of a flood: how many there are, their bytes, and how many events they stand for."""

    def __init__(self) -> None:
        self.lines = self.bytes = self.events = 0

    def open(self) -> bool:
        return False

    def write(self, lines: Iterable[bytes]) -> Iterator[int]:
        for line in lines:
            self.lines += 1
            self.bytes += len(line)
            found = json.loads(line)
            self.events += found.get("times", 1) if found["kind"] == "decided" else 0
            yield 1


def flood(seconds: int = 100, each: int = 10_000) -> Flooded:
    """The audit of a flood. Raises `SystemExit` where a line stands for more or fewer attempts than there were."""
    place, now_us = Flooded(), [1_000_000]
    events, writer = audit(AuditFormat.SEKISHO, place, lambda: now_us[0])
    tried = attempts()
    for _ in range(seconds):
        for number in range(each):
            events.decided(LOGIN, SHED, Mode.ENFORCE, tried[number % len(tried)].origin)
            if number % 5_000 == 4_999:
                writer._write()  # noqa: SLF001 - as its thread does every 0.2 s
        now_us[0] += 1_000_000
    writer.end()
    if place.events != seconds * each:
        raise SystemExit(f"the audit stands for {place.events:,} of {seconds * each:,} attempts")
    return place


def _packages(commit: str, folder: Path, *, is_compiled: bool) -> dict[str, str]:
    base, here = exported(commit, folder / "base"), _ROOT / "middleware"
    if not is_compiled:
        return {commit: str(base), "here": str(here)}
    return {commit: compiled(base, folder / "base-compiled"), "here": compiled(here, folder / "here-compiled")}


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        packages = _packages(options.commit, Path(folder), is_compiled=options.compiled)
        found = times(packages, QUICK_ROUNDS if options.quick else ROUNDS)
    rows = [
        (dialect, f"{of[options.commit]:.1f}", f"{of['here']:.1f}", f"{of['here'] / of[options.commit]:.2f}")
        for dialect, of in found.items()
    ]
    title = "Microseconds an attempt in the thread that writes the audit"
    wide_console().print(screen_table(title, ("dialect", options.commit, "here", "ratio"), rows))
    flooded = flood()
    wide_console().print(f"{flooded.events:,} attempts of a flood: {flooded.lines} lines, {flooded.bytes:,} bytes")
    about = {"machine": measure.machine(), "base": options.commit, "compiled": options.compiled}
    write_result("audit", {**about, "microseconds": found, "flood": vars(flooded)}, quick=options.quick)


def _options() -> argparse.Namespace:
    parser = arguments.parser(__doc__, quick="one round")
    parser.add_argument("commit", metavar="COMMIT", help="what to compare with, as git names it")
    parser.add_argument("--compiled", action="store_true", help="both as wheels carry them")
    return parser.parse_args()


if __name__ == "__main__":
    main()
