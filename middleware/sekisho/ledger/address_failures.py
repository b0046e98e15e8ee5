"""How long strangers' attempts at an address have led to no success: one more time in its record, beside its TATs.

The limits of an address forget within minutes. A bot that tries one account an hour is below all of them, and never
succeeds there before its list does. Each attempt with a secret moves this time further ahead, and a success takes its
own part back, and half of the rest where it earns the address credit: not all of it, since one pair of an attacker's
list is right now and then. `ledger.lua` does the same.

Each attempt adds half of what there is: a single one is forgotten after three hours, so that a flood of addresses fills
no store, and four within hours are remembered for days.
"""

from __future__ import annotations

from typing import Final

HOUR_US: Final = 3_600 * 1_000_000

FIRST_US: Final = 3 * HOUR_US
FAILING_US: Final = 24 * HOUR_US
"""From so far ahead of now on, an address is failing: four attempts at once, or five in as many hours."""

LONGEST_US: Final = 39 * HOUR_US  # what one attempt makes of the most that is not failing

TATS_MAX: Final = 4
"""The times that a record has room for: an address with so many limits has none left for this one."""


def failing_until(tats: tuple[int, ...], limits: int) -> int:
    """Return the time that stands behind the TATs of so many limits; 0 where there is none."""
    return tats[limits] if len(tats) == limits + 1 else 0


def is_failing(until_us: int, now_us: int) -> bool:
    return until_us - now_us >= FAILING_US


def one_more(until_us: int, now_us: int) -> int:
    """Return the time with one more attempt."""
    left_us = max(0, until_us - now_us)
    return now_us + min(LONGEST_US, left_us + left_us // 2 + FIRST_US)


def half(until_us: int, now_us: int) -> int:
    """Return the time after a success that earns credit."""
    return now_us + max(0, until_us - now_us) // 2


def one_less(until_us: int, at_us: int, now_us: int) -> int:
    """Return the time without the attempt that was charged at `at_us`; `now_us` or earlier where nothing is left."""
    since_us = max(0, now_us - at_us)
    with_it_us = max(0, until_us - now_us) + since_us
    return now_us + max(0, (with_it_us - FIRST_US) * 2 // 3) - since_us
