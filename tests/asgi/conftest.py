"""A clock that the test controls, for counters kept in memory."""

from __future__ import annotations

import pytest

from tests.asgi.driving import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of every guard made in this test: its counters and its shed read it."""
    clock = Clock()
    monkeypatch.setattr("sekisho.wiring.LoginGuard._clocks", clock.clocks())
    return clock
