"""The sink that appends events to a file, as JSON lines. A thread writes them: a disk may block, a log-in may not."""

from __future__ import annotations

import atexit
import logging
import os
import time
from threading import Event as Flag
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final
from weakref import WeakMethod

from sekisho.record.appender import Appender
from sekisho.record.flood import Flood
from sekisho.record.lines import FORMS, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.record.events import Event

log = logging.getLogger("sekisho.events")

QUEUE_MAX: Final = 10_000  # events that wait, some 10 MB
BATCH_S: Final = 0.2
IDLE_S: Final = 5.0  # after so long without an event the thread ends; the next event starts another

UNWRITABLE = (
    "SEKISHO_EVENTS_FILE: events are lost, because the file cannot be written (%s): name a file that the service may "
    "append to, on a disk with room, as in SEKISHO_EVENTS_FILE=/var/log/sekisho/events.jsonl [SEK023]"
)
WRITABLE = "SEKISHO_EVENTS_FILE: events are written again"


class EventFile:
    """Takes all events. Belongs to one process; any thread may call it.

    Args:
        path: of the file. It is created if it is missing; its folder is not.
        count: counts lost events: place, event, reason, number.
        clock_us: Unix time in microseconds, as that of the events.
        in_background: whether a thread writes; otherwise only `flush` does.
    """

    kinds: Final = frozenset(FORMS)

    def __init__(
        self,
        path: str,
        count: Callable[[str, str, str, int], object],
        *,
        clock_us: Callable[[], int],
        in_background: bool = True,
    ) -> None:
        self._appender = Appender(path)
        self._count = count
        self._clock_us = clock_us
        self._in_background = in_background
        self._said: set[int | None] = set()
        self._fails = False
        self._begin()
        atexit.register(_call, WeakMethod(self.flush))
        os.register_at_fork(after_in_child=_Forked(WeakMethod(self._begin)))

    def _begin(self) -> None:
        """Start empty: also in a forked process, whose parent writes what waits, and which has no thread."""
        self._lock = Lock()  # of the queue; held for moments
        self._writing = Lock()  # of the file
        self._flood = Flood()
        self._queue: list[Event] = []
        self._thread: Thread | None = None
        self._waiting = Flag()

    def take(self, event: Event) -> None:
        with self._lock:
            self._put(self._flood.add(event))
            if self._thread is None and self._in_background:
                self._thread = Thread(target=self._run, name="sekisho events", daemon=True)
                self._thread.start()
        if not self._waiting.is_set():  # it takes a lock
            self._waiting.set()

    def flush(self) -> None:
        """Write all that waits, sums included. It blocks while the disk does."""
        self._write(all_sums=True)

    def _put(self, events: list[Event]) -> None:
        room = max(0, QUEUE_MAX - len(self._queue))
        self._queue += events[:room]
        if lost := events[room:]:
            self._count("", "events", "full", _number(lost))

    def _run(self) -> None:
        while self._waiting.wait(IDLE_S) or not self._ends():
            self._waiting.clear()
            time.sleep(BATCH_S)  # events that come meanwhile are written in the same batch
            self._write()

    def _ends(self) -> bool:
        with self._lock:
            if self._queue or self._flood.is_summing or self._waiting.is_set():
                return False
            self._thread = None
            return True

    def _write(self, *, all_sums: bool = False) -> None:
        with self._writing:
            with self._lock:
                self._put(self._flood.rest() if all_sums else self._flood.ended(self._clock_us()))
                events, self._queue = self._queue, []
                if self._flood.is_summing:
                    self._waiting.set()  # or the sums would wait for the next event
            if events:
                self._append(events)

    def _append(self, events: list[Event]) -> None:
        written = 0
        try:
            for number in self._appender.append([f"{encode(event)}\n".encode() for event in events]):
                written += number
        except OSError as error:
            self._lost(events[written:], error)
        else:
            self._works()

    def _lost(self, events: list[Event], error: OSError) -> None:
        self._count("", "events", "unwritable", _number(events))
        self._fails = True
        # Once for each cause: a disk that is full now and then must not fill the log.
        if error.errno not in self._said:
            self._said.add(error.errno)
            log.error(UNWRITABLE, error.strerror)

    def _works(self) -> None:
        if self._fails and None not in self._said:
            self._said.add(None)
            log.warning(WRITABLE)


class _Forked:
    """Calls a method in a child process, if its object is still there."""

    def __init__(self, method: WeakMethod[Callable[[], None]]) -> None:
        self._method = method

    def __call__(self) -> None:
        _call(self._method)


def _call(method: WeakMethod[Callable[[], None]]) -> None:
    if (bound := method()) is not None:
        bound()


def _number(events: list[Event]) -> int:
    return sum(event.times for event in events)
