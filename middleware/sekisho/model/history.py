"""An account's history, as the ledger recalls it for one attempt."""

from __future__ import annotations

from typing import Final, NamedTuple

OLD: Final = 1 << 19
"""The bit of a packed history that says that the account's first success is at least a week old."""


class History(NamedTuple):
    """Attributes:
    total: log-ins that are remembered, 127 at most; 0 if there is no history.
    here: those from the attempt's network (IPv4 /24, IPv6 /56).
    networks: networks that are remembered.
    browser_known: one of them was of the attempt's browser family.
    hour_known: one of them was at this hour of the day (UTC), or within an hour of it.
    """

    total: int
    here: int
    networks: int
    browser_known: bool
    hour_known: bool

    @classmethod
    def unpacked(cls, packed: int) -> History:
        """Return the history that is packed into one number, `Verdict.history`."""
        return cls(packed & 127, packed >> 7 & 127, packed >> 14 & 7, bool(packed >> 17 & 1), bool(packed >> 18 & 1))
