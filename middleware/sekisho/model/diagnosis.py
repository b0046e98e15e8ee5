"""A hazard: one numbered kind of mistake in a deployment; and a diagnosis: one place where it was found."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from sekisho.model.errors import SettingsError


class Severity(Enum):
    """The worst effect of a hazard."""

    DANGER = "danger"  # attackers get through, or owners are locked out
    WARNING = "warning"  # so in an outage, under attack, or for some owners
    ADVICE = "advice"  # nobody is harmed, and something should still be changed


class Hazard(NamedTuple):
    """One kind of mistake. `docs/warnings.md` has a section for each.

    Attributes:
        number: stable, such as `SEK001`; a number is never given to another hazard.
        severity: the worst effect.
        title: a few words.
        why: one sentence: why it matters.
        write: the line to write, where it does not depend on the deployment; words in capitals stand for own values.
    """

    number: str
    severity: Severity
    title: str
    why: str
    write: str

    def found(self, what: str, write: str = "") -> Diagnosis:
        """Return a diagnosis of this hazard. `what`: what happens; `write`: replaces the hazard's own line to write."""
        return Diagnosis(self, what, write or self.write)


class Diagnosis(NamedTuple):
    """One hazard, found in one deployment. Contains no secret, no account and no address.

    Attributes:
        hazard: the kind.
        what: one sentence: what happens.
        write: the line to write.
    """

    hazard: Hazard
    what: str
    write: str

    @property
    def logged(self) -> str:
        """The line for the log: the sentence `what`, and the hazard's number in brackets."""
        return f"{self.what} [{self.hazard.number}]"


Finding = Diagnosis | SettingsError
"""A room finds these in valid settings: a diagnosis is logged, an error stops the start."""
