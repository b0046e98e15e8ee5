"""Counts and logs decisions.

Both are bounded by the settings: a series or a log line consists of a door's name, an action and reason codes, all set
by the operator or the guard. They contain nothing that a client sent; otherwise a flood could fill a disk, and user
names would leak.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from sekisho.model import Action, Outcome
from sekisho.record.hook import Hook

if TYPE_CHECKING:
    from sekisho.model import Basis, Decision, Door, Mode
    from sekisho.record.hook import AccountHook

log = logging.getLogger("sekisho.events")

_NAMES = {action: action.name.lower() for action in Action}


class Events:
    """Counts since the start, by (door, event, reason).

    `on_change_password`: the service's own function; see `AccountHook`.
    """

    def __init__(self, on_change_password: AccountHook | None = None) -> None:
        # Not a `Counter`: writing to a subclass of `dict` costs ten times as much.
        self.counts: dict[tuple[str, str, str], int] = {}
        self._on_change_password = Hook(on_change_password) if on_change_password else None

    def decided(self, door: Door, decision: Decision, mode: Mode) -> None:
        """Count each finding of a judged attempt; attempts with findings are logged at INFO."""
        if not decision.findings:
            self._count(door.name, "allow", "")
            return
        action = _NAMES[decision.asked]
        for finding in decision.findings:
            self._count(door.name, action, finding.reason)
        if log.isEnabledFor(logging.INFO):
            log.info("%s", _line(mode, door, decision.asked, [finding.reason for finding in decision.findings]))

    def _count(self, place: str, what: str, why: str) -> int:
        key = (place, what, why)
        count = self.counts[key] = self.counts.get(key, 0) + 1
        return count

    def unreadable(self, door: Door, reason: str) -> None:
        self._count(door.name, "unreadable", reason)

    def crowded(self, door: Door) -> None:
        """A stranger's attempt was refused, because the application was at its limit."""
        self._count(door.name, "unavailable", "crowded")

    def settled(self, door: Door, outcome: Outcome, basis: Basis) -> None:
        """The outcome of an attempt. Successes are also counted by their basis."""
        self._count(door.name, "outcome", _word(outcome))
        if outcome is Outcome.SUCCEEDED:
            self._count(door.name, "success_by", _word(basis))

    def rule_tested(self, door: Door, result: str) -> None:
        """A suspected success rule was tested: `wrong`, `held`, or `untested` where no test was possible."""
        self._count(door.name, "success_rule", result)

    def proved(self, place: str, purpose: str, factor: str) -> None:
        """A second proof was shown. `place`: a door's or route's name, or empty for the guard's own pages."""
        self._count(place, f"proved_{purpose}", factor)

    def chosen(self, door: Door, *, breached: bool | None) -> None:
        """A new password was looked up; `None`: no source could tell."""
        known = {True: "breached", False: "not_known", None: "unknown"}[breached]
        self._count(door.name, "new_password", known)

    def change_password(self, door: Door, account: str) -> None:
        """An owner logged in with a leaked password. The account is passed only to the service's function."""
        self._count(door.name, "change_password", "")
        if self._on_change_password is not None:
            self._on_change_password(account)

    def leaks_answer(self, source: str, answers: bool) -> None:
        """A source of leaked passwords (`corpus`, `pairs`, `hibp`) has begun or ceased to answer."""
        self._count("", source, "answers" if answers else "lost")

    def store_answers(self, answers: bool) -> None:
        """The store has begun or ceased to work. The connection logs the cause."""
        lost = ("", "store", "lost") in self.counts
        self._count("", "store", "answers" if answers else "lost")
        if not answers:
            log.warning("counting is degraded until the store works again (SEKISHO_ON_STORE_FAILURE)")
        elif lost:  # as loud as the loss: a log that drops INFO would show outages that never end
            log.warning("the store works again")
        else:
            log.info("the store works")

    def counts_anew(self) -> None:
        """The store has lost all its data."""
        self._count("", "store", "anew")
        log.warning(
            "the store was emptied, or came back without its data: all counters begin anew, and step-ups under way are "
            "lost (persist it, or give it a replica)"
        )

    def unjudged(self, door: Door, why: str) -> int:
        """An answer could not be judged; returns how often that has happened for this reason."""
        return self._count(door.name, "unjudged", why)

    def odd(self, text: str) -> None:
        """Log a setup that must be a mistake. Logged again at 10, 100, 1,000 times, and so on."""
        count = self._count("", "odd", text)
        if count in {1, 10, 100, 1_000} or count % 10_000 == 0:
            log.warning("%s (seen %d times)", text, count)


def _word(member: Outcome | Basis) -> str:
    # In Python `value` is a descriptor, which costs more than the counting itself.
    word: str = member._value_
    return word


def _line(mode: Mode, door: Door, asked: Action, reasons: list[str]) -> str:
    return json.dumps({"mode": mode.value, "door": door.name, "action": _NAMES[asked], "reasons": reasons})
