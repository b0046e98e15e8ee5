"""Programs that stand in front of services: on PATH, or beside Debian's other programs for administrators.

Tests install none of them: `.ci/run` does.
"""

from __future__ import annotations

import os
import shutil

PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


def tool(name: str) -> str:
    """The path of a program. Raises `RuntimeError`: a test that skips without it would claim nothing."""
    found = shutil.which(name, path=PATH)
    if found is None:
        raise RuntimeError(
            f"these tests need {name}; `.ci/run` installs it (Debian: nftables, haproxy, nginx-light, caddy, crowdsec)"
        )
    return found


def in_namespace() -> list[str]:
    """What begins a command that runs in a network namespace of its own, as its root."""
    return [tool("unshare"), "--net"] if os.getuid() == 0 else [tool("unshare"), "--map-root-user", "--net"]
