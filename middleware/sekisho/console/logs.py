"""Where the console reads events: files that are being written, or the audit's stream in Redis."""

from __future__ import annotations

import asyncio
import os
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, Protocol

from sekisho.audit.stream import lines_key
from sekisho.model import StoreUnavailable
from sekisho.record.event_tail import EventTail
from sekisho.record.lines import LineError, decode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from sekisho.console.tally import Tally
    from sekisho.record import Event
    from sekisho.store import AnyStoreConnection

EVENTS_MAX: Final = 5_000  # at once: the page is answered in between
LINES_MAX: Final = 1_000  # in one answer of the store
EVERY_S: Final = 1.0


class Log(Protocol):
    """Events in the order in which they were written."""

    @property
    def done(self) -> float:
        """How much of what was written is read: 0 to 1."""
        ...

    @property
    def unread(self) -> int:
        """The number of lines that are no events."""
        ...

    async def more(self) -> Sequence[Event]:
        """The next events, some thousands at most; none if there are no more yet.

        Raises `OSError`, `StoreUnavailable`: the next call goes on.
        """
        ...


class FileLog:
    """The events of files, one after the other.

    Args:
        paths: older ones first. Raises `OSError` for one that cannot be read.
        since_us: Unix microseconds; earlier events may be left out.
    """

    def __init__(self, paths: Sequence[Path], since_us: int) -> None:
        self._tails = [EventTail(path) for path in paths]
        for tail in self._tails:
            tail.skip_before(since_us)

    @property
    def done(self) -> float:
        return sum(tail.done for tail in self._tails) / len(self._tails)

    @property
    def unread(self) -> int:
        return sum(tail.unread for tail in self._tails)

    async def more(self) -> Sequence[Event]:
        return await asyncio.to_thread(self._read)

    def _read(self) -> Sequence[Event]:
        lines = chain.from_iterable(tail.more() for tail in self._tails)
        return [event for event, _ in islice(lines, EVENTS_MAX)]

    def close(self) -> None:
        for tail in self._tails:
            tail.close()


class StreamLog:
    """The events of the audit's stream.

    Args:
        line: to the store.
        namespace: of the service.
        since_us: Unix microseconds; earlier events are left out.
    """

    def __init__(self, line: AnyStoreConnection, namespace: str, since_us: int) -> None:
        self._line = line
        self._key = lines_key(namespace)
        self._after = b"%d" % (since_us // 1_000)
        self.done = 0.0
        self.unread = 0

    async def more(self) -> Sequence[Event]:
        found = await self._line.execute(b"XRANGE", self._key, self._after, b"+", b"COUNT", b"%d" % LINES_MAX)
        if len(found) < LINES_MAX:
            self.done = 1.0
        events = []
        for at, fields in found:
            self._after = b"(" + at
            try:
                event = decode(fields[1])
            except LineError:
                self.unread += 1
                continue
            if event is not None:
                events.append(event)
        return events


class Reading:
    """Adds what a log has to a tally, and what comes.

    Attributes:
        log: what is read.
        problem: why the log cannot be read at the moment; empty if it can.
    """

    def __init__(self, log: Log, tally: Tally) -> None:
        self.log = log
        self._tally = tally
        self.problem = ""

    async def run(self, rest: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Read until this is cancelled."""
        while True:
            if not await self.once():
                await rest(EVERY_S)

    async def once(self) -> int:
        """Add the next events. Returns their number."""
        try:
            events = await self.log.more()
        except OSError as error:
            self.problem = f"the log cannot be read: {os.strerror(error.errno or 0)}"
            return 0
        except StoreUnavailable:
            self.problem = "the log cannot be read: SEKISHO_STORE does not answer"
            return 0
        self.problem = ""
        for event in events:
            self._tally.add(event)
        return len(events)
