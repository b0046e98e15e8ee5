"""What the console counts of a day's events, and how much it remembers."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from sekisho.console.tally import Frequent, Tally
from sekisho.record import Event, Subject

NOON_S = 1_795_953_600  # 2026-11-29 12:00:00 UTC
DOOR = "POST /login"


def event(kind: str = "decided", at_s: float = NOON_S, door: str = DOOR, **more: Any) -> Event:
    return Event(kind, int(at_s * 1e6), door, **more)


def counted(*events: Event) -> Tally:
    tally = Tally()
    for each in events:
        tally.add(each)
    return tally


def test_attempts_stand_in_the_minute_of_their_decision() -> None:
    """Sums count as often as they say; the last column is the minute of this moment."""
    summary = counted(
        event(action="allow", at_s=NOON_S - 3_540),
        event(action="allow", at_s=NOON_S - 61),
        event(action="throttle", at_s=NOON_S - 60, reasons=("shed",), times=7),
        event(action="deny", at_s=NOON_S + 59.9, reasons=("deny_list", "ip_rate")),
        event("unreadable", reasons=("json",)),
        event("crowded"),
    ).summary(NOON_S + 59, 3_600, 60)

    assert summary.start_s == NOON_S - 3_540
    assert [place for place, times in enumerate(summary.columns["allow"]) if times] == [0, 57]
    assert summary.columns["throttle"][58:] == [7, 0]
    assert [summary.columns[word][59] for word in ("deny", "unreadable", "crowded")] == [1, 1, 1]
    assert summary.reasons == [("shed", 7), ("deny_list", 1), ("ip_rate", 1), ("json", 1)]
    assert summary.doors == [(DOOR, 12)]


def test_a_right_password_that_waits_for_a_proof_has_opened_nothing() -> None:
    summary = counted(
        event("settled", result="succeeded"),
        event("settled", result="succeeded", reasons=("withheld",)),
        event("settled", result="failed", reasons=("withheld",)),
        event("settled", result="unknown"),
        event("step_up_issued"), event("step_up_proved"), event("step_up_failed"),
    ).summary(NOON_S, 3_600, 60)  # fmt: skip

    assert {word: sum(column) for word, column in summary.columns.items() if any(column)} == {
        "succeeded": 1, "withheld": 1, "failed": 1, "unknown": 1,
        "step_up_issued": 1, "step_up_proved": 1, "step_up_failed": 1,
    }  # fmt: skip
    assert summary.reasons == [], "`withheld` is no finding"


def test_one_door() -> None:
    """Its numbers alone; the list of doors stays whole, or no other could be chosen."""
    summary = counted(
        event(action="allow"), event(action="throttle", door="POST /reset", reasons=("ip_rate",))
    ).summary(NOON_S, 3_600, 60, "POST /reset")  # fmt: skip

    assert sum(summary.columns["allow"]) == 0
    assert sum(summary.columns["throttle"]) == 1
    assert summary.doors == [(DOOR, 1), ("POST /reset", 1)]


def test_those_with_the_most_hostile_attempts() -> None:
    """Refused and wrong ones count, and sums of one network; those that were let through do not."""
    bot, home = Subject("203.0.113.0/24", account="a" * 32), Subject("198.51.100.0/24", account="b" * 32)
    summary = counted(
        event(action="throttle", subject=bot),
        event("settled", result="failed", subject=bot),
        event(action="throttle", subject=Subject("203.0.113.0/24"), times=900),
        event("settled", result="failed", subject=home),
        event("settled", result="succeeded", subject=home),
        event(action="allow", subject=home),
    ).summary(NOON_S, 3_600, 60)

    assert summary.networks == [Frequent("203.0.113.0/24", 902), Frequent("198.51.100.0/24", 1)]
    assert summary.accounts == [Frequent("a" * 32, 2), Frequent("b" * 32, 1)]


def test_a_command_that_every_worker_tells_of_is_shown_once() -> None:
    """Four workers obey within a second; the same command a minute later is another one."""
    told = [event("commanded", NOON_S + part / 4, command="mode", by="mari", mode="off") for part in range(4)]
    again = event("commanded", NOON_S + 60, command="mode", by="mari", mode="off")
    other = event("commanded", NOON_S + 60, command="mode", by="ken", mode="off")
    tally = counted(*told, again, other, event(action="allow"))

    assert list(tally.notable) == [told[0], again, other]


def test_events_about_an_account_or_an_address() -> None:
    hana, kenji = Subject(account="a" * 32, address="1" * 32), Subject(account="b" * 32, address="1" * 32)
    events = [
        event(action="allow", at_s=NOON_S + at, subject=who)
        for at, who in zip(range(6), cycle([hana, kenji]), strict=False)
    ]
    tally = counted(*events)

    assert tally.about(account="a" * 32) == [events[4], events[2], events[0]]
    assert tally.about(address="1" * 32, most=2) == [events[5], events[4]]
    assert tally.about() == []


def test_a_day_is_remembered_and_no_more() -> None:
    """Also where a file begins with older lines, or holds one from a broken clock."""
    tally = counted(
        event(action="allow", at_s=NOON_S - 90_000),
        event(action="allow", at_s=NOON_S - 85_000),
        event(action="allow"),
        event(action="deny", at_s=NOON_S - 90_000),
    )

    assert sum(tally.summary(NOON_S, 86_400, 900).columns["allow"]) == 2
    assert len(tally._minutes) == 2
    assert sum(tally.summary(NOON_S, 86_400, 900).columns["deny"]) == 0


def test_what_a_log_says_is_bounded() -> None:
    """A file of another program may have any number of doors, reasons, networks and accounts."""
    many = 5_000
    tally = Tally()
    for number in range(many):
        subject = Subject(f"network {number}", account=f"account {number}")
        tally.add(event(action="deny", door=f"POST /{number}", reasons=(f"reason {number}",), subject=subject))
        tally.add(event("misconfigured", text=f"{number}"))
        tally.add(event(action="deny", subject=Subject(f"sum {number}"), times=2))
    (minute,) = tally._minutes.values()
    (part,) = tally._slices.values()

    assert (len(minute.words), len(minute.reasons), len(tally.notable)) == (1_000, 1_000, 200)
    assert len(list(part.accounts.least())) <= 256
    assert len(list(part.networks.least())) <= 1_256
    assert len(tally.recent) == 3 * many
    for _ in range(many):
        tally.add(event(action="allow"))
    assert len(tally.recent) == 20_000
