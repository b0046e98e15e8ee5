"""`EventTail` reads a file of events while it is written, renamed and cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.record import Event
from sekisho.record.event_tail import EventTail
from sekisho.record.lines import encode

if TYPE_CHECKING:
    from pathlib import Path

AT_US = 1_795_936_209_123_456
MINUTE_US = 60_000_000


def line(door: str, at_us: int = AT_US) -> str:
    return encode(Event("decided", at_us, door, action="allow")) + "\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events"


def doors(events: EventTail) -> list[str]:
    return [event.door for event, _ in events.more()]


def test_it_follows_through_a_rotation(file: Path) -> None:
    """A line that is written in two pieces, a renamed file, and a file that was cut: each line once."""
    file.write_text(line("POST /0"))
    events = EventTail(file)
    found = doors(events)
    with file.open("a") as writing:
        writing.write(line("POST /1")[:30])
        writing.flush()
        found += doors(events)
        writing.write(line("POST /1")[30:])
        writing.flush()
        found += doors(events)
        file.rename(file.with_name("events.1"))
        writing.write(line("POST /2"))
    found += doors(events)
    file.write_text(line("POST /3") + line("POST /4"))
    found += doors(events)
    file.write_text(line("POST /5"))
    found += doors(events)
    events.close()

    assert found == [f"POST /{n}" for n in range(6)]
    assert events.unread == 0


@pytest.mark.parametrize("first", [0, 1, 4_321, 9_999])
def test_a_large_file_is_read_from_a_time_on(file: Path, first: int) -> None:
    """No event of that time is missed, a second's disorder included, and of the earlier ones little is read."""
    stamps = [AT_US + number * MINUTE_US - (2_000_000 if number % 3 else 0) for number in range(10_000)]
    file.write_text("".join(line(f"POST /{number}", at_us) for number, at_us in enumerate(stamps)))
    events = EventTail(file)
    events.skip_before(AT_US + first * MINUTE_US - 2_000_000)
    found = doors(events)
    events.close()

    assert found[-1] == "POST /9999"
    assert f"POST /{first}" in found
    assert found.index(f"POST /{first}") < 1_500, "more than the line's neighbourhood was read"


def test_a_time_is_found_among_damaged_lines(file: Path) -> None:
    """Lines without a time, and one without an end, lead to no later place than that of the time."""
    noise = "damaged\n" * 200 + "x" * 40_000 + "\n"
    file.write_text("".join(line(f"POST /{number}", AT_US + number * MINUTE_US) + noise for number in range(200)))
    events = EventTail(file)
    events.skip_before(AT_US + 150 * MINUTE_US)
    found = doors(events)
    events.close()

    assert "POST /150" in found
    assert found[-1] == "POST /199"


def test_how_much_was_read(file: Path) -> None:
    """Of an empty file all: a service that has just begun has nothing to be read."""
    file.write_text("")
    empty = EventTail(file)
    assert empty.done == 1.0
    empty.close()
    file.write_text(line("POST /0") * 4)
    events = EventTail(file)
    next(events.more())

    assert events.done == pytest.approx(0.25)
    doors(events)
    assert events.done == 1.0
    events.close()
    assert events.done == 1.0
