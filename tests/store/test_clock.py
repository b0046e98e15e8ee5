"""One time for all workers, and one line where a machine's clock is off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.store.clock import StoreClock

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_700_000_000.0


def clock_of(ahead_s: float) -> tuple[StoreClock, Callable[[], None]]:
    """A clock that is ahead of the store's, and an exchange with the store."""
    clock = StoreClock(lambda: NOW + ahead_s)
    return clock, lambda: clock.heard(int(NOW * 1e6))


@pytest.mark.parametrize("ahead_s", [3, -3, 90, -90, 300])
def test_a_clock_that_is_off_follows_the_stores(ahead_s: float, caplog: pytest.LogCaptureFixture) -> None:
    """Two machines write and read the same time, and the log names what to mend, once."""
    clock, exchange = clock_of(ahead_s)
    exchange()
    exchange()
    assert clock() == NOW
    [line] = caplog.messages
    which = "ahead of" if ahead_s > 0 else "behind"
    said = f"this machine's clock is {abs(ahead_s)} seconds {which} the store's, which is used instead"
    assert line == f"{said}: synchronize it (NTP)"


@pytest.mark.parametrize("ahead_s", [0, 0.5, -1.9])
def test_a_clock_that_is_right_is_its_own(ahead_s: float, caplog: pytest.LogCaptureFixture) -> None:
    """A moment is the way there and back, and nothing to talk about."""
    clock, exchange = clock_of(ahead_s)
    exchange()
    assert clock() == NOW + ahead_s
    assert not caplog.messages


@pytest.mark.parametrize("ahead_s", [301, -4_000])
def test_a_clock_that_is_far_off_is_left_alone(ahead_s: float, caplog: pytest.LogCaptureFixture) -> None:
    """One of the two is wrong, and nobody here knows which; the log says so."""
    clock, exchange = clock_of(ahead_s)
    exchange()
    assert clock() == NOW + ahead_s
    assert "devices may seem unknown and step-ups expired" in caplog.text


def test_a_clock_that_was_set_right_is_followed_no_more() -> None:
    """The next exchange tells."""
    ahead = [90.0]
    clock = StoreClock(lambda: NOW + ahead[0])
    clock.heard(int(NOW * 1e6))
    ahead[0] = 0.0
    clock.heard(int(NOW * 1e6))
    assert clock() == NOW
