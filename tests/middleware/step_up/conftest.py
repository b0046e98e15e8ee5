"""A clock that a test may set, for all that asks for the time of day."""

from __future__ import annotations

import time

import pytest


class Later:
    """So many seconds after now. What lives on monotonic time, as event loops do, notices nothing."""

    def __init__(self) -> None:
        self.seconds = 0.0


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """To be asked for before the guard is made."""
    found, now_s, now_ns = Later(), time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: now_s() + found.seconds)
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + int(found.seconds * 1e9))
    return found
