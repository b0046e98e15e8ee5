"""The file of events: JSON lines that all workers append."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.record.appender import Appender
from sekisho.record.event_writer import EventWriter
from sekisho.record.flood import Flood
from sekisho.record.lines import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.record.events import Event
    from sekisho.record.subjects import Subjects

UNWRITABLE = (
    "SEKISHO_EVENTS_FILE: events are lost, because the file cannot be written (%s): name a file that the service may "
    "append to, on a disk with room, as in SEKISHO_EVENTS_FILE=/var/log/sekisho/events.jsonl [SEK023]"
)
WRITABLE = "SEKISHO_EVENTS_FILE: events are written again"


@final
class EventFile:
    """The output of an event file. `path`: it is created if it is missing; its folder is not."""

    unwritable: Final = UNWRITABLE
    writable: Final = WRITABLE

    def __init__(self, path: str) -> None:
        self._appender = Appender(path)

    def begin(self) -> None:
        """Do nothing: every write opens the file anew and appends, so a forked process needs no start of its own."""

    def write(self, events: list[Event]) -> Iterator[int]:
        return self._appender.append([f"{encode(event)}\n".encode() for event in events])

    def end(self) -> None:
        """Do nothing: `write` has written every line, and the file needs no last one."""


def event_file(
    path: str,
    count: Callable[[str, str, str, int], object],
    *,
    subjects: Subjects | None = None,
    clock_us: Callable[[], int],
    in_background: bool = True,
) -> EventWriter:
    """Return a sink that writes events to the file at `path`, as JSON lines.

    The parameters are those of `EventWriter`.
    """
    return EventWriter(
        EventFile(path), count, flood=lambda: Flood(subjects), clock_us=clock_us, in_background=in_background
    )
