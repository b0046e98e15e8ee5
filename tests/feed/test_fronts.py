"""A flood before real fronts: it reaches the Python workers until the first refusal, and then the front alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.feed.tools import PATH, in_namespace, tool

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("front", "program", "said"), [("nftables", "nft", 0), ("haproxy", "haproxy", 429), ("nginx", "nginx", 429)]
)
def test_a_flood_of_one_address_costs_the_workers_nothing(
    front: str, program: str, said: int, redis_unix_url: str, tmp_path: Path
) -> None:
    """After the first refusal the front refuses the address: no request reaches a worker, an owner gets in, and the
    block ends with the refusal. nftables answers nothing, the others 429.
    """
    tool(program)
    ran = subprocess.run(
        [*in_namespace(), sys.executable, "-m", "tests.feed.namespace", front, str(tmp_path), redis_unix_url],
        cwd=ROOT, env={**os.environ, "PATH": PATH}, stdout=subprocess.PIPE, timeout=300, check=True,
    )  # fmt: skip

    assert json.loads(ran.stdout) == {"first": [401, 401, 429], "during": [said], "owner": 303}


def test_the_sets_of_nftables_follow_each_change() -> None:
    """Blocks of both families come with their time, are prolonged and removed; an earlier run leaves none behind."""
    ran = subprocess.run(
        [*in_namespace(), sys.executable, "-m", "tests.feed.nft_sets"],
        cwd=ROOT, env={**os.environ, "PATH": PATH}, stdout=subprocess.PIPE, timeout=60, check=True,
    )  # fmt: skip

    assert json.loads(ran.stdout) == [
        {"9.9.9.9": False, "2606:4700::/64": False},
        {"9.9.9.9": True, "2606:4700::/64": True, "9.9.9.10": False},
        {"9.9.9.10": False},
        {},
    ]
