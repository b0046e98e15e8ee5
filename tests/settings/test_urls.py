"""Plain http and SMTP are let through to this machine alone."""

from __future__ import annotations

import pytest

from sekisho.settings.urls import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "127.0.0.1.evil.test", "localhost.evil.test", "0.0.0.0", "::", "10.0.0.1", "2130706433", "::ffff:10.0.0.1"],
)
def test_others(host: str) -> None:
    """Names that only look like it, and addresses of all interfaces, would carry a code or a password in clear."""
    assert not is_loopback(host)
