"""A decision: what was seen, what to do about it, and why."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import NamedTuple


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


class Finding(NamedTuple):
    """One thing that was seen. `reason` is stable and public; `wait_us` is 0 where waiting would not help."""

    action: Action
    reason: str
    wait_us: int = 0


class Decision(NamedTuple):
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

    action: Action
    asked: Action
    findings: tuple[Finding, ...]
    wait_us: int
    change_password: bool = False
    work_first: bool = False

    @property
    def passes(self) -> bool:
        return self.asked is Action.ALLOW


class Outcome(Enum):
    """What became of an attempt. Only `SUCCEEDED` refunds; `UNKNOWN` grants nothing."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Mode(Enum):
    """`MONITOR` judges and counts but refuses nobody; `OFF` does not even read."""

    ENFORCE = "enforce"
    MONITOR = "monitor"
    OFF = "off"
