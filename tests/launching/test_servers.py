"""`docs/servers.md`: each server by the command line of the page, with two workers on one Redis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.feed.tools import PATH, in_namespace

ROOT = Path(__file__).parents[2]
PROGRAMS = f"{Path(sys.executable).parent}:{PATH}"


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn", "Hypercorn", "granian", "fastapi run"])
def test_two_workers_count_together_and_see_the_proxy(server: str, redis_unix_url: str) -> None:
    """Of eight guesses by turns at two workers four pass. The owner gets in at both. The peer stays the proxy, so that
    the guard itself judges the header.
    """
    ran = subprocess.run(
        [*in_namespace(), sys.executable, "-m", "tests.launching.namespace", server, redis_unix_url],
        cwd=ROOT, env={**os.environ, "PATH": PROGRAMS}, stdout=subprocess.PIPE, timeout=300, check=True,
    )  # fmt: skip

    assert json.loads(ran.stdout) == {"peers": ["127.0.0.1"] * 2, "guesses": [401] * 4 + [429] * 4, "owner": [303] * 2}
