"""All workers use one time; a machine whose clock is off is logged once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.store.clock import StoreClock

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_700_000_000.0


def clock_of(ahead_s: float) -> tuple[StoreClock, Callable[[], None]]:
    """A clock ahead of the store's, and an exchange with the store."""
    clock = StoreClock(lambda: NOW + ahead_s)
    return clock, lambda: clock.heard(int(NOW * 1e6))


def clock_that_differs() -> tuple[StoreClock, Callable[[float], None]]:
    """A clock, and an exchange in which it is so many seconds ahead of the store's."""
    ahead = [0.0]
    clock = StoreClock(lambda: NOW + ahead[0])

    def heard(ahead_s: float) -> None:
        ahead[0] = ahead_s
        clock.heard(int(NOW * 1e6))

    return clock, heard


@pytest.mark.parametrize("ahead_s", [3, -3, 90, -90, 300])
def test_a_clock_that_is_off_follows_the_stores(ahead_s: float, caplog: pytest.LogCaptureFixture) -> None:
    """A clock that is off follows the store's, so two machines agree; the log names the clock to correct, once."""
    clock, exchange = clock_of(ahead_s)
    for _ in range(3):
        exchange()
    assert clock() == NOW
    [line] = caplog.messages
    which = "ahead of" if ahead_s > 0 else "behind"
    said = f"this machine's clock is {abs(ahead_s)} seconds {which} the store's, which is used instead"
    assert line == f"{said}: synchronize it (NTP) [SEK037]"


@pytest.mark.parametrize("ahead_s", [0, 0.5, -1.9])
def test_a_clock_that_is_right_is_its_own(ahead_s: float, caplog: pytest.LogCaptureFixture) -> None:
    """A right clock is used as it is: the round trip explains the difference, and nothing is logged."""
    clock, exchange = clock_of(ahead_s)
    exchange()
    assert clock() == NOW + ahead_s
    assert not caplog.messages


@pytest.mark.parametrize("ahead_s", [301, -4_000])
def test_a_clock_that_is_far_off_is_left_alone(ahead_s: float, caplog: pytest.LogCaptureFixture) -> None:
    """A clock that is far off is not corrected: either may be wrong, and the log says so."""
    clock, exchange = clock_of(ahead_s)
    exchange()
    exchange()
    assert clock() == NOW + ahead_s
    assert "devices may seem unknown and step-ups expired" in caplog.text


def test_a_clock_that_was_set_right_is_followed_no_more() -> None:
    """A clock that was set right is no longer corrected after two exchanges."""
    clock, heard = clock_that_differs()
    for ahead_s in (90.0, 90.0):
        heard(ahead_s)
    assert clock() == NOW
    for ahead_s in (0.0, 0.0):
        heard(ahead_s)
    assert clock() == NOW


def test_an_answer_that_was_read_late_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An answer read late is ignored: a process stopped for eight seconds reads an old time, and waits would end at
    once.
    """
    clock, heard = clock_that_differs()
    for late_s in (0.0, 8.0, 0.0, 8.0, 0.0):
        heard(late_s)
        assert clock() == NOW + late_s
    assert not caplog.messages
