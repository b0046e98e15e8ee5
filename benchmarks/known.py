"""A device that has shown a factor, at the services that are measured beside a flood or behind a step-up."""

from __future__ import annotations

import secrets
import time
from typing import Final

from benchmarks.login_post import AGENT
from sekisho.devices.token import DeviceTokens, browser_family
from sekisho.model import Device

SECRET: Final = "for-benchmarks-on-loopback-and-nothing-else"
"""Of these services."""

_TOKENS = DeviceTokens((SECRET.encode(),), days=90)


def proved(account: str) -> str:
    """The token of a device that has shown a factor for this account."""
    return _TOKENS.renewed(
        "",
        account,
        None,
        device_class=Device.PROVED,
        family=browser_family(AGENT.encode()),
        now_s=int(time.time()),
        fresh=secrets.token_bytes(8),
    )
