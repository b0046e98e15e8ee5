"""The thread that writes the audit, beside another commit: `python -m benchmarks.audit COMMIT [--compiled] [--quick]`.

Processor time of one thread for an attempt that failed, in each dialect: its decision as a part of a sum and a line of
its own for its outcome. Both trees take turns in processes of their own, and of each the least time counts, because all
that the machine does besides only adds to it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import arguments, measure
from benchmarks.beside import compiled, exported
from benchmarks.result import write_result
from benchmarks.tables import screen_table, wide_console

if TYPE_CHECKING:
    import argparse

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
    about = {"machine": measure.machine(), "base": options.commit, "compiled": options.compiled}
    write_result("audit", {**about, "microseconds": found}, quick=options.quick)


def _options() -> argparse.Namespace:
    parser = arguments.parser(__doc__, quick="one round")
    parser.add_argument("commit", metavar="COMMIT", help="what to compare with, as git names it")
    parser.add_argument("--compiled", action="store_true", help="both as wheels carry them")
    return parser.parse_args()


if __name__ == "__main__":
    main()
