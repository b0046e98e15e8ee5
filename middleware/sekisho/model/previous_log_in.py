"""The log-in before the one under way, as the application may show it to its owner."""

from __future__ import annotations

from typing import NamedTuple


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
