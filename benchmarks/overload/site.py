"""Who logs in at the service that is measured, and what its processes are told. Imported by both sides."""

from __future__ import annotations

import secrets
import time
from base64 import b32encode
from typing import Final

import pyotp

from benchmarks.step_up.client import AGENT
from sekisho.challenge.device_token import DeviceTokens, browser_family
from sekisho.model import Device

SECRET: Final = "for-benchmarks-on-loopback-and-nothing-else"
PASSWORD: Final = "right-0000"
OWNERS: Final = 2_000
"""Accounts on known devices, `owner0` and so on, and as many honest strangers' (`guest0`)."""
APP_SECRET: Final = b"twenty bytes, shared"
"""What every authenticator app of this site holds."""

_TOKENS = DeviceTokens((SECRET.encode(),), days=90)


def token(account: str) -> str:
    """Of a device that has shown a factor for this account."""
    return _TOKENS.renewed(
        "",
        account,
        None,
        device_class=Device.PROVED,
        family=browser_family(AGENT.encode()),
        now_s=int(time.time()),
        fresh=secrets.token_bytes(8),
    )


def code() -> str:
    """What the app shows now."""
    return pyotp.TOTP(b32encode(APP_SECRET).decode()).now()


def is_member(account: str) -> bool:
    return account.startswith(("owner", "guest"))
