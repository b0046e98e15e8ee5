"""Limits, in the notation of `limits`: `20/10minute;100/day` is twenty in ten minutes and a hundred a day."""

from __future__ import annotations

import re

from sekisho.model import Limit, Limits, SettingsError

BURST_MAX = 1_000_000
PERIOD_SECONDS_MAX = 31 * 86_400
LIMITS_MAX = 4  # each costs eight bytes per record and a comparison per attempt

# Providers allocate IPv6 as /56 to homes and /48 to sites: a /48 may contain several /56.
SITE_TIMES_HOME = 4

# The usual form of the notation. Parsed here, because `limits` imports its counters and their clients.
_PLAIN = re.compile(r"([0-9]+)/([0-9]*)(second|minute|hour|day)")
SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}

_TEXT = re.compile(r"[0-9A-Za-z/ ,;|]{1,200}")
_NOTATION = "as in 20/10minute;100/day (a number, a slash, a time of second, minute, hour or day)"


def rates(text: str, setting: str) -> Limits:
    """Parse limits; sorted by period, shortest first. Raises `SettingsError`."""
    found = tuple(sorted((_checked(*pair, setting) for pair in _pairs(text, setting)), key=_by_period))
    if len(found) > LIMITS_MAX:
        raise SettingsError(setting, f"has more than {LIMITS_MAX} limits")
    if len({limit.period_us for limit in found}) < len(found):
        raise SettingsError(setting, "has two limits for the same period; keep the stricter one")
    return found


def network_rates(text: str, setting: str) -> tuple[Limits, ...]:
    """Read limits as `rates` does. Returns them for IPv4 /24 and IPv6 /56, then those derived from them for IPv6 /48.

    Raises `SettingsError`.
    """
    narrow = rates(text, setting)
    if any(limit.burst > BURST_MAX // SITE_TIMES_HOME for limit in narrow):
        problem = f"allows more than {BURST_MAX // SITE_TIMES_HOME}; an IPv6 /48 gets {SITE_TIMES_HOME} times as many"
        raise SettingsError(setting, problem)
    return narrow, tuple(Limit(SITE_TIMES_HOME * limit.burst, limit.period_us) for limit in narrow)


def _pairs(text: str, setting: str) -> list[tuple[int, int]]:
    """Amounts and seconds. Zero periods are refused first: `parse_many` accepts `5/0minute`."""
    found: list[tuple[int, int]] = []
    if _TEXT.fullmatch(text) and not re.search(r"(/|per)\s*0", text, re.IGNORECASE):
        found = _plain(text) or _any_way(text)
    if not found:
        raise SettingsError(setting, f"is not written {_NOTATION}")
    return found


def _plain(text: str) -> list[tuple[int, int]]:
    found = [_PLAIN.fullmatch(part) for part in text.split(";")]
    return [(int(one[1]), int(one[2] or 1) * SECONDS[one[3]]) for one in found if one] if all(found) else []


def _any_way(text: str) -> list[tuple[int, int]]:
    from limits import parse_many  # noqa: PLC0415 - see `_PLAIN`

    try:
        return [(item.amount, item.get_expiry()) for item in parse_many(text)]
    except ValueError:  # its text repeats the setting, so it must not propagate
        return []


def _checked(burst: int, seconds: int, setting: str) -> Limit:
    if not 1 <= burst <= BURST_MAX:
        raise SettingsError(setting, f"allows none, or more than {BURST_MAX}, in one period; write it {_NOTATION}")
    if seconds > PERIOD_SECONDS_MAX:
        raise SettingsError(setting, f"has a period of more than 31 days; write it {_NOTATION}")
    # The bounds keep the interval at a microsecond or more, the ledger's resolution.
    return Limit(burst, seconds * 1_000_000)


def _by_period(limit: Limit) -> int:
    return limit.period_us
