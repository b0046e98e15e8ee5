"""`docs/proxies.md`: each proxy with the file of the page, and clients that forge the header."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sekisho.settings import load
from tests.feed.tools import PATH, in_namespace, tool
from tests.proxies.namespace import Entry

ROOT = Path(__file__).parents[2]
MADE = {"SEKISHO_SECRET": "kR4-vw0cM1zQ8sXy7bTn2JdLhG5uPfAe"}


@pytest.mark.parametrize(
    ("proxy", "program"), [("nginx", "nginx"), ("HAProxy", "haproxy"), ("Caddy", "caddy"), ("Cloudflare", "haproxy")]
)
def test_the_clients_address_is_counted_whatever_it_claims(
    proxy: str, program: str, redis_unix_url: str, tmp_path: Path
) -> None:
    """A client that forges another address for each guess is refused after two, and the owner, whose address it forges
    at last, gets in.
    """
    tool(program)
    ran = subprocess.run(
        [*in_namespace(), sys.executable, "-m", "tests.proxies.namespace", proxy, str(tmp_path), redis_unix_url],
        cwd=ROOT, env={**os.environ, "PATH": PATH}, stdout=subprocess.PIPE, timeout=300, check=True,
    )  # fmt: skip

    assert json.loads(ran.stdout) == {"forged": [401, 401, 429, 429], "as the owner": [429] * 4, "owner": 303}


@pytest.mark.parametrize("front", ["nginx", "HAProxy", "Caddy", "Cloudflare", "CloudFront"])
def test_the_settings_of_the_page_are_accepted(front: str) -> None:
    """The settings of each section start a guard that trusts somebody, and not everybody."""
    loaded = load({**MADE, **Entry.of(front).settings}, {})
    assert loaded.trusted_proxies
