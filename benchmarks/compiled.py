"""The hot path as wheels carry it, compiled by mypyc: made once for each state of the sources, beside the results."""

from __future__ import annotations

import os
import shutil
from functools import cache
from hashlib import blake2b
from pathlib import Path

from rich.console import Console

import hatch_build

_ROOT = Path(__file__).parent.parent / ".benchmarks" / "compiled"


@cache
def compiled_path() -> str:
    """A folder that stands for the sources. Compiles for a minute where nobody has yet."""
    folder = _ROOT / _state()
    if not (folder / "sekisho").exists():
        shutil.rmtree(_ROOT, ignore_errors=True)
        making = folder.with_suffix(".part")
        with Console().status("Compiling the hot path"):
            hatch_build.compiled_in(making)
        making.rename(folder)
    return str(folder)


def compiled_first() -> str:
    """`PYTHONPATH` for a process that is to run it."""
    return os.pathsep.join(filter(None, (compiled_path(), os.environ.get("PYTHONPATH"))))


def _state() -> str:
    digest = blake2b(digest_size=8)
    for path in sorted((hatch_build.MIDDLEWARE / "sekisho").rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()
