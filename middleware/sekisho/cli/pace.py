"""How far a stage of long work is, and how fast it goes: the numbers that both displays show."""

from __future__ import annotations

from sekisho.breach.progress import amount

# The rate covers the last seconds only: a resumed download first skips its existing files very fast.
WINDOW_S = 3.0
# From less than this a remaining time is a guess: the first unit may have waited for a service to start.
GUESS_UNITS = 2
GUESS_SHARE = 0.001


def span(seconds: float) -> str:
    """Seconds as text for a display: `"17 s"`, `"4 min 05 s"`, `"2 h 31 min"`."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


class ProgressPace:
    """One stage of work and its rate. `now` is the time of a monotonic clock, in seconds."""

    __slots__ = ("_begun_s", "_marks", "done", "stage", "total", "unit")

    def __init__(self, stage: str, total: int | None, unit: str, now: float) -> None:
        self.stage = stage
        self.total = total
        self.unit = unit
        self.done = 0
        self._begun_s = now
        self._marks = ((now, 0), (now, 0))

    def look(self, done: int, now: float) -> None:
        """Record how much of the stage is done at the time `now`, in seconds."""
        self.done = done
        if now - self._marks[1][0] >= WINDOW_S:
            self._marks = (self._marks[1], (now, done))

    def elapsed_s(self, now: float) -> float:
        return now - self._begun_s

    def rate(self, now: float) -> float:
        """Units per second, over the last one or two windows."""
        since, before = self._marks[0]
        return (self.done - before) / max(now - since, 0.001)

    def left_s(self, now: float) -> float | None:
        """The remaining seconds; `None` if the total is unknown, the rate is 0, or hardly anything is done yet."""
        if self.total is None or self.done <= max(GUESS_UNITS, GUESS_SHARE * self.total):
            return None
        if (rate := self.rate(now)) <= 0:
            return None
        return max(0, self.total - self.done) / rate

    def position(self) -> str:
        """`"12 of 40 ranges"`, `"1.2 GB of 38.2 GB"`, `"1.2 GB"`."""
        if self.total is None:
            return amount(self.done, self.unit)
        done = amount(self.done, "B") if self.unit == "B" else f"{self.done:,}"
        return f"{done} of {amount(self.total, self.unit)}"

    def speed(self, now: float) -> str:
        """`"122 MB/s"`; `"1,643/s"` or `"0.2/s"` for other units than bytes: the position names the unit already."""
        rate = self.rate(now)
        if self.unit == "B":
            return f"{amount(rate, 'B')}/s"
        return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
