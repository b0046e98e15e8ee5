"""Counts what changes between recorded decisions and those under other rules."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.model import Action
from sekisho.record.events import Kind

if TYPE_CHECKING:
    from sekisho.model import Decision
    from sekisho.record import Event
    from sekisho.simulate.what_if.items import Attempted

NAMED_MAX: Final = 10_000
"""Accounts and addresses that are told apart, and named in JSON."""

_NAMES: Final = {action: action.name.lower() for action in Action}


class DecisionRow(NamedTuple):
    """Attempts with one decision.

    Attributes:
        door: its name.
        action: the decision, as `Action` names it, in lower case.
        reason: all codes, sorted; empty for none.
        recorded, now: how many there were, and would be.
        come, gone: of these, the ones whose action would be another than the recorded one.
    """

    door: str
    action: str
    reason: str
    recorded: int
    now: int
    come: int
    gone: int


class ReplayTally:
    """Attributes:
    attempts: judged again.
    stricter, milder: of these, the ones whose action differs.
    refused, admitted: of these, the ones that would no longer reach the application at once, or would now.
    summed: attempts in sums, by door, action and reason: their clients are not known, so they are not judged again.
    untold: attempts of lines that do not say what the counters were asked: refused unread, or written without it.
    outcomes: the results of attempts that would be refused.
    accounts, addresses: digests of those that would be refused.
    """

    def __init__(self) -> None:
        self.attempts = self.stricter = self.milder = self.refused = self.admitted = self.untold = 0
        self.summed: Counter[tuple[str, str, str]] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.accounts: set[str] = set()
        self.addresses: set[str] = set()
        self._recorded: Counter[tuple[str, str, str]] = Counter()
        self._now: Counter[tuple[str, str, str]] = Counter()
        self._come: Counter[tuple[str, str, str]] = Counter()
        self._gone: Counter[tuple[str, str, str]] = Counter()

    def cannot(self, event: Event) -> None:
        """Count a recorded event that lacks what is needed to judge it again."""
        if event.kind == Kind.DECIDED and event.action == Action.ALLOW.name.lower() and not event.reasons:
            return  # its settlement has a line of its own
        if event.times > 1:
            self.summed[event.door, event.action or event.result, _joined(event.reasons)] += event.times
        else:
            self.untold += 1

    def judged(self, attempted: Attempted, decision: Decision) -> int:
        """Count an attempt judged again; return how its action changed: below 0 for milder, above 0 for stricter."""
        old = attempted.door, _NAMES[attempted.action], _joined(attempted.reasons)
        new = attempted.door, _NAMES[decision.asked], _joined([finding.reason for finding in decision.findings])
        self.attempts += 1
        self._recorded[old] += 1
        self._now[new] += 1
        change = decision.asked - attempted.action
        if change:
            self._gone[old] += 1
            self._come[new] += 1
            self._changed(attempted, decision, change)
        return change

    def _changed(self, attempted: Attempted, decision: Decision, change: int) -> None:
        self.stricter += change > 0
        self.milder += change < 0
        self.admitted += decision.passes
        if attempted.action is Action.ALLOW:
            self.refused += 1
            for kept, digest in ((self.accounts, attempted.account), (self.addresses, attempted.address)):
                if digest and len(kept) < NAMED_MAX:
                    kept.add(digest)

    def settled(self, change: int, result: str) -> None:
        """Count how an attempt ended, if its new decision is stricter. `change`: what `judged` returned."""
        if change > 0:
            self.outcomes[result] += 1

    def rows(self) -> list[DecisionRow]:
        """Return a row for each door, action and reasons, with recorded and new numbers of attempts."""
        keys = sorted(self._recorded.keys() | self._now.keys())
        return [
            DecisionRow(*key, self._recorded[key], self._now[key], self._come[key], self._gone[key]) for key in keys
        ]

    def as_json(self) -> dict[str, Any]:
        return {
            "attempts": self.attempts,
            "stricter": self.stricter,
            "milder": self.milder,
            "refused": self.refused,
            "admitted": self.admitted,
            "outcomes_of_stricter": dict(sorted(self.outcomes.items())),
            "accounts_refused": sorted(self.accounts),
            "addresses_refused": sorted(self.addresses),
            "untold": self.untold,
            "summed": [
                {"door": door, "action": action, "reason": reason, "attempts": times}
                for (door, action, reason), times in sorted(self.summed.items())
            ],
            "rows": [row._asdict() for row in self.rows()],
        }


def _joined(reasons: list[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(set(reasons)))
