"""An account's history (networks, browsers and hours of its log-ins), and the credit of addresses.

The history stands among the account's device buckets, in entries under names that no device has. Workers of versions
without it keep such entries as long as this one does. All values are keyed digests or small numbers, and expire.
`ledger.lua` does the same.

`place`: a network as one exact account sees it (7 bytes of a keyed digest of both, so that equal networks of two
accounts cannot be linked), followed by one byte for the browser's family; 0 for an unknown one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sekisho.model.history import OLD

HOUR_US: Final = 3_600 * 1_000_000
DAY_HOURS: Final = 24
OLD_HOURS: Final = 7 * DAY_HOURS
"""An account whose first success is so old was not registered for an attack of this week."""

FAILED: Final = 1 << 31
"""Marks an entry that is no device bucket: the rest of its generation is data of another kind, told by its name."""

RENEWAL_KEPT_US: Final = 86_400 * 1_000_000
HISTORY_KEPT_US: Final = 60 * 86_400 * 1_000_000
"""So long after its last success, a network is forgotten, and the history as a whole."""

PLACES_MAX: Final = 4
"""Networks of one account. A further one replaces the one with the oldest success."""

BROWSERS_MAX: Final = 3  # per network
COUNT_MAX: Final = 127
NAME_BYTES: Final = 7
CHANGE: Final = 0xFC  # the first byte of an entry's name: the last change of the password
SUMMARY: Final = 0xFD  # of the history; failures of devices have 0xFF
PLACE: Final = 0xFE

EARNED_US: Final = 6 * HOUR_US
"""The credit that a success gives its address, once a day for each account. It decays by itself in this time."""

CREDIT_US: Final = 8 * EARNED_US
"""The credit that one attempt costs: so eight of an attacker's own accounts buy one guess a day."""

FIRST_EARNED_US: Final = 4 * EARNED_US
"""The credit that the first success of a new account gives its address: two of an attacker's own buy one guess, once.

On a site's first days, and at the start of a term, an address of many owners has no other. It does not make the address
one of many owners: only accounts that are a day old do.
"""

CREDIT_US_MAX: Final = HISTORY_KEPT_US  # thirty attempts
SHARED_US_MIN: Final = 8 * EARNED_US
"""Credit earned lately, spent or not, from which on an address is one of many owners: five a day, and more."""


class DeviceBucket(NamedTuple):
    """A device bucket: a known device's own counter, and the newest generation of its token (since `renewed_us`)."""

    device: bytes
    generation: int = 0
    renewed_us: int = 0
    tats: tuple[int, ...] = ()


def learned(
    buckets: tuple[DeviceBucket, ...], place: bytes, now_us: int, *, width: int, earned: bool
) -> tuple[DeviceBucket, ...]:
    """Return an account's buckets with one more success in its history.

    `width`: the number of TATs of each bucket. `earned`: this success gave its address credit.
    """
    name = bytes([PLACE]) + place[:NAME_BYTES]
    summary = next((bucket for bucket in buckets if kind_of(bucket) == SUMMARY), None)
    here = next((bucket for bucket in buckets if kind_of(bucket) == PLACE and bucket.device == name), None)
    kept = [bucket for bucket in buckets if bucket is not summary and bucket is not here]
    places = [bucket for bucket in kept if kind_of(bucket) == PLACE]
    if len(places) >= PLACES_MAX:
        kept.remove(min(places, key=_last_success))
    return (*kept, _summed(summary, now_us, width, earned=earned), _visited(here, name, place, now_us, width))


def recalled(buckets: tuple[DeviceBucket, ...], place: bytes, now_us: int) -> tuple[int, bool]:
    """Return an account's history as bits that `model.History` reads, and whether a success may earn credit.

    It may if the account's first success is at least a day old, and so is its last credit.
    """
    name, hour = bytes([PLACE]) + place[:NAME_BYTES], now_us // HOUR_US
    total = here = places = browser = at_this_hour = old = 0
    earns = False
    for bucket in buckets:
        kind, count, more = kind_of(bucket), _count(bucket), _more(bucket)
        if kind == SUMMARY:
            total = count
            at_this_hour = int(any(more >> ((hour + near) % DAY_HOURS) & 1 for near in (-1, 0, 1)))
            age_hours = hour - _first_hour(bucket)
            earns = age_hours >= DAY_HOURS and hour - _credit_hour(bucket) >= DAY_HOURS
            old = OLD if age_hours >= OLD_HOURS else 0
        elif kind == PLACE:
            places += 1
            here = count if bucket.device == name else here
            browser = browser or int(place[NAME_BYTES] != 0 and place[NAME_BYTES] in more.to_bytes(BROWSERS_MAX))
    return total | here << 7 | places << 14 | browser << 17 | at_this_hour << 18 | old, earns


