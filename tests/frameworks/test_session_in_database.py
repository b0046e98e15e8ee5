"""A log-in of two pages whose sessions are in a database: the guard asks whose session it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_session_in_djangos_database_names_whose_password_it_is() -> None:
    """Guesses from new addresses each are counted, as docs/frameworks.md shows it, with two paths and with one."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.frameworks.in_database"], cwd=ROOT, capture_output=True, check=True, timeout=120
    )

    at_two_paths, at_one = json.loads(ran.stdout)
    assert at_two_paths == [302, 401, 401, 401, 429, 429]
    assert at_one == at_two_paths
