"""Drafts: what a request notes of an attempt's event, so that the event itself is made by the thread that writes it.

To make an event, its digests and its text costs ten times as much as to note these values. A draft names the account,
never its secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from sekisho.model import Action, Basis, Decision, Device, Mode, Origin, Outcome
from sekisho.record.events import NOBODY, Event, Subject

if TYPE_CHECKING:
    from sekisho.record.counted import Counting
    from sekisho.record.subjects import Subjects

Note: TypeAlias = (
    "tuple[str, int, str, Decision | str, Outcome | Mode | None, Basis | None, Origin | None, str, str, Device, "
    "Counting | None]"
)
"""The fields of a `Draft`, in its order. A plain tuple, which costs a request a tenth of a named one."""

_NAMES: Final = {action._value_: action.name.lower() for action in Action}


class Draft(NamedTuple):
    """An attempt's event that is not made yet; see `Event`.

    Attributes:
        judged: the decision, or the code of the only reason (empty: none).
        of: the outcome of a settled attempt, or the mode in which it was judged.
        origin: the client; None: unknown.
        account, canonical, device: of the attempt; empty where it was refused unread.
        counting: what the counters were asked; None where it is not to be counted again.
    """

    kind: str
    at_us: int
    door: str
    judged: Decision | str
    of: Outcome | Mode | None
    basis: Basis | None
    origin: Origin | None
    account: str
    canonical: str
    device: Device
    counting: Counting | None = None

    def __repr__(self) -> str:
        # Error reporters print values: accounts and addresses must not appear there.
        return f"Draft(kind={self.kind!r}, ...)"

    @property
    def times(self) -> int:
        return 1

    @property
    def sort(self) -> tuple[object, ...]:
        """All fields but time and subject, hashed cheaply: drafts that agree in these may be summed."""
        # Members of enumerations are hashed by a function of Python's.
        judged, of = self.judged, self.of._value_ if self.of is not None else ""
        if not isinstance(judged, str):
            return (self.kind, self.door, judged.asked._value_, reasons_of(judged), of)
        return (self.kind, self.door, judged, of, self.basis._value_ if self.basis is not None else "")

    @property
    def client(self) -> bytes:
        """The address as it is counted; empty if it is not known."""
        return self.origin.prefixes[0] if self.origin is not None else b""

    def event(self, subjects: Subjects | None, *, times: int = 1) -> Event:
        """The event. `subjects`: None: it names neither client nor account."""
        judged, of = self.judged, self.of
        word = of._value_ if of is not None else ""
        is_decision = not isinstance(judged, str)
        return Event(
            self.kind,
            self.at_us,
            self.door,
            action=_NAMES[judged.asked._value_] if not isinstance(judged, str) else "",
            reasons=_reasons(judged),
            mode=word if is_decision else "",
            result="" if is_decision else word,
            basis=self.basis._value_ if self.basis is not None else "",
            times=times,
            subject=NOBODY if subjects is None else self._subject(subjects),
        )

    def _subject(self, subjects: Subjects) -> Subject:
        if self.canonical:
            return subjects.of_named(self.origin, self.account, self.canonical, self.device, self.counting)
        return subjects.of_origin(self.origin) if self.origin is not None else NOBODY


def reasons_of(decision: Decision) -> tuple[str, ...]:
    return tuple([finding.reason for finding in decision.findings])


def _reasons(judged: Decision | str) -> tuple[str, ...]:
    if not isinstance(judged, str):
        return reasons_of(judged)
    return (judged,) if judged else ()
