"""The package of another commit, and workers that run it."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.beside import exported
from tests.acceptance.processes import ended, environment, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

LANDED = "2bd22e0c"
"""The commit whose workers still run while those of this tree start."""

_SERVICE = Path(__file__).with_name("service.py")


class Worker(NamedTuple):
    """Attributes:
    url: its address.
    errors: the file of its standard error.
    """

    url: str
    errors: Path


def landed(folder: Path, commit: str = LANDED) -> Path:
    """The folder with the package at `commit`. Raises `RuntimeError` in a clone without it."""
    try:
        return exported(commit, folder)
    except SystemExit:
        raise RuntimeError(f"commit {commit} is not here; fetch the whole history: git fetch --unshallow") from None


@contextmanager
def worker(middleware: Path, errors: Path, **settings: str) -> Iterator[Worker]:
    """One worker process of the service, guarded by the package in `middleware`."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener, errors.open("w") as written:
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, str(_SERVICE), str(listener.fileno())],
            env={**environment(**settings), "PYTHONPATH": str(middleware)},
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=written,
            text=True,
        )
    with ended(process):
        wait_for(port, process)
        yield Worker(f"http://127.0.0.1:{port}", errors)
