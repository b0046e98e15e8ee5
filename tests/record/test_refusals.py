"""Refusals in the server's log: without configuration, bounded, and without names."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sekisho.model import Action, Decision, Finding
from sekisho.record import RefusalLog
from tests.asgi.driving import OPEN, Shop, ask, form, guarded, http, log_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.asgi.driving import Clock


class Timers:
    """A loop's timers, run by the test."""

    def __init__(self) -> None:
        self.set: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, function: Callable[[], None]) -> Timers:
        self.set.append((seconds, function))
        return self

    def cancel(self) -> None:
        self.set.clear()

    def run(self) -> None:
        (_, function), *self.set = self.set
        function()


def throttled(action: Action = Action.THROTTLE) -> Decision:
    return Decision(action, action, (Finding(action, "ip_rate", 5), Finding(action, "network_rate", 5)), 5)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The lines of a server that configures its own logger alone: warnings."""

    def said() -> list[str]:
        return [
            record.getMessage()
            for record in caplog.records
            if record.name == "sekisho.refusals" and record.levelno >= logging.WARNING
        ]

    return said


# Which refusals are logged.


async def test_a_refused_attempt_is_a_line(lines: Callable[[], list[str]], clock: Clock) -> None:
    """A refused attempt is a line with door, answer and reasons, without account or address."""
    app = guarded(Shop(), **{**OPEN, "limit_account": "1/hour"})
    await log_in(app, password="guess 1")
    clock.advance(3)
    assert lines() == []

    await log_in(app, password="guess 2")

    assert lines() == ["sekisho: POST /login answered too_many_attempts (account_rate)"]


async def test_monitor_says_what_it_would_have_answered(lines: Callable[[], list[str]], clock: Clock) -> None:
    """`monitor` logs the answer that it would have given."""
    app = guarded(Shop(), mode="monitor", limit_ip="1/hour")
    for n in range(2):
        await log_in(app, password=f"guess {n}")
        clock.advance(3)

    assert lines() == ["sekisho: POST /login would have answered too_many_attempts (ip_rate)"]


async def test_what_cannot_be_read_is_a_line(lines: Callable[[], list[str]]) -> None:
    """An unreadable request is a line without its content, so operators can find a client's fault."""
    await ask(guarded(Shop()), http(), form("hana", "right") + b"&username=kenji")

    assert lines() == ["sekisho: POST /login answered unreadable_attempt (account_repeated)"]


async def test_what_passes_is_none(lines: Callable[[], list[str]]) -> None:
    """An attempt that passes, right or wrong, is no line."""
    app = guarded(Shop())
    for password in ("right", "wrong"):
        await log_in(app, password=password)

    assert lines() == []


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (Action.CHALLENGE, "challenge_required"),
        (Action.THROTTLE, "too_many_attempts"),
        (Action.DENY, "denied"),
    ],
)
def test_the_code_is_the_one_that_the_client_sees(action: Action, code: str, lines: Callable[[], list[str]]) -> None:
    """The line has the code that the client sees, so operators find it in the table of answers."""
    RefusalLog(Timers().later).decided("POST /login", throttled(action), enforced=True)

    assert lines() == [f"sekisho: POST /login answered {code} (ip_rate, network_rate)"]


def test_a_step_up_is_no_refusal(lines: Callable[[], list[str]]) -> None:
    """A step-up is no refusal: every owner gets one on a new device."""
    RefusalLog(Timers().later).decided("POST /login", throttled(Action.STEP_UP), enforced=True)

    assert lines() == []


# How many are logged.


def test_a_flood_writes_twenty_lines_a_minute_and_how_many_there_were_beside_them(
    lines: Callable[[], list[str]],
) -> None:
    """A flood writes twenty lines a minute and the number of further ones, or it would fill the disk."""
    timers = Timers()
    log = RefusalLog(timers.later)
    for _ in range(1_000):
        log.decided("POST /login", throttled(), enforced=True)
        log.answered("POST /login", "unreadable_attempt", "field_repeated", enforced=True)
    assert len(lines()) == 20

    assert [seconds for seconds, _ in timers.set] == [60.0]
    timers.run()

    assert lines()[20:] == ["sekisho: 1980 more in the last minute, not logged one by one"]


def test_after_a_minute_there_are_lines_again(lines: Callable[[], list[str]]) -> None:
    """After a minute lines are logged again; without omissions no number is logged."""
    timers = Timers()
    log = RefusalLog(timers.later)
    for _ in range(3):
        for _ in range(20):
            log.decided("POST /login", throttled(), enforced=True)
        timers.run()

    assert len(lines()) == 60


def test_what_was_left_out_is_said_at_the_end(lines: Callable[[], list[str]]) -> None:
    """A server that stops in a flood logs the remaining number, and leaves no timer."""
    timers = Timers()
    log = RefusalLog(timers.later)
    for _ in range(25):
        log.decided("POST /login", throttled(), enforced=True)

    log.close()

    assert lines()[-1] == "sekisho: 5 more in the last minute, not logged one by one"
    assert timers.set == []


def test_a_quiet_end_says_nothing(lines: Callable[[], list[str]]) -> None:
    RefusalLog(Timers().later).close()

    assert lines() == []


# Where they are logged.

UNCONFIGURED = """
import asyncio
from tests.asgi.driving import Shop, guarded, log_in

async def main():
    app = guarded(Shop(), limit_ip="1/hour")
    for n in range(3):
        await log_in(app, password=f"hunter{n}")
    await app._loops.stop()

asyncio.run(main())
"""


def test_it_reaches_standard_error_without_any_configuration() -> None:
    """Lines reach standard error without configuration, also under uvicorn, which has handlers for its own loggers
    alone.
    """
    done = subprocess.run([sys.executable, "-c", UNCONFIGURED], capture_output=True, text=True, check=True, timeout=60)

    said = [line for line in done.stderr.splitlines() if line.startswith("sekisho: ")]
    assert said[0] == "sekisho: POST /login answered too_many_attempts (ip_rate)"
    assert "hunter" not in done.stderr
