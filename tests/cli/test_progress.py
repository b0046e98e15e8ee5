"""Progress of long work: rate and remaining time, in a pipe and on a terminal, without false ends."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sekisho.cli.bar import Bar
from sekisho.cli.pace import ProgressPace, span
from sekisho.cli.progress import ProgressLines, amount, drawing
from tests.cli.corpora import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.breach.progress import Progress
    from sekisho.cli.progress import Drawing


class Clock:
    """A clock in seconds that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def work(drawn: Progress, clock: Clock, amounts: Iterable[int], seconds: float) -> None:
    """Report so many units, each after so many seconds."""
    for units in amounts:
        clock.now += seconds
        drawn.advance(units)


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (0, "B", "0 B"),
        (999, "B", "999 B"),
        (999.7, "B", "1 kB"),
        (999_600, "B", "1 MB"),
        (1_234_567_890, "B", "1.23 GB"),
        (12_300_000_000_000, "B", "12.3 TB"),
        (1_048_576, "ranges", "1,048,576 ranges"),
    ],
)
def test_an_amount_is_three_digits_and_a_unit(number: float, unit: str, text: str) -> None:
    """An amount has three digits and a unit."""
    assert amount(number, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (17, "17 s"), (245, "4 min 05 s"), (3599.6, "1 h 00 min"), (9060, "2 h 31 min")]
)
def test_a_span_is_told_in_the_two_largest_units(seconds: float, text: str) -> None:
    """A duration has its two largest units."""
    assert span(seconds) == text


def test_lines_tell_rate_and_time_left() -> None:
    """A stage logs rate and remaining time: all its lines."""
    clock, out = Clock(), io.StringIO()
    with ProgressLines(out, clock_s=clock) as lines:
        lines.begin("reading", 40_000_000_000, "B")
        work(lines, clock, [1_000_000_000] * 40, 2)
    said = out.getvalue().splitlines()
    assert said[:2] == ["reading: 40 GB", "reading: 3 GB of 40 GB, 500 MB/s, 1 min 14 s left"]
    assert said[-1] == "reading: done, 40 GB in 1 min 20 s"


def test_an_hour_of_work_is_some_sixty_lines() -> None:
    """An hour's work logs some sixty lines."""
    clock, out = Clock(), io.StringIO()
    with ProgressLines(out, clock_s=clock) as lines:
        lines.begin("sorting", 36_000, "records")
        work(lines, clock, [1] * 36_000, 0.1)
    assert 60 <= len(out.getvalue().splitlines()) <= 90


def test_without_a_total_there_is_a_rate_and_no_time_left() -> None:
    """Without a total, as for standard input, there is a rate and no remaining time."""
    clock, out = Clock(), io.StringIO()
    with ProgressLines(out, clock_s=clock) as lines:
        lines.begin("reading", None, "lines")
        work(lines, clock, [600], 6)
    assert out.getvalue().splitlines() == [
        "reading …",
        "reading: 600 lines, 100/s",
        "reading: done, 600 lines in 6 s",
    ]


def test_a_stage_that_counts_nothing_says_no_amount() -> None:
    """A stage that counts nothing shows no amount."""
    clock, out, terminal = Clock(), io.StringIO(), Terminal()
    bar = Bar(Console(file=terminal, width=100, force_terminal=True, color_system=None), clock_s=clock)
    for drawn in (ProgressLines(out, clock_s=clock), bar):
        with drawn:
            drawn.begin("syncing", None, "B")
            clock.now += 2
    assert out.getvalue().splitlines() == ["syncing …", "syncing: done in 2 s"]
    assert re.search(r"syncing +━+ 100% ", terminal.getvalue())


def test_the_next_stage_ends_the_former() -> None:
    """The next stage ends the previous one."""
    out = io.StringIO()
    with ProgressLines(out, clock_s=Clock()) as lines:
        lines.begin("reading", 1, "lines")
        lines.begin("sorting", 1, "lines")
    assert out.getvalue().splitlines() == [
        "reading: 1 lines",
        "reading: done in 0 s",
        "sorting: 1 lines",
        "sorting: done in 0 s",
    ]


