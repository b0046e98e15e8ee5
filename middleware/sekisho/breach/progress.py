"""How long work tells how far it is. The command line draws it; tests and libraries say nothing."""

from __future__ import annotations

from typing import Protocol


def amount(number: float, unit: str) -> str:
    """`"1.23 GB"` for bytes (unit `"B"`, decimal prefixes as disks are sold), `"5,123 ranges"` for anything else."""
    if unit != "B":
        return f"{number:,.0f} {unit}"
    for prefix in ("", "k", "M", "G", "T"):
        if number < 999.5:
            return f"{number:.3g} {prefix}B"
        number /= 1000
    return f"{number:,.0f} PB"


class Progress(Protocol):
    """Told by whoever works for minutes. Called some times a second at most."""

    def begin(self, stage: str, total: int | None, unit: str) -> None:
        """A stage begins (`"reading"`, `"sorting"`): `total` units of work (`"B"`, `"ranges"`), `None` if unknown."""

    def advance(self, amount: int) -> None:
        """So many units more are done."""


class Silent:
    """Tells nobody."""

    def begin(self, stage: str, total: int | None, unit: str) -> None:
        pass

    def advance(self, amount: int) -> None:
        pass
