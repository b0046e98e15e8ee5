"""What a load test has shown: a table of what became of whom, and whether the owners were treated well.

That attackers are refused is what a guard is for, so what Locust counts as failures says nothing here.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.loadtest.login import LET_IN, UNCLEAR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OWNER: Final = "Owner"
NEW_DEVICE: Final = "Owner, new device"
TYPO: Final = "Owner, typo"
PROOF: Final = "Owner, second proof"
VISIT: Final = "Owner, page"
RIGHT: Final = (OWNER, NEW_DEVICE, PROOF)

# From a device that nobody knows, even the right password is asked for more: that is how the guard is meant to work.
ASKED: Final = frozenset({"401 challenge_required", "401 step_up_required"})

UNCLEAR_ANSWERS: Final = (
    "unclear answers may be successes: say in --login what only a right log-in is answered with, as in "
    "success=302:/home"
)


@dataclass(slots=True)
class Row:
    """One kind of user: how often each answer came, and how long answers took (milliseconds to how often)."""

    answers: Counter[str] = field(default_factory=Counter)
    times_ms: Counter[int] = field(default_factory=Counter)

    @property
    def attempts(self) -> int:
        return self.answers.total()

    def __add__(self, other: Row) -> Row:
        return Row(self.answers + other.answers, self.times_ms + other.times_ms)

    def percentile_ms(self, percent: float) -> int:
        """The time that `percent` of all answers did not exceed; 0 where there was none."""
        missing = math.ceil(self.times_ms.total() * percent / 100)
        for time_ms in sorted(self.times_ms):
            missing -= self.times_ms[time_ms]
            if missing <= 0:
                return time_ms
        return 0

    def report(self) -> dict[str, Any]:
        return {
            "attempts": self.attempts,
            "let_in": self.answers[LET_IN],
            "answers": dict(sorted(self.answers.items())),
            "p50_ms": self.percentile_ms(50),
            "p99_ms": self.percentile_ms(99),
        }


class Bounds(NamedTuple):
    """What owners may be asked to bear.

    Attributes:
        refused_share_max: of their log-ins with the right password, those that were not let in.
        p99_ms_max: of the answers to these.
    """

    refused_share_max: float
    p99_ms_max: float


class Verdict(NamedTuple):
    """Whether the test is passed, and why."""

    passed: bool
    reasons: tuple[str, ...]


def rows_of(counted: Iterable[tuple[str, str, Mapping[int, int]]]) -> dict[str, Row]:
    """Rows by kind of user, from `(kind, answer, times)` in any order."""
    rows: dict[str, Row] = {}
    for kind, answer, times_ms in counted:
        row = rows.setdefault(kind, Row())
        row.answers[answer] += sum(times_ms.values())
        row.times_ms.update(times_ms)
    return rows


def judge(rows: Mapping[str, Row], bounds: Bounds, broken: Iterable[str] = ()) -> Verdict:
    """Pass or fail.

    Args:
        rows: as `rows_of` makes them.
        bounds: for the owners.
        broken: what went wrong with the test itself; any such thing fails it.
    """
    right = sum((rows.get(kind, Row()) for kind in RIGHT), Row())
    asked = sum(rows[NEW_DEVICE].answers[answer] for answer in ASKED) if NEW_DEVICE in rows else 0
    found = [*((False, problem) for problem in broken), *_treatment(right, asked, bounds)]
    return Verdict(all(fine for fine, _ in found), tuple(reason for _, reason in found))


def _treatment(right: Row, asked: int, bounds: Bounds) -> Iterable[tuple[bool, str]]:
    tried = right.attempts - asked
    if asked:
        yield True, f"{asked} log-ins of owners from new devices were asked for more, which is no refusal"
    if not right.answers[LET_IN]:
        # Nothing would be refused falsely if nobody came: a test of nobody must not pass.
        yield False, "no owner was ever let in: are --accounts and --login those of this service, apps included?"
        if any(UNCLEAR in answer for answer in right.answers):
            yield False, UNCLEAR_ANSWERS
        return
    refused = tried - right.answers[LET_IN]
    yield refused <= bounds.refused_share_max * tried, _refusals(refused, tried, bounds)
    p99_ms = right.percentile_ms(99)
    yield p99_ms <= bounds.p99_ms_max, f"owners' p99 is {p99_ms:g} ms (allowed: {bounds.p99_ms_max:g} ms)"


def _refusals(refused: int, tried: int, bounds: Bounds) -> str:
    # None in n tells no more than that it is less than 3/n, with 95% certainty (the rule of three).
    share = f"{refused / tried:.3%}" if refused else f"less than {min(1.0, 3 / tried):.3%}"
    allowed = f"allowed: {bounds.refused_share_max:.3%}"
    return f"{refused} of owners' {tried} log-ins with the right password were refused, {share} ({allowed})"


def table(rows: Mapping[str, Row], verdict: Verdict) -> str:
    """All of it, for a terminal."""
    head = f"{'':<20}{'attempts':>10}{'let in':>10}{'p50 ms':>10}{'p99 ms':>10}  not let in"
    body = [_line(kind, rows[kind]) for kind in sorted(rows)]
    word = "PASSED" if verdict.passed else "FAILED"
    return "\n".join([head, *body, "", f"{word}: {'; '.join(verdict.reasons)}."])


def _line(kind: str, row: Row) -> str:
    others = ", ".join(f"{count:,} x {answer}" for answer, count in row.answers.most_common() if answer != LET_IN)
    times = f"{row.percentile_ms(50):>10g}{row.percentile_ms(99):>10g}"
    return f"{kind:<20}{row.attempts:>10,}{row.answers[LET_IN]:>10,}{times}  {others or '-'}"


def report(rows: Mapping[str, Row], verdict: Verdict) -> dict[str, Any]:
    """All of it, for a program."""
    users = {kind: rows[kind].report() for kind in sorted(rows)}
    return {"passed": verdict.passed, "reasons": list(verdict.reasons), "users": users}
