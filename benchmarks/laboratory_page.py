"""Whether docs/laboratory.md is still what the code plays: `python -m benchmarks.laboratory_page [SCENARIO …]`.

The whole page takes three hours of a core, so a change of the guard leaves it as it was. This plays some of its rows
again, seeds 1 to 5, and shows each that has become another. It ends with 1 if there is one: play the page again then
(`make laboratory`), or say in it which rows are of which commit.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sekisho.simulate.laboratory import packaged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PAGE: Final = Path(__file__).parents[1] / "docs" / "laboratory.md"
SCENARIOS: Final = (
    "7pay",
    "copied-tokens",
    "nat-in-an-attack",
    "nat-with-solving-bot",
    "one-per-account",
    "proxy-at-nine",
)
POLICIES: Final = ("default", "factors", "familiar")
SEEDS: Final = "1-5"

Rows = dict[tuple[str, str], str]


def rows(page: str) -> Rows:
    """Return the rows of the tables of single scenarios, by scenario and policy: those of all five seeds."""
    found: Rows = {}
    scenario = ""
    for line in page.splitlines():
        if line.startswith("#"):
            scenario = line.removeprefix("### ").partition(":")[0]
        elif row := re.match(rf"\| ([\w-]+) \| {SEEDS} \|", line):
            found.setdefault((scenario, row[1]), line)
    return found


def played_again(scenarios: Iterable[str], policies: Iterable[str], folder: Path) -> Rows:
    """Play these rows, one process for each core. The page is written into `folder`."""
    page = folder / "laboratory.md"
    words = [word for policy in policies for word in ("--policy", policy)]
    words += [word for seed in range(1, 6) for word in ("--seed", str(seed))]
    command = [sys.executable, "-m", "sekisho", "simulate", *scenarios, *words, "--document", str(page)]
    subprocess.run([*command, "--jobs", str(os.cpu_count() or 1)], check=True, stdout=subprocess.DEVNULL)
    return rows(page.read_text())


def differences(now: Rows, before: Rows) -> Iterator[str]:
    """Describe each row that is another now, or that the page does not have."""
    for (scenario, policy), row in now.items():
        if (old := before.get((scenario, policy))) != row:
            yield f"{scenario}, {policy}\n  page {old or 'has no such row'}\n  now  {row}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.laboratory_page", description=__doc__)
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help=" ".join(SCENARIOS))
    parser.add_argument("--policy", action="append", metavar="NAME", help=" ".join(POLICIES))
    args = parser.parse_args(argv)
    if unknown := set(args.scenario) - set(packaged()):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; they are {', '.join(packaged())}")
    with tempfile.TemporaryDirectory() as folder:
        now = played_again(args.scenario or SCENARIOS, args.policy or POLICIES, Path(folder))
    other = list(differences(now, rows(PAGE.read_text())))
    print("\n".join([*other, f"{len(now) - len(other)} of {len(now)} rows are as docs/laboratory.md has them"]))
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main())
