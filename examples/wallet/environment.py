"""The guard's settings for the wallet: `guard.env`, and the settings of one deployment."""

from __future__ import annotations

import shlex
from pathlib import Path

_FILE = Path(__file__).with_name("guard.env")


def settings(database: str, smtp: str, secret: str) -> dict[str, str]:
    """The environment of a guarded wallet behind a proxy on this machine.

    Args:
        database: the wallet's own, as SQLAlchemy's URL.
        smtp: the mail relay's URL.
        secret: the guard's.
    """
    lines = [line for line in _FILE.read_text().splitlines() if line and not line.startswith("#")]
    pairs = (line.partition("=") for line in lines)
    return {
        **{name: shlex.split(value)[0] for name, _, value in pairs},
        "SEKISHO_SECRET": secret,
        "SEKISHO_OWNERS": database,
        "SEKISHO_SMTP": smtp,
        "SEKISHO_TRUSTED_PROXIES": "127.0.0.0/8",
    }