def is_known_here(history: int) -> bool:
    """Whether a history that `recalled` returned has a success from this network."""
    return history >> 7 & COUNT_MAX != 0


def kind_of(bucket: DeviceBucket) -> int:
    """Return which kind of entry a bucket is: `CHANGE`, `SUMMARY` or `PLACE`; another number for a device bucket."""
    return bucket.device[0] if bucket.generation >= FAILED else 0


def is_history(bucket: DeviceBucket) -> bool:
    return kind_of(bucket) in {SUMMARY, PLACE}


# An entry's generation holds a count of successes and 24 bits more: of a network its newest browsers, of the summary
# one bit for each hour of the day (UTC). The summary's name holds the hour of the first success and of the last credit.


def _summed(before: DeviceBucket | None, now_us: int, width: int, *, earned: bool) -> DeviceBucket:
    hour = now_us // HOUR_US
    first = _first_hour(before) if before else hour
    credit = hour if earned else _credit_hour(before) if before else 0
    device = bytes([SUMMARY]) + first.to_bytes(3, "little") + credit.to_bytes(3, "little") + b"\0"
    hours = (_more(before) if before else 0) | 1 << hour % DAY_HOURS
    return _entry(device, _count(before) if before else 0, hours, now_us, width)


def _visited(before: DeviceBucket | None, name: bytes, place: bytes, now_us: int, width: int) -> DeviceBucket:
    browsers = (_more(before) if before else 0).to_bytes(BROWSERS_MAX)
    browser = place[NAME_BYTES:]
    if browser != b"\0" and browser not in browsers:
        browsers = browser + browsers[:-1]
    return _entry(name, _count(before) if before else 0, int.from_bytes(browsers), now_us, width)


def _entry(device: bytes, count: int, more: int, now_us: int, width: int) -> DeviceBucket:
    generation = FAILED + (min(COUNT_MAX, count + 1) | more << 7)
    # Chosen so that the entry expires after `HISTORY_KEPT_US` when any version computes the end of a bucket.
    return DeviceBucket(device, generation, now_us + HISTORY_KEPT_US - RENEWAL_KEPT_US, (0,) * width)


def _count(bucket: DeviceBucket) -> int:
    return bucket.generation - FAILED & COUNT_MAX


def _more(bucket: DeviceBucket) -> int:
    return bucket.generation - FAILED >> 7


def _first_hour(summary: DeviceBucket) -> int:
    return int.from_bytes(summary.device[1:4], "little")


def _credit_hour(summary: DeviceBucket) -> int:
    return int.from_bytes(summary.device[4:7], "little")


def _last_success(bucket: DeviceBucket) -> int:
    return bucket.renewed_us


# Credit. Two times, as TATs: how far after now they are is the credit that is left, and the credit that was earned.


def credit_left(tats: tuple[int, ...], now_us: int) -> bool:
    """Whether an address has credit for one attempt. `tats`: of its credit record."""
    return bool(tats) and tats[0] - now_us >= CREDIT_US


def is_shared(tats: tuple[int, ...], now_us: int) -> bool:
    """Whether many accounts earned credit at an address lately, spent or not. `tats`: of its credit record."""
    return len(tats) > 1 and tats[1] - now_us >= SHARED_US_MIN


def spent(tats: tuple[int, ...]) -> tuple[int, ...]:
    return (tats[0] - CREDIT_US, *tats[1:])


def given_back(tats: tuple[int, ...], now_us: int) -> tuple[int, ...]:
    return (_added(tats[0] if tats else 0, CREDIT_US, now_us), *(tats[1:] or (0,)))


def credited(tats: tuple[int, ...], now_us: int) -> tuple[int, ...]:
    return tuple(_added(max(tat, now_us), EARNED_US, now_us) for tat in (tats or (0, 0)))


def credited_first(tats: tuple[int, ...], now_us: int) -> tuple[int, ...]:
    return (_added(max(tats[0] if tats else 0, now_us), FIRST_EARNED_US, now_us), *(tats[1:] or (0,)))


def _added(tat: int, more_us: int, now_us: int) -> int:
    return min(now_us + CREDIT_US_MAX, max(now_us, tat + more_us))
