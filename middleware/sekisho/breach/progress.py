"""Reports the progress of long work. The command line draws it; tests and libraries report nothing."""

from __future__ import annotations

from typing import Protocol


def amount(number: float, unit: str) -> str:
    """Format an amount: `"1.23 GB"` for bytes (unit `"B"`, decimal prefixes), `"5,123 ranges"` for other units."""
    if unit != "B":
        return f"{number:,.0f} {unit}"
    for prefix in ("", "k", "M", "G", "T"):
        if number < 999.5:
            return f"{number:.3g} {prefix}B"
        number /= 1000
    return f"{number:,.0f} PB"


class Progress(Protocol):
    """Receives the progress of work that takes minutes. Called a few times a second at most."""

    def begin(self, stage: str, total: int | None, unit: str) -> None:
        """Take note that a stage of work begins (`"reading"`, `"sorting"`).

        `total`: the stage's amount in this unit (`"B"`, `"ranges"`); `None` if unknown.
        """

    def advance(self, amount: int) -> None:
        """Take note that so many further units of the stage are done."""


class Silent:
    """Reports nothing."""

    def begin(self, stage: str, total: int | None, unit: str) -> None:
        pass

    def advance(self, amount: int) -> None:
        pass
