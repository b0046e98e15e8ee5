"""A wall clock that a test may set.

It starts in the middle of a TOTP time step. A code of the previous step is valid until the step ends, so a test that
started in its last moment would fail now and then.
"""

from __future__ import annotations

import time

import pytest

from sekisho.stepup.factors.totp import STEP_S


class Later:
    """Move the wall clock on by so many seconds. Code on monotonic time, such as event loops, notices nothing."""

    def __init__(self) -> None:
        self.seconds = 0.0


@pytest.fixture(autouse=True)
def _little_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer wrong proofs after a millisecond. The real delay has tests of its own."""
    monkeypatch.setattr("sekisho.stepup.flow.proof_routes.FIRST_S", 0.0)
    monkeypatch.setattr("sekisho.stepup.flow.proof_routes.EVEN_S", 0.001)
    monkeypatch.setattr("sekisho.stepup.flow.proof_routes.RELEASE_S", (0.001,) * 10)


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Set the clock for every test, before anything is made."""
    found, now_s, now_ns = Later(), time.time, time.time_ns
    shift = STEP_S / 2 - now_s() % STEP_S
    monkeypatch.setattr(time, "time", lambda: now_s() + shift + found.seconds)
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + int((shift + found.seconds) * 1e9))
    return found
