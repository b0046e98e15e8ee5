"""Attempts, decisions and sinks for the tests of what is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import Action, Attempt, Decision, Door, DoorKind, Finding, Origin
from sekisho.record import Counts, Events, Subjects
from sekisho.record.lines import FORMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sekisho.record import Event, HandleKey, Sink

SECRET = b"a secret of thirty-two bytes, at least"
AT_US = 1_764_401_409_123_456  # 2025-11-29T07:30:09.123456Z
LOGIN = Door(DoorKind.LOGIN, "POST", "/login", ())
FOUR = Origin("203.0.113.9", (b"\xcb\x00\x71\x09\x20", b"\xcb\x00\x71\x00\x18"), b"Firefox")
NOWHERE = Origin("", (b"\0\0\0\0\xff", b"\0\0\0\0\xfe"), b"")
ALLOWED = Decision(Action.ALLOW, Action.ALLOW, (), 0)
THROTTLED = Decision(
    Action.THROTTLE, Action.THROTTLE, (Finding(Action.THROTTLE, "ip_rate", 5), Finding(Action.DENY, "deny_list")), 5
)


def attempt(account: str = "Hana", origin: Origin = FOUR) -> Attempt:
    return Attempt(LOGIN, origin, account, account.lower(), "the password")


def subjects(handles: HandleKey | None = None) -> Subjects:
    return Subjects([b"a newer secret of the same kind.......", SECRET], str.lower, handles)


class Kept:
    """A sink that keeps events."""

    def __init__(self, kinds: Iterable[str] = FORMS) -> None:
        self.kinds = frozenset(kinds)
        self.events: list[Event] = []

    def take(self, event: Event) -> None:
        self.events.append(event)


def recording(
    *sinks: Sink, handles: HandleKey | None = None, counts: Counts | None = None, at: Callable[[], int] = lambda: AT_US
) -> Events:
    return Events(counts=counts, sinks=sinks, subjects=subjects(handles), clock_us=at)
