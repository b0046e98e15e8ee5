"""Records: the counters of one identity, their keys, and how long they matter."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sekisho.ledger.history import CHANGE, FAILED, RENEWAL_KEPT_US, DeviceBucket, is_history, kind_of
from sekisho.ledger.tags import GENERATION_US, NO_TAGS, Tags, aged

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from sekisho.model import Charge

DAY_US = 86_400 * 1_000_000
FAILURES_KEPT_DAYS_MAX = 90
FAILURES_KEPT_US = FAILURES_KEPT_DAYS_MAX * DAY_US

ENDED = FAILED - 1
"""The generation of a device whose owner ended its trust: no token reaches it."""

CLOCK_STEP_US = 60_000_000
"""Clocks that are set back by less are no event: servers of one store differ by that, and take over from each other."""

ENDED_KEPT_US = 400 * DAY_US  # as long as any token lives, or the ended one would be trusted again


class Record(NamedTuple):
    """The counters of one identity. A missing record equals a fresh one.

    `seen` and `tried` always share their generation. Only accounts use `failures`, `tried` and `buckets`.
    """

    tats: tuple[int, ...] = ()
    at_us: int = 0
    seen: Tags = NO_TAGS
    failures: int = 0
    tried: Tags = NO_TAGS
    buckets: tuple[DeviceBucket, ...] = ()


FRESH = Record()
Book: TypeAlias = "MutableMapping[bytes, Record]"


# Keys: one letter for the kind, then the digest. On a Cluster, the widest prefix places a network family in one slot.


def network_keys(charge: Charge) -> tuple[bytes, ...]:
    keys = [b"n" + network for network in charge.networks]
    return (*keys, b"i" + charge.ip, b"d" + charge.device)


def account_key(charge: Charge) -> bytes:
    return b"a" + charge.account


def shared_key(charge: Charge) -> bytes:
    """Return the key of the record, one of 2^18, that a new account shares with others while there is no room."""
    return b"b" + charge.account[:2] + bytes([charge.account[2] & 0xC0])


def credit_key(charge: Charge) -> bytes:
    return b"c" + charge.ip


def secret_key(charge: Charge) -> bytes:
    return b"s" + charge.secret


# How long a record matters.


def expires_us(record: Record, now_us: int) -> int:
    """Return the time in microseconds from which the record means no more than a missing one."""
    tats, at_us, (generation, young, old), failures, (_, tried_young, tried_old), buckets = record
    end = max((now_us, *tats))
    if young or old or tried_young or tried_old:
        end = max(end, (generation + 2) * GENERATION_US)
    if failures:
        end = max(end, at_us + failures_kept_us(failures))
    for bucket in buckets:
        end = max(end, bucket_ends_us(bucket))
    return end


def failures_kept_us(failures: int) -> int:
    """How long so many failures are remembered after the last charge: a day for each, 90 at most, in microseconds.

    A name that was invented for one attempt is forgotten after a day; at 90 days for each, a flood of names would fill
    any store. An attacker who waits for that gains one guess a day, at every account alike. A longer memory for
    existing accounts would reveal them.
    """
    return min(failures, FAILURES_KEPT_DAYS_MAX) * DAY_US


def bucket_ends_us(bucket: DeviceBucket) -> int:
    kept_us = ENDED_KEPT_US if bucket.generation == ENDED else RENEWAL_KEPT_US
    return max(*bucket.tats, bucket.renewed_us + kept_us if bucket.renewed_us else 0, 0)


def is_gone(record: Record, now_us: int) -> bool:
    """Whether the record means no more than a missing one. Then a refused attempt makes no record either.

    The owner of a /48 has a new address for each attempt, and is refused for the /48. A record for each address would
    fill any store, and a full memory refuses strangers.
    """
    return expires_us(record, now_us) <= now_us


def current(record: Record, now_us: int) -> Record:
    """Return the record without expired parts, so that a kept record and a forgotten one give the same results."""
    if record is FRESH:
        return _fresh(now_us // GENERATION_US)
    if record.at_us > now_us + CLOCK_STEP_US:
        record = _redated(record, now_us)
    tats, at_us, seen, failures, tried, buckets = record
    seen_now = aged(seen, now_us)
    tried_now = seen_now if tried is seen else aged(tried, now_us)
    if failures and now_us >= at_us + failures_kept_us(failures):
        failures = 0
    if buckets:
        buckets = tuple([bucket for bucket in buckets if bucket_ends_us(bucket) > now_us])
    if seen_now is seen and tried_now is tried and failures == record.failures and buckets == record.buckets:
        return record
    return Record(tats, at_us, seen_now, failures, tried_now, buckets)


def _redated(record: Record, now_us: int) -> Record:
    """Return the record as if it had been charged last now: the clock was set back since, and it is as full as then.

    Otherwise its TATs would lie ahead of any full counter's, and refuse all strangers until the clock has caught up.
    """
    by_us = now_us - record.at_us
    return record._replace(tats=tuple([max(0, tat + by_us) for tat in record.tats]), at_us=now_us)


@lru_cache(maxsize=2)
def _fresh(generation: int) -> Record:
    none = Tags(generation)
    return Record((), 0, none, 0, none, ())


def unblocked(record: Record, *, history: bool = False) -> Record:
    """Return the record without its counts, for an operator who unblocks it.

    Its buckets keep their generations: a token that was replaced stays spent, or an attacker's old copy would be good.
    Its history stays, since it counts no guesses, unless `history` says that it goes as well.
    """
    buckets = [
        bucket._replace(tats=())
        for bucket in record.buckets
        if bucket.generation < FAILED or kind_of(bucket) == CHANGE or (is_history(bucket) and not history)
    ]
    return Record(buckets=tuple(buckets))
