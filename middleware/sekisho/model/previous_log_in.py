"""The log-in before the one under way, as the application may show it to its owner."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class PreviousLogIn(NamedTuple):
    """Attributes:
    at_s: Unix time.
    browser: the browser's family, as in `Firefox on Android`; empty if unknown.
    network: the client's network, as in `192.0.2.0/24`.
    place: its city and country; empty without `SEKISHO_CITY_FILE`.
    """

    at_s: int
    browser: str
    network: str
    place: str = ""

    def __repr__(self) -> str:
        return "PreviousLogIn(...)"


class PastLogIns(Protocol):
    """Knows an account's log-ins."""

    async def previous_log_in(self, account: str) -> PreviousLogIn | None:
        """The last one that was completed; None where none is known. It raises nothing."""
        ...
