"""Lists rows of `tests/rows.toml` without a test: `python -m tests.rows`.

A row is a finding from outside. It counts as held when every test that it names is found by pytest, and
it names at least one.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

ROWS = Path(__file__).with_suffix(".toml")


class Row(NamedTuple):
    """Attributes:
    number: section and place in it, as in `1.2`.
    kind: the kind of finding.
    tests: files, or single tests as `file::function`.
    """

    number: str
    kind: str
    tests: tuple[str, ...]


def read(path: Path = ROWS) -> list[Row]:
    """All rows, in the order of the file."""
    rows: dict[str, dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))["rows"]
    return [Row(number, row["kind"], tuple(row["tests"])) for number, row in rows.items()]


def found(tests: list[str]) -> set[str]:
    """Those of `tests` that pytest finds."""
    files = sorted({path for test in tests if Path(path := test.partition("::")[0]).is_file()})
    if not files:  # pytest would take that for all of them
        return set()
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-o", "addopts=--import-mode=importlib", *files]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    ids = {line.partition("[")[0] for line in said.splitlines() if "::" in line}
    return {*files, *ids}.intersection(tests)


def problems(rows: list[Row], there: set[str]) -> list[str]:
    """A line for each row that is not held."""
    lines = [f"{row.number} {row.kind}: no test" for row in rows if not row.tests]
    missing = [(row, test) for row in rows for test in row.tests if test not in there]
    return lines + [f"{row.number} {row.kind}: {test} is not a test" for row, test in missing]


def main() -> int:
    """Print what is missing. The exit code says whether anything is."""
    rows = read()
    lines = problems(rows, found([test for row in rows for test in row.tests]))
    sys.stdout.write("\n".join(lines) or f"each of {len(rows)} rows is held by a test")
    sys.stdout.write("\n")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
