"""The file of events: whole lines, in batches, bounded, and never in the way of a log-in."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.record import Counts, Event, Subject, event_file, event_writer, replay
from sekisho.record.appender import Appender
from sekisho.record.flood import Flood
from sekisho.record.lines import decode
from tests.asgi.driving import OPEN, Shop, guarded, log_in
from tests.record.made import AT_US

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLIENT = Subject("203.0.113.0/24", "ac", "ad", "de", "stranger")
SECOND = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.us = AT_US // SECOND * SECOND

    def __call__(self) -> int:
        return self.us


def decided(at_us: int, **more: Any) -> Event:
    return Event("decided", at_us, "POST /login", **{"action": "throttle", "subject": CLIENT, **more})


def read(path: Path) -> list[Event]:
    with path.open("rb") as file:
        return list(replay(file))


class Made:
    """A file sink that writes when the test says so."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.counts = Counts()
        self.file = event_file(str(path), self.counts.add, clock_us=self.clock, in_background=False)

    def take(self, number: int = 1, **more: Any) -> None:
        for _ in range(number):
            self.file.take(decided(self.clock.us, **more))

    def lost(self, why: str) -> int:
        return self.counts.numbers.get(("", "events", why), 0)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "events.jsonl")


# Writing.


def test_events_are_appended(made: Made) -> None:
    """Events are added to what is in the file, and read back as they were."""
    made.path.write_text('{"v":1,"time":"2025-11-29T07:30:09Z","kind":"settled"}\n')
    made.take()
    made.file.flush()

    assert read(made.path)[1:] == [decided(made.clock.us)]


def test_only_owner_and_group_may_read(made: Made) -> None:
    """The file is closed to other users of the machine: networks and reasons are not theirs."""
    made.take()
    made.file.flush()

    assert stat.S_IMODE(made.path.stat().st_mode) & 0o137 == 0


def test_a_rotated_file_is_opened_anew(made: Made) -> None:
    """After logrotate has renamed the file, the next events are in a new one."""
    made.take()
    made.file.flush()
    made.path.rename(made.path.with_suffix(".1"))
    made.take(result="later")
    made.file.flush()

    assert read(made.path) == [decided(made.clock.us, result="later")]
    assert len(read(made.path.with_suffix(".1"))) == 1


def test_a_thread_writes_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a call to flush, a thread writes; without events it ends, and the next event starts another."""
    monkeypatch.setattr(event_writer, "BATCH_S", 0.0)
    monkeypatch.setattr(event_writer, "IDLE_S", 0.01)
    path = tmp_path / "events.jsonl"
    file = event_file(str(path), Counts().add, clock_us=lambda: time.time_ns() // 1000)
    for number in (1, 2):
        file.take(decided(AT_US + number))
        thread = file._thread
        assert thread is not None
        thread.join(30)
        assert not thread.is_alive()
        assert len(read(path)) == number


def test_the_rest_is_written_at_the_exit(tmp_path: Path) -> None:
    """A process that ends normally has written all that waited."""
    path = tmp_path / "events.jsonl"
    program = (
        "from sekisho.record import Counts, Event, event_file\n"
        f"file = event_file({str(path)!r}, Counts().add, clock_us=lambda: 5)\n"
        "[file.take(Event('settled', 5)) for _ in range(30)]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

    assert sum(event.times for event in read(path)) == 30


def test_a_forked_worker_writes_its_own_events_alone(made: Made) -> None:
    """Workers are forked after the application was loaded: an event that waited is written once, by its own process."""
    made.take(result="before")
    child = os.fork()
    if child == 0:
        made.take(result="child")
        made.file.flush()
        os._exit(0)
    os.waitpid(child, 0)
    made.file.flush()

    assert sorted(event.result for event in read(made.path)) == ["before", "child"]


def test_workers_share_a_file(tmp_path: Path) -> None:
    """Four writers at once, each with its own descriptor: every line is whole."""
    path = tmp_path / "events.jsonl"

    def write(number: int) -> None:
        appender = Appender(str(path))
        for _ in range(50):
            for _ in appender.append([b'{"v":1,"time":"2025-11-29T07:30:09Z","kind":"settled"}\n'] * (number + 1)):
                pass
        appender.close()

    threads = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(read(path)) == 50 * (1 + 2 + 3 + 4)


# Floods.


def test_a_flood_is_summed(made: Made) -> None:
    """Of 5,000 refusals in a second twenty are lines, and one line says how many more there were."""
    made.take(5_000)
    made.clock.us += SECOND
    made.take(1, result="next second")
    made.file.flush()

    lines = read(made.path)
    assert len(lines) == 22
    assert lines[20] == decided(made.clock.us - SECOND, subject=Subject(), times=4_980)
    assert sum(event.times for event in lines) == 5_001


def test_sums_name_no_client(made: Made) -> None:
    """A sum stands for many clients and names none of them."""
    made.take(30)
    made.file.flush()

    assert [event.subject == CLIENT for event in read(made.path)] == [True] * 20 + [False]


def test_each_sort_has_lines_of_its_own(made: Made) -> None:
    """A flood at one door hides no other action or reason."""
    made.take(100)
    made.take(1, action="deny")
    made.take(1, reasons=("ip_rate",))
    made.file.flush()

    lines = read(made.path)
    assert {(event.action, event.reasons) for event in lines} == {
        ("throttle", ()),
        ("deny", ()),
        ("throttle", ("ip_rate",)),
    }


def test_a_flood_of_many_sorts_is_bounded() -> None:
    """Beyond a thousand sorts in a second the rest is summed by kind: memory and lines stay bounded."""
    flood = Flood()
    lines: list[Event] = []
    for number in range(3_000):
        flood.add(decided(5, text=str(number)), lines)
    lines += flood.rest()

    assert len(lines) == 1_000 + 20 + 1
    assert lines[-1] == Event("decided", 5, times=1_980)


def test_a_clock_that_was_set_back_loses_nothing() -> None:
    """Sums of the second before are due at once."""
    flood = Flood()
    lines: list[Event] = []
    for second in (*[9] * 25, 5):
        flood.add(decided(second * SECOND), lines)

    assert sum(event.times for event in lines) == 26


# Failures.


def test_a_full_queue_sums(made: Made) -> None:
    """While the disk hangs memory stays bounded: further events of a sort are one line, and none is lost."""
    made.file.queue.room = 15
    made.take(18)
    made.file.flush()

    lines = read(made.path)
    assert len(lines) == 16
    assert lines[-1] == decided(made.clock.us, subject=Subject(), times=3)
    assert made.lost("full") == 0


def test_a_full_queue_of_many_sorts_drops_and_counts(made: Made) -> None:
    """Beyond a thousand sorts without room the rest is dropped and counted."""
    made.file.queue.room = 0
    for number in range(1_003):
        made.take(result=str(number))
    made.file.flush()

    assert len(read(made.path)) == 1_000
    assert made.lost("full") == 3


def test_an_unwritable_file_is_said_once(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once, with the line to configure; lost events are counted, and later ones are written again."""
    made.path.mkdir()
    for _ in range(3):
        made.take(2)
        made.file.flush()
    made.path.rmdir()
    made.take()
    made.file.flush()

    assert made.lost("unwritable") == 6
    assert len(read(made.path)) == 1
    lost, again = caplog.messages
    assert again == "SEKISHO_EVENTS_FILE: events are written again"
    assert lost == (
        "SEKISHO_EVENTS_FILE: events are lost, because the file cannot be written (Is a directory): name a file that "
        "the service may append to, on a disk with room, as in SEKISHO_EVENTS_FILE=/var/log/sekisho/events.jsonl "
        "[SEK023]"
    )


