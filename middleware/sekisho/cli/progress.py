"""Progress of long work: periodic lines for a file or a pipe; a bar on a terminal if `rich` is installed.

All output goes to standard error, so that the result can be piped. Both kinds implement
`sekisho.breach.progress.Progress`, and get their numbers from `ProgressPace`.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, Self

from sekisho.breach.progress import amount
from sekisho.cli.pace import ProgressPace, span

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import TextIO

__all__ = ["Drawing", "ProgressLines", "amount", "drawing", "span"]

# Frequent enough to show progress; an hour of work takes some sixty lines of a log.
LINE_S_MIN = 5.0
LINE_S_MAX = 60.0
LINE_SHARE = 0.1  # of the time since the stage began


class Drawing(Protocol):
    """A display of progress. `begin` and `advance` are the engine's `Progress`; `look` is for callers with a count."""

    def begin(self, stage: str, total: int | None, unit: str) -> None: ...

    def advance(self, amount: int) -> None: ...

    def look(self, done: int, news: str = "") -> None:
        """Show the amount of the stage that is done, and `news` beside it."""

    def say(self, text: str) -> None:
        """Show a line of text."""

    def end(self) -> None:
        """End the stage."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the display, after success or after an error."""


class ProgressLines:
    """Progress for a file or a pipe: a line when a stage begins, periodically, and when it ends."""

    def __init__(self, out: TextIO | None = None, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._out = out or sys.stderr
        self._clock_s = clock_s
        self._pace: ProgressPace | None = None
        self._next_line_s = 0.0

    def say(self, text: str) -> None:
        print(text, file=self._out, flush=True)

    def begin(self, stage: str, total: int | None, unit: str) -> None:
        self.end()
        now = self._clock_s()
        self._pace = ProgressPace(stage, total, unit, now)
        self._next_line_s = now + LINE_S_MIN
        self.say(f"{stage}: {amount(total, unit)}" if total is not None else f"{stage} …")

    def advance(self, amount: int) -> None:
        if self._pace is not None:
            self.look(self._pace.done + amount)

    def look(self, done: int, news: str = "") -> None:
        now = self._clock_s()
        if self._pace is None:
            return
        self._pace.look(done, now)
        if now >= self._next_line_s:
            self._next_line_s = now + min(LINE_S_MAX, max(LINE_S_MIN, LINE_SHARE * self._pace.elapsed_s(now)))
            self.say(_line(self._pace, news, now))

    def end(self) -> None:
        if self._pace is not None:
            much = f", {amount(self._pace.done, self._pace.unit)}" if self._pace.done else ""
            self.say(f"{self._pace.stage}: done{much} in {span(self._pace.elapsed_s(self._clock_s()))}")
            self._pace = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.end()


def _line(pace: ProgressPace, news: str, now: float) -> str:
    parts = [pace.position(), pace.speed(now)]
    if news:
        parts.append(news)
    if (left := pace.left_s(now)) is not None:
        parts.append(f"{span(left)} left")
    return f"{pace.stage}: {', '.join(parts)}"


def drawing() -> Drawing:
    """Return the display of progress that suits standard error: a bar on a terminal, else lines.

    Lines also if the extra with `rich` is not installed.
    """
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with suppress(ModuleNotFoundError):
            from sekisho.cli.bar import Bar  # noqa: PLC0415 - rich comes with an extra that not every command needs

            return Bar()
    return ProgressLines()
