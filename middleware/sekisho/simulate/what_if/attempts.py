"""Attempts, as the lines of the audit tell of them, in the order in which they were charged and settled.

An attempt that passed has a line only when it was settled; one with findings has a line when it was judged, too. Both
say when it was charged. Workers write some lines later than others, and a slow application settles late, so lines are
put in order within `WINDOW_US`.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from sekisho.model import Device
from sekisho.record.events import WITHHELD, Kind
from sekisho.simulate.what_if.items import Attempted, Proved, Settled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sekisho.record import Event
    from sekisho.record.counted import Counted
    from sekisho.simulate.what_if.items import Item, Line
    from sekisho.simulate.what_if.tally import ReplayTally

WINDOW_US: Final = 60_000_000
WAITING_MAX: Final = 1_000_000  # items that wait for earlier ones, some 1 GB

_DEVICES: Final = {device.name.lower(): device for device in Device}


def in_order(lines: Iterable[Line], tally: ReplayTally) -> Iterator[Item]:
    """Yield the decisions, settlements and proofs in lines of the audit, in order of time.

    Args:
        lines: of the audit, about in order of time.
        tally: is told of events that cannot be judged again.
    """
    waiting: list[tuple[int, int, Item]] = []
    number = newest_us = 0
    for event, counted in lines:
        newest_us = max(newest_us, event.at_us)
        for item in _items(event, counted, tally):
            number += 1
            heappush(waiting, (item.at_us, number, item))
        while waiting and (waiting[0][0] < newest_us - WINDOW_US or len(waiting) > WAITING_MAX):
            yield heappop(waiting)[2]
    while waiting:
        yield heappop(waiting)[2]


def _items(event: Event, counted: Counted | None, tally: ReplayTally) -> tuple[Item, ...]:
    if event.kind == Kind.STEP_UP_PROVED:
        return (Proved(event.at_us, event.subject.account),)
    if event.kind not in {Kind.DECIDED, Kind.SETTLED}:
        return ()
    if counted is None:
        tally.cannot(event)
        return ()
    attempted = _attempted(event, counted)
    if event.kind == Kind.DECIDED:
        return (attempted,)
    return attempted, Settled(attempted.key, event.at_us, event.result, WITHHELD in event.reasons)


def _attempted(event: Event, counted: Counted) -> Attempted:
    subject = event.subject
    return Attempted(
        f"{subject.counted} {subject.address} {subject.device}",
        counted.at_us or event.at_us,
        event.door,
        counted.action,
        event.reasons if event.kind == Kind.DECIDED else (),
        _DEVICES.get(subject.device_class, Device.STRANGER),
        subject.account,
        subject.address,
        subject.device,
        counted,
    )
