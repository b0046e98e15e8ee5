"""Notes: what a request notes of an attempt's event, so that the event itself is made by the thread that writes it.

To make an event, its digests and its text costs ten times as much as to note these values. A note names the account,
never its secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from sekisho.model import Action, Basis, Decision, Device, Mode, Origin, Outcome
from sekisho.record.events import NOBODY, Event, Subject

if TYPE_CHECKING:
    from sekisho.record.counted import Counting
    from sekisho.record.subjects import Subjects

Note: TypeAlias = (
    "tuple[str, int, str, Decision | str, Outcome | Mode | None, Basis | None, Origin | None, str, str, Device, "
    "Counting | None]"
)
"""A plain tuple, which costs a request a tenth of a named one:

- kind, time, door: as in `Event`;
- judged: the decision, or the code of the only reason (empty: none);
- of: the outcome of a settled attempt, or the mode in which it was judged;
- basis: of the outcome;
- origin: the client; None: unknown;
- account, canonical, device: of the attempt; empty where it was refused unread;
- counting: what the counters were asked; None where it is not to be counted again.
"""

_NAMES: Final = {action._value_: action.name.lower() for action in Action}


def sort_of(note: Note) -> tuple[object, ...]:
    """All fields but time and subject, hashed cheaply: notes that agree in these may be summed."""
    kind, _at_us, door, judged, of, basis, *_ = note
    # Members of enumerations are hashed by a function of Python's.
    word = of._value_ if of is not None else ""
    if isinstance(judged, str):
        return (kind, door, judged, word, basis._value_ if basis is not None else "")
    return (kind, door, judged.asked._value_, reasons_of(judged), word)


def client_of(note: Note) -> bytes:
    """The client's address in a note, as the counters know it; empty if it is not known."""
    origin = note[6]
    return origin.prefixes[0] if origin is not None else b""


def event_of(note: Note, subjects: Subjects | None, *, times: int = 1) -> Event:
    """Make the event of a note. `subjects`: None: the event names neither client nor account.

    `times`: how many it sums.
    """
    kind, at_us, door, judged, of, basis, *_ = note
    word = of._value_ if of is not None else ""
    subject = NOBODY if subjects is None else _subject(note, subjects)
    if not isinstance(judged, str):
        action = _NAMES[judged.asked._value_]
        return Event(
            kind, at_us, door, action=action, reasons=reasons_of(judged), mode=word, times=times, subject=subject
        )
    return Event(
        kind,
        at_us,
        door,
        reasons=(judged,) if judged else (),
        result=word,
        basis=basis._value_ if basis is not None else "",
        times=times,
        subject=subject,
    )


def reasons_of(decision: Decision) -> tuple[str, ...]:
    return tuple([finding.reason for finding in decision.findings]) if decision.findings else ()


def _subject(note: Note, subjects: Subjects) -> Subject:
    *_, origin, account, canonical, device, counting = note
    if canonical:
        tells_secret = counting is not None and _was_not_right(note)
        return subjects.of_named(origin, account, canonical, device, counting, tells_secret=tells_secret)
    return subjects.of_origin(origin) if origin is not None else NOBODY


def _was_not_right(note: Note) -> bool:
    """Whether the secret was wrong, or was not tried."""
    judged = note[3]
    return note[4] is Outcome.FAILED if isinstance(judged, str) else judged.asked >= Action.THROTTLE
