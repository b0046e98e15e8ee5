"""A clock that a test may set, for all that asks for the time of day.

It begins in the middle of a time step of authenticator apps: a code of the step before is good until the step ends, and
a test that began in its last moment would be refused now and then.
"""

from __future__ import annotations

import time

import pytest

from sekisho.challenge.totp import STEP_S


class Later:
    """So many seconds after now. What lives on monotonic time, as event loops do, notices nothing."""

    def __init__(self) -> None:
        self.seconds = 0.0


@pytest.fixture(autouse=True)
def _little_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong proofs are answered after a millisecond. When they are answered really has tests of its own."""
    monkeypatch.setattr("sekisho.middleware.step_up.redeeming.FIRST_S", 0.0)
    monkeypatch.setattr("sekisho.middleware.step_up.redeeming.EVEN_S", 0.001)
    monkeypatch.setattr("sekisho.middleware.step_up.redeeming.RELEASE_S", (0.001,) * 10)


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """For every test: what is made before it has another clock."""
    found, now_s, now_ns = Later(), time.time, time.time_ns
    shift = STEP_S / 2 - now_s() % STEP_S
    monkeypatch.setattr(time, "time", lambda: now_s() + shift + found.seconds)
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + int((shift + found.seconds) * 1e9))
    return found
