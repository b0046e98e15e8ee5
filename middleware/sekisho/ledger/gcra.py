"""GCRA (ITU-T I.371): one theoretical arrival time, TAT, for each limit. All times are integer microseconds.

`T` is the interval: an attempt has room iff max(now, TAT) + T - now <= span.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sekisho.model import Limit, Limits


def span_us(limit: Limit) -> int:
    """Return a limit's period in microseconds, reduced to a multiple of the rounded interval.

    A whole period of a million microseconds has room for 1,501 intervals of 666: one more than 1,500 a second allows.
    """
    return limit.burst * limit.interval_us


def fitted(tats: tuple[int, ...], limits: Limits, now_us: int) -> tuple[int, ...]:
    """Return one TAT for each limit, none before `now_us` and none later than a full limit would have.

    The upper bound matters after a clock has jumped back or limits were shortened: no refusal then lasts longer than
    one period. An added limit starts from the TAT of the limit before it.
    """
    _, charged, _ = one_more(tats, limits, now_us)
    return tuple([tat - limit.interval_us for tat, limit in zip(charged, limits, strict=True)])


def wait_us(tats: tuple[int, ...], limits: Limits, now_us: int) -> int:
    """Microseconds until every limit has room for one more attempt; 0 if there is room now."""
    return one_more(tats, limits, now_us)[0]


def one_more(tats: tuple[int, ...], limits: Limits, now_us: int) -> tuple[int, tuple[int, ...], bool]:
    """Return the wait for one more attempt in microseconds, the TATs with it, and whether it takes the last room.

    All three in one loop: every attempt comes here four times.
    """
    wait, is_last = 0, False
    charged: list[int] = []
    tat, given = now_us, len(tats)
    for i, (burst, period_us) in enumerate(limits):
        interval_us = period_us // burst
        if i < given:
            tat = tats[i]
        ahead_us = tat - now_us
        if ahead_us <= 0:
            charged.append(now_us + interval_us)
            is_last = is_last or burst == 1
            continue
        room_us = (burst - 1) * interval_us
        if ahead_us > room_us:
            ahead_us = min(ahead_us, room_us + interval_us)
            wait = max(wait, ahead_us - room_us)
        charged.append(now_us + ahead_us + interval_us)
        is_last = is_last or ahead_us + interval_us > room_us
    return wait, tuple(charged), is_last


def refunded(tats: tuple[int, ...], limits: Limits, at_us: int, now_us: int) -> tuple[int, ...]:
    """Return the TATs without the part of a charge made at `at_us` that still counts.

    Never below the state without that attempt.

    The whole interval would be too much: a slow log-in that is refunded late would erase guesses made since.
    """
    elapsed_us = max(0, now_us - at_us)
    _, charged, _ = one_more(tats, limits, now_us)
    found: list[int] = []
    for i, (burst, period_us) in enumerate(limits):
        interval_us = period_us // burst
        found.append(charged[i] - interval_us - max(0, interval_us - elapsed_us))
    return tuple(found)
