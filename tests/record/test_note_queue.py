"""The queue between a log-in and a writing thread: bounded, and no event waits for a thread that sleeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.record import Event
from sekisho.record.note_queue import NoteQueue

if TYPE_CHECKING:
    from sekisho.record.notes import Note

FIRST, SECOND = Event("settled", 1), Event("settled", 2)


class Thread:
    """What a queue calls."""

    def __init__(self, room: int) -> None:
        self.over: list[Event | Note] = []
        self.wakes = 0
        self.queue = NoteQueue(room, self.over.append, self.wake)

    def wake(self) -> None:
        self.queue.is_awake = True
        self.wakes += 1


def test_a_thread_is_woken_once_for_all_events_of_a_batch() -> None:
    """Waking takes a lock; an attempt must not pay for it while the thread is about to look."""
    thread = Thread(9)
    for event in (FIRST, SECOND, FIRST):
        thread.queue.put(event)
    assert (thread.wakes, list(thread.queue.waiting)) == (1, [FIRST, SECOND, FIRST])


def test_an_event_after_the_look_wakes_again() -> None:
    """Once the thread has begun to look, the next event has to wake it."""
    thread = Thread(9)
    thread.queue.put(FIRST)
    thread.queue.is_awake = False
    thread.queue.put(SECOND)
    assert thread.wakes == 2


def test_an_event_without_room_is_counted_and_wakes_too() -> None:
    """A flood that is faster than the disk is summed up, and the sums are written."""
    thread = Thread(1)
    thread.queue.put(FIRST)
    thread.queue.is_awake = False
    thread.queue.put(SECOND)
    assert (list(thread.queue.waiting), thread.over, thread.wakes) == ([FIRST], [SECOND], 2)
