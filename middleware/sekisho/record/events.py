"""Decisions, counted and logged.

Both are bounded by the settings: a series or a line is made of a door's name, an action and reason codes, all of which
come from us. Nothing that a client sent is in either, or a flood would fill a disk and a user name would end up in it.
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
    """Counts since the start, by (door, what happened, why).

    `on_change_password`: the service's own function; see `AccountHook`.
    """

    def __init__(self, on_change_password: AccountHook | None = None) -> None:
        # Not a `Counter`: to write into a subclass of `dict` costs ten times as much.
        self.counts: dict[tuple[str, str, str], int] = {}
        self._on_change_password = Hook(on_change_password) if on_change_password else None

    def decided(self, door: Door, decision: Decision, mode: Mode) -> None:
        """One attempt was judged. Counts each finding; logs those with any, at INFO."""
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
        """A stranger was sent away, because as many were in the application as it bears."""
        self._count(door.name, "unavailable", "crowded")

    def settled(self, door: Door, outcome: Outcome, basis: Basis) -> None:
        """What became of an attempt. Successes are also counted by what they rest on."""
        self._count(door.name, "outcome", _word(outcome))
        if outcome is Outcome.SUCCEEDED:
            self._count(door.name, "success_by", _word(basis))

    def rule_tested(self, door: Door, result: str) -> None:
        """A rule of success under suspicion was tested: `wrong`, `held`, or `untested` where that could not be done."""
        self._count(door.name, "success_rule", result)

    def proved(self, place: str, purpose: str, factor: str) -> None:
        """A second proof was shown. `place` is a door's or route's name, or empty for our own pages."""
        self._count(place, f"proved_{purpose}", factor)

    def chosen(self, door: Door, *, breached: bool | None) -> None:
        """A new password was looked up; `None`: nobody could tell."""
        known = {True: "breached", False: "not_known", None: "unknown"}[breached]
        self._count(door.name, "new_password", known)

    def change_password(self, door: Door, account: str) -> None:
        """An owner logged in with a password that has leaked. The account goes to the service alone."""
        self._count(door.name, "change_password", "")
        if self._on_change_password is not None:
            self._on_change_password(account)

    def leaks_answer(self, source: str, answers: bool) -> None:
        """A source of leaked passwords (`corpus`, `pairs`, `hibp`) has begun or ceased to answer."""
        self._count("", source, "answers" if answers else "lost")

    def store_answers(self, answers: bool) -> None:
        """The store has begun or ceased to work. Why it ceased is said by the line to it."""
        lost = ("", "store", "lost") in self.counts
        self._count("", "store", "answers" if answers else "lost")
        if not answers:
            log.warning("counting is degraded until the store works again (SEKISHO_ON_STORE_FAILURE)")
        elif lost:  # as loud as the loss, or a log kept from warnings on would show outages without an end
            log.warning("the store works again")
        else:
            log.info("the store works")

    def counts_anew(self) -> None:
        """The store holds nothing of what it held."""
        self._count("", "store", "anew")
        log.warning(
            "the store was emptied, or came back without its data: all counters begin anew, and step-ups under way are "
            "lost (persist it, or give it a replica)"
        )

    def unjudged(self, door: Door, why: str) -> int:
        """An answer could not be judged; how many times that was so for this reason."""
        return self._count(door.name, "unjudged", why)

    def odd(self, text: str) -> None:
        """Something is set up in a way that cannot be meant. Said again at 10, 100, 1,000 times, and so on."""
        count = self._count("", "odd", text)
        if count in {1, 10, 100, 1_000} or count % 10_000 == 0:
            log.warning("%s (seen %d times)", text, count)


def _word(member: Outcome | Basis) -> str:
    # `value` is a descriptor in Python, which costs more than the counting.
    word: str = member._value_
    return word


def _line(mode: Mode, door: Door, asked: Action, reasons: list[str]) -> str:
    return json.dumps({"mode": mode.value, "door": door.name, "action": _NAMES[asked], "reasons": reasons})
