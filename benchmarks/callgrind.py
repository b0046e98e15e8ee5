"""Instructions of a process, counted by callgrind. Other load on the machine does not change them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIXED = {"PYTHONHASHSEED": "0"}
"""Variables of a counted process: hashes of text decide where things lie in dictionaries, and with it how many steps a
look-up takes.
"""

mark = os.getppid
"""The system call that makes callgrind write down its count; nothing else in a counted process makes it."""

_TOTAL = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)


def total(dump: Path) -> int:
    """The instructions in a dump of callgrind. Raises `SystemExit` if there is no total in it."""
    found = _TOTAL.search(dump.read_text(errors="replace"))
    if found is None:
        raise SystemExit("callgrind wrote no total: this version of valgrind is not understood")
    return int(found[1])


def between_marks(module: str, *words: str) -> tuple[list[int], str]:
    """The instructions between the marks of `python -m module`, in order, and the module's output."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={folder}/count"]
        environment = {**os.environ, **FIXED, "PYTHONPATH": os.pathsep.join(sys.path)}
        ran = subprocess.run(
            [*command, sys.executable, "-m", module, *words],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if ran.returncode:
            raise SystemExit(f"valgrind failed:\n{ran.stderr[-3_000:]}")
        dumps = sorted(Path(folder).glob("count.*"), key=lambda dump: int(dump.suffix[1:]))
        return [total(dump) for dump in dumps], ran.stdout
