"""An account's records in the ledger, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sekisho.ledger.counters import uses
from sekisho.ledger.device_buckets import changed_us
from sekisho.ledger.history import CHANGE, FAILED, PLACE, SUMMARY, kind_of
from sekisho.ledger.records import ENDED
from sekisho.ledger.tags import TAG_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.ledger.counters import NamedCounter
    from sekisho.ledger.history import DeviceBucket
    from sekisho.ledger.records import Record
    from sekisho.model import Limits

COUNT_BITS: Final = 7
HOUR_S: Final = 3_600
_US: Final = 1_000_000


def counter_json(counter: NamedCounter, record: Record, limits: Limits, now_us: int) -> dict[str, Any]:
    """One counter: its doors and how far it is used. Times are Unix seconds."""
    return {
        "of": counter.doors or "passwords",
        "digest": counter.digest.hex(),
        "last": record.at_us // _US,
        "limits": [
            {"burst": use.burst, "period_s": use.period_us // _US, "used": use.used}
            for use in uses(record.tats, limits, now_us)
        ],
        "failures": record.failures,
        "addresses": _tags(record.seen.young + record.seen.old),
        "pairs": _tags(record.tried.young + record.tried.old),
    }


def is_empty(record: Record) -> bool:
    """Whether the record counts nothing."""
    return not (record.tats or record.failures or record.seen.size or record.tried.size)


def devices_json(buckets: Iterable[DeviceBucket]) -> list[dict[str, Any]]:
    """The devices of an account as JSON values, from its buckets in the ledger.

    They are known devices, devices whose trust was ended, failures of known devices, and the last change of the
    password.
    """
    return [_device(bucket) for bucket in buckets if kind_of(bucket) not in {SUMMARY, PLACE}]


def history_json(buckets: Iterable[DeviceBucket]) -> dict[str, Any] | None:
    """The history of an account's successes as JSON values, from its buckets in the ledger; None if there is none."""
    found = tuple(buckets)
    summary = next((bucket for bucket in found if kind_of(bucket) == SUMMARY), None)
    places = [_place(bucket) for bucket in found if kind_of(bucket) == PLACE]
    if summary is None and not places:
        return None
    return {**(_summary(summary) if summary else {}), "networks": places}


def _device(bucket: DeviceBucket) -> dict[str, Any]:
    if kind_of(bucket) == CHANGE:
        return {"digest": bucket.device[1:].hex(), "state": "changed_password", "since": changed_us(bucket) // _US}
    if bucket.generation >= FAILED:
        return {"digest": bucket.device[1:].hex(), "state": "failures", "failures": bucket.generation - FAILED}
    state = "ended" if bucket.generation == ENDED else "known"
    renewals = 0 if bucket.generation == ENDED else bucket.generation
    return {"digest": bucket.device.hex(), "state": state, "renewals": renewals, "since": bucket.renewed_us // _US}


def _summary(bucket: DeviceBucket) -> dict[str, Any]:
    hours = bucket.generation - FAILED >> COUNT_BITS
    return {
        "first_success": int.from_bytes(bucket.device[1:4], "little") * HOUR_S,
        "last_credit": int.from_bytes(bucket.device[4:7], "little") * HOUR_S,
        "successes": bucket.generation & (1 << COUNT_BITS) - 1,
        "hours_utc": [hour for hour in range(24) if hours >> hour & 1],
    }


def _place(bucket: DeviceBucket) -> dict[str, Any]:
    browsers = (bucket.generation - FAILED >> COUNT_BITS).to_bytes(3)
    return {
        "digest": bucket.device[1:].hex(),
        "successes": bucket.generation & (1 << COUNT_BITS) - 1,
        "browser_families": [number for number in browsers if number],
    }


def _tags(packed: bytes) -> list[str]:
    return [packed[at : at + TAG_BYTES].hex() for at in range(0, len(packed), TAG_BYTES)]
