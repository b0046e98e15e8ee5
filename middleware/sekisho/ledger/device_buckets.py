"""An account's device buckets: counters of known devices, and the entries of other kinds that stand among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.ledger.gcra import one_more, span_us
from sekisho.ledger.history import CHANGE, FAILED, HOUR_US, NAME_BYTES, RENEWAL_KEPT_US, DeviceBucket, kind_of
from sekisho.ledger.records import CLOCK_STEP_US, ENDED, ENDED_KEPT_US, FAILURES_KEPT_US, Record

if TYPE_CHECKING:
    from sekisho.model import Charge, Limits

FAILURES_CAP = 65_535  # two bytes in the packed record

RENEWAL_GRACE_US = 60_000_000
"""Two tabs may log in with one token, so the second newest generation stays valid for another minute."""

BUCKETS_MAX = 16
"""Devices of one account with a bucket. If all buckets are in use, a further device is treated as a stranger."""


def enter_bucket(record: Record, charge: Charge, limits: Limits, now_us: int) -> tuple[DeviceBucket | None, int, bool]:
    """Count an attempt in the bucket of its known device; return the bucket, or None and the wait in microseconds.

    The third value says whether None is returned because the device's token counts no longer.
    """
    if not charge.known_device:
        return None, 0, False
    bucket = bucket_of(record, charge.known_device)
    if charge.token_generation < bucket.generation and not _has_grace(bucket, now_us):
        return None, 0, True
    if _is_void(record, charge.known_device, charge.token_issued_us):
        return None, 0, True
    wait, tats, _ = one_more(bucket.tats, limits, now_us)
    if wait and _is_of_another_clock(bucket.tats, limits, now_us):
        wait, tats, _ = one_more((), limits, now_us)
    if wait or not _has_place(record, bucket, limits, now_us):
        return None, wait, False
    return bucket._replace(tats=tats), 0, False


def _has_grace(bucket: DeviceBucket, now_us: int) -> bool:
    """Whether older generations are still valid. Once the trust was ended, a copy must not have a minute more."""
    # Either way: after a clock was set back, a thief's older copy would be good until the clock has caught up.
    return bucket.generation != ENDED and abs(now_us - bucket.renewed_us) <= RENEWAL_GRACE_US


def _is_of_another_clock(tats: tuple[int, ...], limits: Limits, now_us: int) -> bool:
    """Whether more is charged than ever has room: the clock was set back, or the limits were shortened.

    The device then begins a new period, once: its owner must not be kept out. Strangers wait as at a full counter.
    """
    latest_us = now_us + CLOCK_STEP_US
    return any(tat > latest_us + span_us(limit) for tat, limit in zip(tats, limits, strict=False))


def bucket_of(record: Record, device: bytes, generation: int = 0) -> DeviceBucket:
    return next((bucket for bucket in record.buckets if bucket.device == device), DeviceBucket(device, generation))


def _has_place(record: Record, bucket: DeviceBucket, limits: Limits, now_us: int) -> bool:
    others = _others_like(record, bucket)
    return len(others) < BUCKETS_MAX or any(_at_rest(other, limits, now_us) for other in others)


def with_bucket(record: Record, bucket: DeviceBucket, limits: Limits, now_us: int) -> Record:
    """Return the record with this bucket as its last one.

    If all places are taken, the bucket replaces the first one at rest; if none is at rest, the record stays as it is.
    """
    gone = {bucket.device}
    others = _others_like(record, bucket)
    if len(others) >= BUCKETS_MAX:
        at_rest = next((other for other in others if _at_rest(other, limits, now_us)), None)
        if at_rest is None:
            return record
        gone.add(at_rest.device)
    return record._replace(buckets=(*(other for other in record.buckets if other.device not in gone), bucket))


def _others_like(record: Record, bucket: DeviceBucket) -> list[DeviceBucket]:
    """Return the other buckets of the same kind. Buckets and counts of failures have separate places."""
    return [
        other
        for other in record.buckets
        if other.device != bucket.device
        and (other.generation >= FAILED) == (bucket.generation >= FAILED)
        and kind_of(other) != CHANGE
    ]


def without_bucket(record: Record, device: bytes) -> Record:
    return record._replace(buckets=tuple(bucket for bucket in record.buckets if bucket.device != device))


# A device's failures are counted in a separate entry. Workers of versions without such a count treat it as one
# more device bucket: they keep it as long as we do, and no device has its name.


def failed_bucket(device: bytes) -> bytes:
    """Return the name of the bucket in which failures of the device `device` are counted."""
    return b"\xff" + device[:-1]


def bucket_failures(record: Record, device: bytes) -> int:
    return max(0, bucket_of(record, failed_bucket(device), FAILED).generation - FAILED)


def failed_in_bucket(record: Record, device: bytes, limits: Limits, now_us: int) -> Record:
    failures = min(FAILURES_CAP, bucket_failures(record, device) + 1)
    # Chosen so that the entry expires after `FAILURES_KEPT_US` when any version computes the end of a bucket.
    renewed_us = now_us + FAILURES_KEPT_US - RENEWAL_KEPT_US
    entry = DeviceBucket(failed_bucket(device), FAILED + failures, renewed_us, (0,) * len(limits))
    return with_bucket(record, entry, limits, now_us)


# The last change of a password is an entry as well. Its name holds the device that made the change.


def changed(record: Record, device: bytes, at_us: int, now_us: int, width: int) -> Record:
    """Return the record of an account whose password was changed: tokens of other devices from before are void."""
    # Charges of another clock, or of none, do not say when it was.
    at_us = at_us if now_us - HOUR_US < at_us <= now_us else now_us
    name = bytes([CHANGE]) + (device or bytes(NAME_BYTES))[:NAME_BYTES]
    # Chosen so that the entry ends after `ENDED_KEPT_US` when any version computes the end of a bucket.
    entry = DeviceBucket(name, FAILED, at_us + ENDED_KEPT_US - RENEWAL_KEPT_US, (0,) * width)
    return record._replace(buckets=(*(bucket for bucket in record.buckets if kind_of(bucket) != CHANGE), entry))


def _is_void(record: Record, device: bytes, issued_us: int) -> bool:
    """Whether a token is older than the last change of its account's password, which another device made."""
    if not issued_us:
        return False
    for bucket in record.buckets:
        if bucket.generation == FAILED and bucket.device[0] == CHANGE:
            return issued_us <= changed_us(bucket) and bucket.device[1:] != device[:NAME_BYTES]
    return False


def changed_us(entry: DeviceBucket) -> int:
    """Return the Unix time, in microseconds, of the password change that an entry records."""
    return entry.renewed_us + RENEWAL_KEPT_US - ENDED_KEPT_US


def _at_rest(bucket: DeviceBucket, limits: Limits, now_us: int) -> bool:
    # After a clock was set back, sixteen buckets of before would let no further device in until it has caught up.
    return max(bucket.tats, default=0) <= now_us or _is_of_another_clock(bucket.tats, limits, now_us)
