"""The queue between a log-in and a writing thread: an event is put there in a tenth of what a lock would cost."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.record.events import Event
    from sekisho.record.notes import Note


@final
class NoteQueue:
    """Any thread may put events; one takes them out.

    The thread that takes clears its flag, then sets `is_awake` to false, then looks at `waiting`. So an event that
    finds it true is seen by that look, or by a later one.

    Args:
        room: how many events may wait.
        over: takes an event for which there is no room.
        wake: has the thread look again; it sets `is_awake` before its flag.

    Attributes:
        waiting: the events, the oldest first.
        is_awake: whether the thread will look without being woken.
    """

    def __init__(self, room: int, over: Callable[[Event | Note], None], wake: Callable[[], None]) -> None:
        self.waiting: Final[deque[Event | Note]] = deque()
        self.is_awake = False
        self.room = room
        # Bound once: looking the method up costs an attempt as much as the call.
        self._append: Final[Callable[[Event | Note], None]] = self.waiting.append
        self._over: Final = over
        self._wake: Final = wake

    def put(self, event: Event | Note) -> None:
        """Queue one event. It neither waits nor blocks."""
        if len(self.waiting) < self.room:
            self._append(event)
        else:
            self._over(event)
        if not self.is_awake:
            self._wake()
