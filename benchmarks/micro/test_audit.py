"""The audit: what an attempt pays for it, and what the thread that writes pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.audit.chain import Chain, audit_key
from sekisho.audit.disclosure import Disclosure
from sekisho.audit.forms import FORMS
from sekisho.audit.policy import singly
from sekisho.audit.trail import AuditTrail
from sekisho.model import Action, Attempt, Basis, Decision, Device, Door, DoorKind, Finding, Mode, Origin, Outcome
from sekisho.record import Counts, Events, EventWriter, Subjects
from sekisho.record.flood import Flood
from sekisho.settings.audit import AuditAddress, AuditFormat, AuditIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    from sekisho.audit.places import LinePlace

SECRET = bytes(range(32))
ATTEMPTS = 5_000
LOGIN = Door(DoorKind.LOGIN, "POST", "/login", ())
ALLOWED = Decision(Action.ALLOW, Action.ALLOW, (), 0)
SHED = Decision(Action.THROTTLE, Action.THROTTLE, (Finding(Action.THROTTLE, "ip_rate", 5),), 5)


class Nowhere:
    """Takes lines and keeps none: a disk's time is not the writer's."""

    def open(self) -> bool:
        return False

    def write(self, lines: Iterable[bytes]) -> Iterator[int]:
        yield sum(1 for _ in lines)


def attempts() -> list[Attempt]:
    """Strangers, each with an address and an account of its own."""
    found = []
    for number in range(ATTEMPTS):
        four = (0xCB007100 + number).to_bytes(4)
        origin = Origin(".".join(map(str, four)), (four + b"\x20", four[:3] + b"\0\x18"), b"Firefox")
        found.append(Attempt(LOGIN, origin, f"user{number}", f"user{number}", "secret"))
    return found


def audit(
    form: AuditFormat, place: LinePlace | None = None, clock_us: Callable[[], int] = lambda: 1
) -> tuple[Events, EventWriter]:
    counts, subjects = Counts(), Subjects([SECRET], str)
    key = audit_key(SECRET)
    trail = AuditTrail(
        place or Nowhere(), FORMS[form](), Disclosure(AuditIdentity.DIGEST, AuditAddress.DIGEST),
        new_chain=lambda: Chain(key, bytes), key=key, checkpoints=None, clock_us=clock_us,
    )  # fmt: skip
    writer = EventWriter(
        trail, counts.add, flood=lambda: Flood(subjects, singly, names_one=True), clock_us=clock_us,
        in_background=False,
    )  # fmt: skip
    return Events(counts=counts, sinks=[writer], subjects=subjects, clock_us=clock_us), writer


def failures(events: Events, attempts: list[Attempt]) -> None:
    for attempt in attempts:
        events.decided(LOGIN, ALLOWED, Mode.ENFORCE, attempt.origin, attempt, Device.STRANGER)
        events.settled(LOGIN, Outcome.FAILED, Basis.RULE, attempt, Device.STRANGER)


@pytest.mark.parametrize("has_audit", [False, True], ids=["off", "on"])
def test_note_an_attempt(benchmark: BenchmarkFixture, has_audit: bool) -> None:
    """In the request's path, 2,500 attempts that failed: a decision and an outcome each."""
    tried = attempts()[:2_500]
    writers: list[EventWriter] = []

    def fresh() -> tuple[tuple[Events, list[Attempt]], dict[str, object]]:
        events, writer = audit(AuditFormat.SEKISHO)
        writers[:] = [writer]
        return (events if has_audit else Events(clock_us=lambda: 1), tried), {}

    benchmark.pedantic(failures, setup=fresh, rounds=40)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("form", list(AuditFormat), ids=lambda form: form.value)
def test_write_an_attempt(benchmark: BenchmarkFixture, form: AuditFormat) -> None:
    """In the writing thread, 5,000 attempts that failed: a line each, and one sum."""
    tried = attempts()
    writers: list[EventWriter] = []

    def fresh() -> tuple[tuple[EventWriter], dict[str, object]]:
        events, writer = audit(form)
        writers[:] = [writer]
        failures(events, tried)
        return (writer,), {}

    benchmark.pedantic(EventWriter.flush, setup=fresh, rounds=10)  # type: ignore[no-untyped-call]


def test_write_a_flood(benchmark: BenchmarkFixture) -> None:
    """In the writing thread, 10,000 attempts that were refused unread: one line."""
    tried = attempts()

    def fresh() -> tuple[tuple[EventWriter], dict[str, object]]:
        events, writer = audit(AuditFormat.SEKISHO)
        for attempt in tried * 2:
            events.decided(LOGIN, SHED, Mode.ENFORCE, attempt.origin)
        return (writer,), {}

    benchmark.pedantic(EventWriter.flush, setup=fresh, rounds=10)  # type: ignore[no-untyped-call]
