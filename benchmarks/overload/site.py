"""Who logs in at the service that is measured, and what its processes are told. Imported by both sides."""

from __future__ import annotations

from base64 import b32encode
from typing import Final

import pyotp

PASSWORD: Final = "right-0000"
OWNERS: Final = 2_000
"""Accounts on known devices, `owner0` and so on, and as many honest strangers' (`guest0`)."""
APP_SECRET: Final = b"twenty bytes, shared"
"""What every authenticator app of this site holds."""


def code() -> str:
    """What the app shows now."""
    return pyotp.TOTP(b32encode(APP_SECRET).decode()).now()


def is_member(account: str) -> bool:
    return account.startswith(("owner", "guest"))
