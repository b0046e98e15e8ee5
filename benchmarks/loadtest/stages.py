"""The course of a load test: quiet, ramp, storm, recovery."""

from __future__ import annotations

from typing import NamedTuple


class Stages(NamedTuple):
    """How many seconds each takes.

    Owners are there all the time; attackers come in the ramp, stay for the storm, and are gone in the recovery.
    """

    quiet: float
    ramp: float
    storm: float
    recovery: float

    @classmethod
    def read(cls, text: str) -> Stages:
        """From `30,60,120,60`. Raises `ValueError`."""
        stages = [float(word) for word in text.split(",")]
        if len(stages) != 4 or not all(0 <= stage <= 86_400 for stage in stages):
            raise ValueError("wants the seconds of quiet, ramp, storm and recovery, as in 30,60,120,60")
        return cls(*stages)

    def attackers(self, second: float, most: int) -> int | None:
        """How many attackers are there, of `most`, so many seconds after the start; `None`: the test is over."""
        into_ramp = second - self.quiet
        into_storm = into_ramp - self.ramp
        if into_storm >= self.storm + self.recovery:
            return None
        if into_storm >= self.storm or into_ramp < 0:
            return 0
        return most if into_storm >= 0 else int(most * into_ramp / self.ramp)
