"""What a client can show besides its secret. Today: that its device has been here before."""

from __future__ import annotations

from sekisho.challenge.device_token import DeviceTokens, Token, browser_family

__all__ = ["DeviceTokens", "Token", "browser_family"]