@contextmanager
def small_disk(path_bytes_max: int) -> Iterator[None]:
    """Files of this process can hold so many bytes, as on a disk with that much room."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path_bytes_max, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_cuts_one_line_at_most(made: Made) -> None:
    """The line that was cut is ended before the next one, so a reader loses no other line."""
    with small_disk(1_010):
        made.take(10)
        made.file.flush()
    assert made.path.stat().st_size == 1_010
    made.take(result="after")
    made.file.flush()

    *whole, cut, last = made.path.read_bytes().splitlines()
    assert all(decode(line) for line in whole)
    assert not cut.endswith(b"}")
    assert decode(last) == decided(made.clock.us, result="after")
    assert made.lost("unwritable") == 10


def test_a_pipe_without_a_reader_does_not_hang(made: Made) -> None:
    """A FIFO that no process reads is an unwritable file."""
    os.mkfifo(made.path)
    made.take()
    made.file.flush()

    assert made.lost("unwritable") == 1


# In a guard.


async def test_a_guard_writes_its_events(tmp_path: Path) -> None:
    """With the setting, attempts are lines with digests; without it there is no file and no thread."""
    path = tmp_path / "events.jsonl"
    app = guarded(Shop(), events_file=str(path), **OPEN)
    await log_in(app, "hana", "wrong")
    await log_in(app, "hana", "right")
    assert app._loops is not None
    await app._loops.stop()

    lines = read(path)
    assert [(event.kind, event.action, event.result) for event in lines] == [
        ("decided", "allow", ""),
        ("settled", "", "failed"),
        ("decided", "allow", ""),
        ("settled", "", "succeeded"),
    ]
    assert len({event.subject.account for event in lines}) == 1
    assert {event.subject.network for event in lines} == {"203.0.113.0/24"}
    assert guarded(Shop())._loops.process.writers == []  # type: ignore[union-attr]


async def test_a_log_in_goes_on_without_its_file(tmp_path: Path) -> None:
    """A missing folder breaks no log-in; the lost events are in the counts."""
    app = guarded(Shop(), events_file=str(tmp_path / "gone" / "events.jsonl"), **OPEN)
    answer = await log_in(app)
    assert app._loops is not None
    await app._loops.stop()

    assert answer.status == 303
    assert app.counts["", "events", "unwritable"] == 2
