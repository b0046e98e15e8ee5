"""The sink behind which a thread writes events: a disk or a network may block, a log-in may not."""

from __future__ import annotations

import atexit
import logging
import os
import time
from threading import Event as Flag
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final, Protocol, final
from weakref import WeakMethod

from sekisho.once import Once
from sekisho.record.flood import SORTS_MAX, Flood
from sekisho.record.lines import FORMS
from sekisho.record.note_queue import NoteQueue
from sekisho.record.notes import sort_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.record.events import Event
    from sekisho.record.notes import Note

log = logging.getLogger("sekisho.events")

QUEUE_MAX: Final = 10_000  # events that wait, some 10 MB
BATCH_S: Final = 0.2
IDLE_S: Final = 5.0  # after so long without an event the thread ends; the next event starts another


class Output(Protocol):
    """Where events are written.

    Attributes:
        unwritable: what the log says where it cannot be written, with `%s` for the cause.
        writable: what the log says afterwards.
    """

    @property
    def unwritable(self) -> str: ...

    @property
    def writable(self) -> str: ...

    def begin(self) -> None:
        """Begin the output anew in this process, which may be a fork of the one that wrote until now."""
        ...

    def write(self, events: list[Event]) -> Iterator[int]:
        """Write events; yields after each write how many events were in it. Raises `OSError`."""
        ...

    def end(self) -> None:
        """Write the output's last line, if it needs one: the process is about to end. Raises `OSError`."""
        ...


@final
class EventWriter:
    """Takes all events. Belongs to one process; any thread may call it.

    Args:
        output: where the events go.
        count: counts lost events: place, event, reason, number.
        flood: makes what sums the events of a flood.
        clock_us: Unix time in microseconds, as that of the events.
        in_background: whether a thread writes; otherwise only `flush` does.

    Attributes:
        queue: the events that wait; recorders put them there directly.
    """

    kinds: Final = frozenset(FORMS)

    def __init__(
        self,
        output: Output,
        count: Callable[[str, str, str, int], object],
        *,
        flood: Callable[[], Flood] = Flood,
        clock_us: Callable[[], int],
        in_background: bool = True,
    ) -> None:
        self._output = output
        self._count = count
        self._new_flood = flood
        self._clock_us = clock_us
        self._in_background = in_background
        self._once = Once()
        self._fails = False
        self.queue: Final = NoteQueue(QUEUE_MAX, self._over, self._wake)
        self._begin()
        atexit.register(_call, WeakMethod(self.end))
        if hasattr(os, "register_at_fork"):  # Windows does not fork
            os.register_at_fork(after_in_child=_Forked(WeakMethod(self._begin)))

    def _begin(self) -> None:
        """Start empty: also in a forked process, whose parent writes what waits, and which has no thread."""
        self._lock = Lock()  # of the overflow and the thread; held for moments
        self._writing = Lock()  # of the output and the flood
        self._flood = self._new_flood()
        self.queue.waiting.clear()
        self.queue.is_awake = False
        self._overflow: dict[object, tuple[Event | Note, int]] = {}
        self._thread: Thread | None = None
        self._waiting = Flag()
        self._output.begin()

    def take(self, event: Event | Note) -> None:
        """Queue one event for the thread that writes. It neither waits nor blocks."""
        self.queue.put(event)

    def flush(self) -> None:
        """Write all events that wait, and the sums of those that were summed. Blocks while the disk does."""
        self._write(all_sums=True)

    def end(self) -> None:
        """Write all events that wait, then end the output: the process is about to end."""
        self.flush()
        with self._writing:
            try:
                self._output.end()
            except OSError as error:
                self._failed(error)

    def _wake(self) -> None:
        self.queue.is_awake = True  # before the flag: see `NoteQueue`
        with self._lock:
            if self._thread is None and self._in_background:
                self._thread = Thread(target=self._run, name="sekisho events", daemon=True)
                self._thread.start()
        self._waiting.set()

    def _over(self, noted: Event | Note) -> None:
        """Count an event for which there is no room: as a part of a sum, it is still told."""
        sort: object = sort_of(noted) if isinstance(noted, tuple) else noted.sort
        number = 1 if isinstance(noted, tuple) else noted.times
        with self._lock:
            first, times = self._overflow.get(sort, (noted, 0))
            if times or len(self._overflow) < SORTS_MAX:
                self._overflow[sort] = first, times + number
            else:
                self._count("", "events", "full", number)

    def _run(self) -> None:
        while self._waiting.wait(IDLE_S) or not self._ends():
            self._waiting.clear()
            self.queue.is_awake = False
            time.sleep(BATCH_S)  # events that come meanwhile are written in the same batch
            self._write()

    def _ends(self) -> bool:
        with self._lock:
            if self.queue.waiting or self._overflow or self._flood.is_summing or self._waiting.is_set():
                return False
            self._thread = None
            return True

    def _write(self, *, all_sums: bool = False) -> None:
        with self._writing:
            events = self._ready()
            events += self._flood.rest() if all_sums else self._flood.ended(self._clock_us())
            if self._flood.is_summing:
                self._waiting.set()  # or the sums would wait for the next event
            if events:
                self._append(events)

    def _ready(self) -> list[Event]:
        with self._lock:
            over, self._overflow = self._overflow, {}
        ready: list[Event] = []
        queue, add = self.queue.waiting, self._flood.add
        for _ in range(len(queue)):
            add(queue.popleft(), ready)
        for first, times in over.values():
            ready += self._flood.more(first, times)
        return ready

    def _append(self, events: list[Event]) -> None:
        written = 0
        try:
            for number in self._output.write(events):
                written += number
        except OSError as error:
            self._count("", "events", "unwritable", _number(events[written:]))
            self._failed(error)
        else:
            self._works()

    def _failed(self, error: OSError) -> None:
        self._fails = True
        # Once for each cause: a disk that is full now and then must not fill the log.
        if self._once(error.errno):
            log.error(self._output.unwritable, error.strerror)

    def _works(self) -> None:
        if self._fails and self._once("works"):
            log.warning(self._output.writable)


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
