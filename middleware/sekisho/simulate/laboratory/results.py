"""What came of a run, counted from the answers that owners and bots got."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

T = TypeVar("T", "OwnerCounts", "ResetCounts", "CopyCounts")

KNOWN, COPIED = "known device", "copied device"
FORGOTTEN, SET_BY_BOT = "forgotten", "set by a bot"
"""Why an owner resets the password."""


@dataclass(slots=True)
class OwnerCounts:
    """Log-ins of one kind of owner, with the right password in the end.

    Attributes:
        log_ins: begun.
        entered: that ended with a session.
        worked: in which the browser solved a puzzle.
        asked: in which the owner was asked for a proof.
        asked_mistyped: of `asked`, those in which only a wrong password was answered by a question, or a right one that
            the application refused.
        asked_enrolled: of `asked`, those behind a right password of an owner with an app or a passkey.
        asked_first: of `asked`, those behind a right password of an owner who has never logged in before.
        lost: that did not end with a session: the guard refused them, or the owner could not prove to be its owner.
        unproved: of `lost`, those that were asked for a proof that the owner did not have.
        waited: that were told to come back, and did.
    """

    log_ins: int = 0
    entered: int = 0
    worked: int = 0
    asked: int = 0
    lost: int = 0
    waited: int = 0
    asked_mistyped: int = 0
    asked_enrolled: int = 0
    asked_first: int = 0
    unproved: int = 0

    @property
    def refused(self) -> int:
        """The number of lost log-ins that the guard refused: the owner had a proof, or was not asked for one."""
        return self.lost - self.unproved

    @property
    def asked_elsewhere(self) -> int:
        """The number of log-ins asked for a proof only because network or browser were new; no factor is enrolled."""
        return self.asked - self.asked_mistyped - self.asked_enrolled - self.asked_first


@dataclass(slots=True)
class ResetCounts:
    """Resets of owners: each asks for a link, takes it from the mailbox, sets a password and logs in with it.

    Attributes:
        begun: asked for, the first request of each.
        worked: in which the browser solved a puzzle.
        waited: that were told to come back, and did.
        refused: that the guard refused: the request for the link, or the new password.
        unsent: in which the request was answered, and no link came.
        done: that set a password.
        asked: of `done`, those in which a proof was asked for at the log-in that followed.
        entered: of `done`, those whose log-in ended with a session.
    """

    begun: int = 0
    worked: int = 0
    waited: int = 0
    refused: int = 0
    unsent: int = 0
    done: int = 0
    asked: int = 0
    entered: int = 0


@dataclass(slots=True)
class CopyCounts:
    """Uses of copied device tokens, with the right password.

    Attributes:
        used: log-ins with a copy.
        entered: of them, those that opened the account.
        asked: of them, those that were asked for a proof.
    """

    used: int = 0
    entered: int = 0
    asked: int = 0


class CopyUse(NamedTuple):
    """How a copy is used; each of the texts is one of `copies`.

    Attributes:
        kind: of the device when it was copied.
        phase: in calm, or while a campaign is under way.
        place: from which address.
        first: who of owner and copy was first to log in since the copy was made.
    """

    kind: str
    phase: str
    place: str
    first: str


@dataclass(slots=True)
class Results:
    """The counts of one scenario under one policy.

    Attributes:
        attempts: of bots, that were sent.
        reached: of them, those whose password the application checked.
        attempts_of: the same by part of the attacks: the number of the attack in the scenario, from 0, with ` weak`
            behind it for those sent to the weak service. Empty in runs that were kept by an earlier version.
        reached_of: `reached` by the same parts.
        right: of them, those with a right pair, by the class of the account (`none`, `sent`, `app`, `phr`).
        taken: accounts that bots got into, by the same classes; `weak` for those entered at a weak service,
            `reset` for those whose password bots set without entering.
        solved: puzzles that bots solved.
        hashes: what these puzzles would have cost, in PBKDF2 iterations.
        by_kind: owners' log-ins, by `KNOWN`, `COPIED` (known, and its cookies were copied) or where the owner was.
        refused_by: owners' log-ins that were lost, by the guard's code.
        checks: passwords that the application checked, in all.
        alarms: seconds of the scenario at which the guard's posture rose, for guards that have one; below 0 in the
            history, where no alarm is right.
        resets: of owners, by `FORGOTTEN` or `SET_BY_BOT`.
        copies: uses of copied device tokens.
    """

    attempts: int = 0
    reached: int = 0
    attempts_of: Counter[str] = field(default_factory=Counter)
    reached_of: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    taken: dict[str, set[int]] = field(default_factory=dict)
    solved: int = 0
    hashes: int = 0
    by_kind: dict[str, OwnerCounts] = field(default_factory=dict)
    refused_by: Counter[str] = field(default_factory=Counter)
    checks: int = 0
    alarms: list[float] = field(default_factory=list)
    resets: dict[str, ResetCounts] = field(default_factory=dict)
    copies: dict[CopyUse, CopyCounts] = field(default_factory=dict)

    def sent(self, part: str) -> None:
        """Count an attempt of a bot; see `attempts_of`."""
        self.attempts += 1
        self.attempts_of[part] += 1

    def checked(self, part: str, number: int) -> None:
        """Count attempts of bots whose password the application checked."""
        self.reached += number
        self.reached_of[part] += number

    def reach(self, part: str) -> tuple[int, int]:
        """Return how many attempts of a part reached the check, and how many were sent."""
        if not self.attempts_of:
            return (self.reached, self.attempts) if part == "0" else (0, 0)
        return self.reached_of[part], self.attempts_of[part]

    def kind(self, name: str) -> OwnerCounts:
        return self.by_kind.setdefault(name, OwnerCounts())

    def resets_for(self, reason: str) -> ResetCounts:
        return self.resets.setdefault(reason, ResetCounts())

    def copies_of(self, use: CopyUse) -> CopyCounts:
        return self.copies.setdefault(use, CopyCounts())

    def copies_where(self, **wanted: str) -> CopyCounts:
        """Return the sums of all uses that have these values, by the attributes of `CopyUse`."""
        total = CopyCounts()
        for use, counts in self.copies.items():
            if wanted.items() <= use._asdict().items():
                add(counts, to=total)
        return total

    def take(self, account_class: str, owner: int) -> None:
        self.taken.setdefault(account_class, set()).add(owner)

    def is_taken(self, owner: int) -> bool:
        return any(owner in owners for owners in self.taken.values())

    @property
    def taken_over(self) -> int:
        return sum(map(len, self.taken.values()))

    @property
    def strangers(self) -> OwnerCounts:
        """Log-ins of all owners on devices that were not known."""
        return added(counts for name, counts in self.by_kind.items() if name not in {KNOWN, COPIED})

    @property
    def owners(self) -> OwnerCounts:
        return added(self.by_kind.values())

    @property
    def owners_resets(self) -> ResetCounts:
        """The resets of all owners, for either reason."""
        total = ResetCounts()
        for counts in self.resets.values():
            add(counts, to=total)
        return total

    def as_json(self) -> dict[str, Any]:
        return {
            "bots": {
                "attempts": self.attempts,
                "reached_the_check": self.reached,
                "by_attack": {part: self.reach(part) for part in sorted(self.attempts_of)},
                "right": dict(sorted(self.right.items())),
                "taken_over": {name: len(owners) for name, owners in sorted(self.taken.items())},
                "solved": self.solved,
                "hashes": self.hashes,
            },
            "owners": {name: _counts(counts) for name, counts in sorted(self.by_kind.items())},
            "lost_by": dict(sorted(self.refused_by.items())),
            "checks": self.checks,
            "alarms_s": [round(at, 1) for at in self.alarms],
            "resets": {name: _counts(counts) for name, counts in sorted(self.resets.items())},
            "copies": [use._asdict() | _counts(counts) for use, counts in sorted(self.copies.items())],
        }


def summed(every: Sequence[Results]) -> Results:
    """Return the sums of the results of several seeds. Equal numbers of owners in two seeds mean different owners.

    Of the alarms the first of each seed is kept.
    """
    total = Results(alarms=sorted(alarm for each in every for alarm in each.alarms[:1]))
    for number, each in enumerate(every):
        total.attempts += each.attempts
        total.reached += each.reached
        total.attempts_of += each.attempts_of
        total.reached_of += each.reached_of
        total.right += each.right
        for name, owners in each.taken.items():
            for owner in owners:
                total.take(name, number << 32 | owner)
        for name, counts in each.by_kind.items():
            total.by_kind[name] = added([total.kind(name), counts])
        for name, resets in each.resets.items():
            add(resets, to=total.resets_for(name))
        for use, copies in each.copies.items():
            add(copies, to=total.copies_of(use))
    return total


def _counts(counts: OwnerCounts | ResetCounts | CopyCounts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in counts.__slots__}


def added(every: Iterable[OwnerCounts]) -> OwnerCounts:
    """Return the sums of several `OwnerCounts`."""
    total = OwnerCounts()
    for counts in every:
        add(counts, to=total)
    return total


def add(counts: T, *, to: T) -> None:
    """Add each of the counts to that of the same name."""
    for name in to.__slots__:
        setattr(to, name, getattr(to, name) + getattr(counts, name))
