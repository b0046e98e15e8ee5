"""A log-in of two pages whose sessions are in a database: the guard asks whose session it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_session_in_djangos_database_names_whose_password_it_is() -> None:
    """Guesses at one account are counted from new addresses each, as docs/frameworks.md shows it."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.frameworks.in_database"], cwd=ROOT, capture_output=True, check=True, timeout=120
    )

    assert json.loads(ran.stdout) == [401, 401, 401, 429, 429, 429]
