"""A flood is summed up, and the sums add up to the counts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sekisho.model import Action, Basis, Decision, Device, Finding, Mode, Origin, Outcome
from tests.audit.made import Audited
from tests.record.made import ALLOWED, FOUR, LOGIN, THROTTLED, attempt

if TYPE_CHECKING:
    from pathlib import Path

SHED = Decision(Action.THROTTLE, Action.THROTTLE, (Finding(Action.THROTTLE, "ip_rate", 5),), 5)
SECOND = 1_000_000
OTHER = Origin("198.51.100.7", (b"\xc6\x33\x64\x07\x20", b"\xc6\x33\x64\x00\x18"), b"Firefox")


def shed(made: Audited, number: int, *origins: Origin) -> None:
    for at in range(number):
        made.events.decided(LOGIN, SHED, Mode.ENFORCE, origins[at % len(origins)])


def counted(made: Audited) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for line in made.read:
        counts[line["kind"], line.get("action", line.get("result", ""))] += line.get("times", 1)
    return counts


def test_a_flood_of_shed_attempts_is_a_line_a_second(tmp_path: Path) -> None:
    """100,000 in ten seconds: ten lines beside the chain's own, and not one attempt is missing in their sum."""
    made = Audited(tmp_path)
    for _ in range(10):
        for _ in range(5):  # as often as the thread would write
            shed(made, 2_000, FOUR, OTHER)
            made.writer._write()
        made.clock.us += SECOND
    made.writer.end()

    lines = [line for line in made.read if line["kind"] == "decided"]
    assert len(lines) == 10
    assert sum(line["times"] for line in lines) == made.counts.numbers["POST /login", "throttle", "ip_rate"] == 100_000
    assert [line["total"] for line in lines] == [10_000 * number for number in range(1, 11)]
    assert not any("address" in line for line in lines)


def test_a_flood_of_one_address_names_it(tmp_path: Path) -> None:
    """All shed attempts of a second are of one address: the sum says of which."""
    made = Audited(tmp_path)
    shed(made, 50, FOUR)
    made.clock.us += SECOND
    shed(made, 1, OTHER)
    made.writer.flush()

    first, second = made.read[1:]
    assert first["times"] == 50
    assert "times" not in second
    assert first["address"] != second["address"]


def test_a_flood_of_refusals_that_were_read_is_a_line_a_second_after_its_first(tmp_path: Path) -> None:
    """The first twenty of a sort name their accounts; from the next second on there are only sums."""
    made = Audited(tmp_path)
    for _ in range(4):
        for number in range(100):
            made.events.decided(LOGIN, THROTTLED, Mode.ENFORCE, FOUR, attempt(f"user{number}"), Device.STRANGER)
        made.writer._write()
        made.clock.us += SECOND
    made.writer.flush()

    lines = made.read[1:]
    assert [line.get("times", 1) for line in lines] == [*[1] * 20, 80, 100, 100, 100]
    assert lines[-1]["total"] == 400


def test_outcomes_are_never_summed(tmp_path: Path) -> None:
    """Each checked password has a line with account and address; that the attempt passed is only summed."""
    made = Audited(tmp_path)
    for number in range(300):
        made.events.decided(LOGIN, ALLOWED, Mode.ENFORCE, FOUR, attempt(f"user{number}"), Device.STRANGER)
        made.events.settled(LOGIN, Outcome.FAILED, Basis.RULE, attempt(f"user{number}"), Device.STRANGER)
    made.writer.flush()

    settled = [line for line in made.read if line["kind"] == "settled"]
    assert len({line["account"] for line in settled}) == 300
    assert counted(made) == {("audit_opened", ""): 1, ("decided", "allow"): 300, ("settled", "failed"): 300}


def test_events_without_room_are_in_the_sums(tmp_path: Path) -> None:
    """The disk hangs, and memory is bounded: what found no room is counted by its sort, and written later."""
    made = Audited(tmp_path)
    shed(made, 25_000, FOUR)
    assert len(made.writer.queue.waiting) == 10_000
    made.writer.flush()

    assert counted(made)["decided", "throttle"] == 25_000
