"""Progress on a terminal: a bar for each stage, with its rate and the remaining time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column

from sekisho.cli.pace import ProgressPace

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Bar"]


class Bar:
    """A `Drawing` with bars. The bars of completed stages remain visible, with their durations."""

    def __init__(self, out: Console | None = None, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._console = out or Console(stderr=True)
        self._clock_s = clock_s
        self._progress: Progress | None = None
        self._pace: ProgressPace | None = None
        self._task = TaskID(0)

    def say(self, text: str) -> None:
        self._console.print(text, style="dim", highlight=False, markup=False)

    def begin(self, stage: str, total: int | None, unit: str) -> None:
        self._finish()
        if self._progress is None:
            self._progress = _columns(self._console)
            self._progress.start()
        self._pace = ProgressPace(stage, total, unit, self._clock_s())
        self._task = self._progress.add_task(stage, total=total, news="")

    def advance(self, amount: int) -> None:
        if self._pace is not None:
            self.look(self._pace.done + amount)

    def look(self, done: int, news: str = "") -> None:
        if self._pace is None or self._progress is None:
            return
        now = self._clock_s()
        self._pace.look(done, now)
        # A stage of unknown length has no percentage, so its position is shown.
        position = "" if self._pace.total is not None else self._pace.position()
        told = " · ".join(part for part in (position, self._pace.speed(now), news) if part)
        self._progress.update(self._task, completed=done, news=told)

    def end(self) -> None:
        self._finish()
        self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
        self._stop()

    def _finish(self) -> None:
        # The length of this stage was unknown until now.
        if self._pace is not None and self._pace.total is None and self._progress is not None:
            done = max(1, self._pace.done)  # rich would show 0% for an empty stage
            self._progress.update(self._task, total=done, completed=done)
        self._pace = None

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _columns(console: Console) -> Progress:
    return Progress(
        # A stage's name may be a path of any length.
        TextColumn("{task.description:17}", markup=False, table_column=Column(max_width=28, no_wrap=True)),
        BarColumn(24),
        TaskProgressColumn("{task.percentage:3.0f}%", markup=False),
        TextColumn("{task.fields[news]}", markup=False),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        console=console,
    )
