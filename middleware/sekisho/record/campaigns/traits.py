"""What an event says of an attempt: whether it was hostile, and what it shares with others."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from sekisho.record.events import WITHHELD, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.record.events import Event

TRAITS: Final = ("software", "network", "device", "address")
"""Fields of a subject by which attempts are grouped, the widest first."""

_UNPROVED: Final = frozenset({"stranger", "seen"})
_REFUSED: Final = frozenset({"challenge", "throttle", "deny"})


class Meaning(Enum):
    """What an event means for campaigns."""

    NOTHING = 0
    REFUSED = 1  # a stranger was refused, or asked for work
    FAILED = 2  # a stranger's secret was wrong
    ENTERED = 3  # a device without a proof was let in
    PROVED = 4  # a second proof was shown
    RIGHT = 5  # the secret was right, and a proof was asked for before anything was opened


def meaning(event: Event) -> Meaning:
    """Events of known devices are never hostile: owners forget passwords."""
    device_class = event.subject.device_class
    if event.kind == Kind.SETTLED and device_class in _UNPROVED:
        if event.result == "succeeded":
            return Meaning.RIGHT if WITHHELD in event.reasons else Meaning.ENTERED
        is_wrong = event.result == "failed" and device_class == "stranger"
        return Meaning.FAILED if is_wrong else Meaning.NOTHING
    if event.kind == Kind.DECIDED and device_class == "stranger" and event.mode == "enforce":
        return Meaning.REFUSED if event.action in _REFUSED else Meaning.NOTHING
    return Meaning.PROVED if event.kind == Kind.STEP_UP_PROVED else Meaning.NOTHING


def traits(event: Event) -> Iterator[str]:
    """`network 203.0.113.0/24` and so on, the widest first. A sum of events has none."""
    for name in TRAITS:
        if text := getattr(event.subject, name):
            yield f"{name} {text}"
