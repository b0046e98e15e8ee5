"""The runbook's command blocks, run word for word by a shell, in the service's environment."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.acceptance.processes import environment

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[2] / "docs" / "runbook.md"
SECONDS_MAX = 60
FOLDERS = ("/run/secrets", "/etc/shop", "/var/log/sekisho")


def blocks(title: str) -> list[str]:
    """The blocks of commands of an entry, in order."""
    entry = PAGE.read_text("utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```bash\n(.*?)^```$", entry, re.MULTILINE | re.DOTALL)


class Shell:
    """An operator's shell on the service's machine.

    Args:
        folder: for programs of ours, and in place of those of the page.
        settings: of the service.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self._folder = folder
        self._settings = settings
        (folder / "bin").mkdir()
        self._program("sekisho", f'exec "{sys.executable}" -m tests.cli.shown "$@"')
        self._program("python3", f'exec "{sys.executable}" "$@"')
        self._program("sudo", 'exec "$@"')
        self._program("systemctl", "exit 0")  # the test starts what an operator's machine would

    def _program(self, name: str, text: str) -> None:
        path = self._folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def __call__(self, block: str, status: int = 0) -> str:
        """Run a block; returns what it printed. Fails unless the last of its exit codes is `status`."""
        environ = environment(**self._settings)
        for folder in FOLDERS:
            block = block.replace(folder, str(self._folder))
        done = subprocess.run(
            ["bash", "-c", block],
            check=False,
            env={**environ, "PATH": f"{self._folder / 'bin'}:{environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        assert done.returncode == status, (block, done.stdout, done.stderr)
        return done.stdout + done.stderr


def becomes(look: Callable[[], object], wanted: object) -> None:
    """Wait until something looks as it should: workers follow within a second, on a machine that is free."""
    deadline = time.monotonic() + SECONDS_MAX
    while (found := look()) != wanted:
        assert time.monotonic() < deadline, (found, wanted)
        time.sleep(0.05)
