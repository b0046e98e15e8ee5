"""A decision: the findings about an attempt, and the action that they call for."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final, final

from sekisho.model.value import Value


class Action(IntEnum):
    """The response to an attempt, mildest first: the sternest finding decides.

    `THROTTLE` ranks above `STEP_UP` because it refuses unconditionally: an address over its limit must not buy
    further guesses with work.
    """

    ALLOW = 0
    CHALLENGE = 1
    STEP_UP = 2
    THROTTLE = 3
    DENY = 4


@final
class Finding(Value):
    """One observation. `reason` is stable and public; `wait_us` is 0 if waiting does not help."""

    __slots__ = ("action", "reason", "wait_us")

    def __init__(
        self,
        action: Action,
        reason: str,
        wait_us: int = 0,
    ) -> None:
        self.action: Final = action
        self.reason: Final = reason
        self.wait_us: Final = wait_us


@final
class Decision(Value):
    """The action for an attempt, and all of its findings.

    Attributes:
        action: the sternest action that a finding calls for.
        asked: the action that the site can carry out; differs from `action` if it has no work or factor to ask for.
        findings: all findings, in a fixed order.
        wait_us: the time until the refusing findings expire; 0 if none refuses.
        change_password: the secret has leaked, and the device is known: if the secret is right, the account owner
            should choose another. Never for strangers: it would show an attacker how to take the account over.
        work_first: work is asked for first, either alone or before a step-up.
        holds: the question for a factor is held back for a moment, regardless of what the attempt is.
        releases: in that moment, a right secret gets the application's answer and no question.
    """

    __slots__ = ("action", "asked", "change_password", "findings", "holds", "releases", "wait_us", "work_first")

    def __init__(
        self,
        action: Action,
        asked: Action,
        findings: tuple[Finding, ...],
        wait_us: int,
        change_password: bool = False,
        work_first: bool = False,
        holds: bool = False,
        releases: bool = False,
    ) -> None:
        self.action: Final = action
        self.asked: Final = asked
        self.findings: Final = findings
        self.wait_us: Final = wait_us
        self.change_password: Final = change_password
        self.work_first: Final = work_first
        self.holds: Final = holds
        self.releases: Final = releases

    @property
    def passes(self) -> bool:
        return self.asked is Action.ALLOW


class Outcome(Enum):
    """The result of an attempt. Only `SUCCEEDED` refunds; `UNKNOWN` grants nothing."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Basis(Enum):
    """The source of an outcome. Only `GUESS` may be wrong without a mistake of the operator or the application."""

    REPORT = "report"  # the application said so
    RULE = "rule"  # the door's own `success=`
    GUESS = "guess"  # the cautious default


class Mode(Enum):
    """`MONITOR` counts and judges attempts but refuses none; `OFF` does not read them."""

    ENFORCE = "enforce"
    MONITOR = "monitor"
    OFF = "off"