@pytest.mark.parametrize("total", [10, None])
@pytest.mark.parametrize("kind", [ProgressLines, Bar])
def test_work_that_failed_is_not_called_done(kind: type[ProgressLines | Bar], total: int | None) -> None:
    """Failed work is not logged as `done`."""
    out = Terminal()
    drawn = ProgressLines(out) if kind is ProgressLines else Bar(Console(file=out, width=90))

    def fail() -> None:
        with drawn:
            drawn.begin("reading", total, "lines")
            drawn.advance(5)
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - the one that was just raised
        fail()
    assert "done" not in out.getvalue()
    assert "100%" not in out.getvalue()


def test_a_terminal_sees_a_bar_its_rate_and_the_time_left() -> None:
    """A terminal of 80 columns shows a bar, its rate and the remaining time in full."""
    clock, out = Clock(), Terminal()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    with Bar(console, clock_s=clock) as bar:
        bar.begin("reading", 1_000, "B")
        work(bar, clock, [250, 250], 2)
    last = [line for line in re.split(r"[\r\n]", out.getvalue()) if "%" in line][-1]
    assert re.search(r"reading +━+.* 50% 125 B/s +.*\d?-?:\d?-?", last)


def test_a_bar_of_unknown_length_is_full_when_the_work_is_done() -> None:
    """A bar without a total is full at the end, with its amount."""
    out = Terminal()
    with Bar(Console(file=out, width=100, force_terminal=True, color_system=None), clock_s=Clock()) as bar:
        bar.begin("reading", None, "lines")
        bar.advance(7)
    last = [line for line in re.split(r"[\r\n]", out.getvalue()) if "reading" in line][-1]
    assert re.search(r"100% 7 lines · [\d,]+/s", last)


@pytest.mark.parametrize(
    ("terminal", "term", "kind"), [(True, "xterm", Bar), (True, "dumb", ProgressLines), (False, "", ProgressLines)]
)
def test_a_bar_is_only_drawn_where_it_can_be_seen(
    terminal: bool, term: str, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar is drawn on a terminal alone, as logs should have no escape sequences."""
    monkeypatch.setattr("sys.stderr", Terminal() if terminal else io.StringIO())
    monkeypatch.setenv("TERM", term)
    assert type(drawing()) is kind


@given(
    steps=st.lists(st.tuples(st.integers(0, 10**12), st.floats(0, 100)), max_size=30),
    total=st.one_of(st.none(), st.integers(0, 10**12)),
)
def test_no_rate_and_no_time_left_is_ever_negative_or_an_error(
    steps: list[tuple[int, float]], total: int | None
) -> None:
    """Rate and remaining time are never negative or an error: with more than announced, pauses, or all at once."""
    now = 5.0
    pace = ProgressPace("work", total, "B", now)
    for units, seconds in steps:
        now += seconds
        pace.look(pace.done + units, now)
        assert pace.rate(now) >= 0
        assert (pace.left_s(now) or 0) >= 0
        assert pace.position()


def test_the_rate_forgets_what_was_there_already() -> None:
    """The rate ignores work that was done before, so a continued download's remaining time is right."""
    now = 0.0
    pace = ProgressPace("fetching", 1_000_000, "ranges", now)
    pace.look(500_000, 0.5)
    for second in range(1, 11):
        now = 0.5 + second
        pace.look(500_000 + 100 * second, now)
    assert pace.rate(now) == pytest.approx(100)
    assert pace.left_s(now) == pytest.approx(4_990)


def test_no_time_left_is_guessed_from_the_first_unit() -> None:
    """The first of 10,000 tries waits for a service to start: a line does not say "98 h left" after it."""
    clock, out = Clock(), io.StringIO()
    with ProgressLines(out, clock_s=clock) as lines:
        lines.begin("tries", 10_000, "tries")
        work(lines, clock, [1] + [300] * 10, 5)
    assert out.getvalue().splitlines()[1:3] == [
        "tries: 1 of 10,000 tries, 0.2/s",
        "tries: 301 of 10,000 tries, 60/s, 2 min 42 s left",
    ]


def test_drawings_are_what_the_engine_talks_to() -> None:
    """Displays match the engine's interface, which the type checker verifies."""
    for drawn in (ProgressLines(io.StringIO()), Bar(Console(file=io.StringIO()))):
        told: Progress = drawn
        shown: Drawing = drawn
        assert told is shown
