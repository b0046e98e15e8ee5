"""How long work tells how far it is. The command line draws it; tests and libraries say nothing."""

from __future__ import annotations

from typing import Protocol


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
