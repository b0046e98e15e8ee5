"""Which events have lines of their own, and which are summed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.model import Action
from sekisho.record import Kind
from sekisho.record.flood import SINGLY_MAX

if TYPE_CHECKING:
    from sekisho.record import Event
    from sekisho.record.notes import Note

ALL: Final = 1 << 60
# Strangers can make as many of these as they like. All others cost an attacker a password's check, or more.
CHEAP: Final = frozenset({Kind.DECIDED, Kind.UNREADABLE, Kind.CROWDED, Kind.UNJUDGED, Kind.MISCONFIGURED})


def singly(item: Event | Note, /, *, was_flood: bool) -> int:
    """Return how many events like `item` get lines of their own in a second; further ones are only summed.

    `was_flood`: whether too many came in the second before.

    Only summed, a line a second:
    - an attempt that passes: its outcome has a line of its own, with account and address;
    - an attempt that is refused unread, as its address, network or device was refused before, on a line of its own;
    - what is still a flood after a second.
    """
    kind = item[0] if isinstance(item, tuple) else item.kind
    if kind not in CHEAP:
        return ALL
    return 0 if was_flood or _is_told_elsewhere(item) else SINGLY_MAX


def _is_told_elsewhere(item: Event | Note) -> bool:
    if not isinstance(item, tuple):
        return False
    kind, judged, canonical = item[0], item[3], item[8]
    if kind != Kind.DECIDED or isinstance(judged, str):
        return False
    return not canonical or (not judged.findings and judged.asked is Action.ALLOW)
