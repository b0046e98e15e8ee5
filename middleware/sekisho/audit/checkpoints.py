"""Checkpoints: how far each chain had come, kept where the lines are not, so that lines missing at an end are found."""

from __future__ import annotations

import json
from hmac import compare_digest, digest
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.record.lines import time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EVERY_US: Final = 10_000_000
"""At most so long after a line there is a checkpoint of it, or of a later one."""
LINE_CHARS_MAX: Final = 1_024
_FIELDS: Final = {"chain": str, "n": int, "mac": str, "time": str, "seal": str}


class Checkpoint(NamedTuple):
    """Attributes:
    chain: its id.
    number: of a line.
    mac: that line's.
    time: when the checkpoint was made: ISO 8601, UTC.
    """

    chain: str
    number: int
    mac: str
    time: str


def checkpoint_line(key: bytes, chain: str, number: int, mac: str, at_us: int) -> bytes:
    """Make a checkpoint of line `number`, as a line signed with the audit key. `at_us`: Unix time in microseconds."""
    found = Checkpoint(chain, number, mac, time_text(at_us))
    fields = {"v": 1, "time": found.time, "chain": chain, "n": number, "mac": mac, "seal": _seal(key, found)}
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def checkpoint_of(line: bytes, keys: Sequence[bytes]) -> Checkpoint | None:
    """Read a checkpoint from a line; None if the line is no checkpoint, or none of `keys` has signed it."""
    try:
        fields = json.loads(line) if len(line) <= LINE_CHARS_MAX else None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not all(type(fields.get(name)) is kind for name, kind in _FIELDS.items()):
        return None
    found = Checkpoint(fields["chain"], fields["n"], fields["mac"], fields["time"])
    # One that an attacker could forge would hide the lines that he removed.
    is_ours = any(compare_digest(_seal(key, found).encode(), fields["seal"].encode()) for key in keys)
    return found if is_ours else None


def newest(found: Iterable[Checkpoint]) -> dict[str, Checkpoint]:
    """Return the furthest checkpoint of each chain, by the chain's id."""
    furthest: dict[str, Checkpoint] = {}
    for each in found:
        if each.chain not in furthest or each.number > furthest[each.chain].number:
            furthest[each.chain] = each
    return furthest


def _seal(key: bytes, found: Checkpoint) -> str:
    text = f"checkpoint {found.chain} {found.number} {found.mac} {found.time}"
    return digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()
