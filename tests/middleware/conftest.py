"""A clock that belongs to the test, where counters are kept in memory."""

from __future__ import annotations

import pytest

from tests.middleware.driving import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time for every guard made in this test: what its counters and its shed go by."""
    clock = Clock()
    monkeypatch.setattr("sekisho.assemble._unix_us", clock)
    monkeypatch.setattr("sekisho.assemble._monotonic_us", clock)
    return clock
