"""The result of an examination."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sekisho.model.diagnosis import Diagnosis, Hazard


class Unseen(NamedTuple):
    """Something that was not examined.

    Attributes:
        what: the part that was not examined, and why, or how to have it examined.
        is_failure: whether it was asked for, so that the examination is incomplete.
    """

    what: str
    is_failure: bool = False


class DoctorReport(NamedTuple):
    """Attributes:
    facts: the parts that were examined, and their measurements: a subject and a sentence each.
    diagnoses: the findings.
    unseen: the parts that were not examined.
    """

    facts: tuple[tuple[str, str], ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    unseen: tuple[Unseen, ...] = ()

    def __add__(self, other: object) -> DoctorReport:
        """Both reports in one. A hazard with the same sentence (of several servers) stands once."""
        if not isinstance(other, DoctorReport):
            return NotImplemented
        found = tuple(dict.fromkeys((*self.diagnoses, *other.diagnoses)))
        return DoctorReport((*self.facts, *other.facts), found, tuple(dict.fromkeys((*self.unseen, *other.unseen))))

    def without(self, hazard: Hazard) -> DoctorReport:
        """The same without the findings of one hazard."""
        return self._replace(diagnoses=tuple(each for each in self.diagnoses if each.hazard is not hazard))

    @property
    def is_complete(self) -> bool:
        """Whether everything that was asked for was examined."""
        return not any(each.is_failure for each in self.unseen)
