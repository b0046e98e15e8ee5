"""A decision: what was seen, what to do about it, and why."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final, final

from sekisho.model.value import Value


class Action(IntEnum):
    """What to do, milder first: a sterner finding always wins.

    `THROTTLE` stands above `STEP_UP` because it refuses without a way round: an address over its limit
    must not buy further guesses with work.
    """

    ALLOW = 0
    CHALLENGE = 1
    STEP_UP = 2
    THROTTLE = 3
    DENY = 4


@final
class Finding(Value):
    """One thing that was seen. `reason` is stable and public; `wait_us` is 0 where waiting would not help."""

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
    """The sternest finding, and all of them.

    Attributes:
        action: what the findings call for.
        asked: what can be asked for today; differs from `action` where a site has no work or factor to ask for.
        findings: everything that was seen, in a fixed order.
        wait_us: the time until the refusing findings have passed; 0 where nothing refuses.
        change_password: if the secret is right, its owner, whose device is known here, should choose another: this one
            has leaked. Never for strangers, who would be shown the way to take the account over.
        work_first: work is asked for before anything else, be it all that is asked or the price of a step-up.
    """

    __slots__ = ("action", "asked", "change_password", "findings", "wait_us", "work_first")

    def __init__(
        self,
        action: Action,
        asked: Action,
        findings: tuple[Finding, ...],
        wait_us: int,
        change_password: bool = False,
        work_first: bool = False,
    ) -> None:
        self.action: Final = action
        self.asked: Final = asked
        self.findings: Final = findings
        self.wait_us: Final = wait_us
        self.change_password: Final = change_password
        self.work_first: Final = work_first

    @property
    def passes(self) -> bool:
        return self.asked is Action.ALLOW


class Outcome(Enum):
    """What became of an attempt. Only `SUCCEEDED` refunds; `UNKNOWN` grants nothing."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Basis(Enum):
    """What an outcome rests on. Only `GUESS` may be wrong without a mistake of the operator or the application."""

    REPORT = "report"  # the application said so
    RULE = "rule"  # the door's own `success=`
    GUESS = "guess"  # the cautious default


class Mode(Enum):
    """`MONITOR` judges and counts but refuses nobody; `OFF` does not even read."""

    ENFORCE = "enforce"
    MONITOR = "monitor"
    OFF = "off"
