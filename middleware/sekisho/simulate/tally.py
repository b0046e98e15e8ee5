"""Count the results of tries, in a few kilobytes for any number."""

from __future__ import annotations

import math
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING

from sekisho.simulate.owner import ASKED, NONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.simulate.client import HttpAnswer
    from sekisho.simulate.generator import Try
    from sekisho.simulate.owner import Steps

BUSY = "busy"
_STEP = math.log(1.02)


class Latencies:
    """Durations in buckets that grow by 2%: any percentile to within 2%, without keeping the durations."""

    __slots__ = ("_buckets", "count")

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0

    def add(self, duration_us: float) -> None:
        self._buckets[int(math.log(max(1.0, duration_us)) / _STEP)] += 1
        self.count += 1

    def as_json(self) -> dict[str, int]:
        """Return the counts by bucket, in the form that `add_json` takes."""
        return {str(bucket): times for bucket, times in self._buckets.items()}

    def add_json(self, buckets: Mapping[str, int]) -> None:
        """Add the counts that `as_json` returned in another process or run."""
        for bucket, times in buckets.items():
            self._buckets[int(bucket)] += times
            self.count += times

    def percentile_ms(self, percent: float) -> float:
        """Return the milliseconds that `percent` of all durations do not exceed; 0 if there are no durations."""
        missing = math.ceil(self.count * percent / 100)
        for bucket in sorted(self._buckets):
            missing -= self._buckets[bucket]
            if missing <= 0:
                return math.exp((bucket + 0.5) * _STEP) / 1000
        return 0.0


class Tally:
    """The counts of one run, as its client saw it.

    Attributes:
        attempts: attackers' tries that were sent.
        stopped: of them, those that the guard refused, by its `code`; and as `busy`, those for which the service had no
            room.
        wrong: of them, those that the service itself refused: the password check failed.
        let_in: of them, those that succeeded.
        taken: owners whose account an attacker took over.
        logins: owners' tries with the right password that were sent.
        owners_stopped: owners' tries that the guard refused, typos included, by code.
        refused: owners whose right password was refused, for any reason.
        refused_by: the number of these refusals, by the guard's code, `no answer`, or `the service`.
        checked: all tries that the service checked, by its answers.
        sealed: all tries with a step-up: the service checked them in escrow.
        proved: of the owners', those that completed the step-up.
        worked: of the owners', those whose browser was asked for work, and did it.
        came_back: of the owners', those that were told to retry later, and did.
        right: attackers' tries with the right password, by result: a code, or empty for "let in".
        unlisted: of these, those whose password is in no list of leaked ones.
        unanswered: all tries without an answer in time: whether they were checked is unknown.
        owners_ms, attackers_ms: from the first byte sent to the last received.
    """

    def __init__(self) -> None:
        self.attempts = 0
        self.stopped: Counter[str] = Counter()
        self.wrong = 0
        self.let_in = 0
        self.taken: set[int] = set()
        self.logins = 0
        self.owners_stopped: Counter[str] = Counter()
        self.refused: set[int] = set()
        self.refused_by: Counter[str] = Counter()
        self.checked = 0
        self.sealed = 0
        self.proved = 0
        self.worked = 0
        self.came_back = 0
        self.right: Counter[str] = Counter()
        self.unlisted: Counter[str] = Counter()
        self.unanswered = 0
        self.owners_ms = Latencies()
        self.attackers_ms = Latencies()

    @property
    def reached(self) -> int:
        """Attackers' tries that reached the password check, in escrow or not."""
        return self.wrong + self.let_in + self.stopped[ASKED]

    @property
    def unlooked(self) -> int:
        """Attackers' tries that were refused before the password was checked."""
        return self.stopped.total() - self.stopped[ASKED]

    def add(self, attempt: Try, answer: HttpAnswer | None, duration_us: float, steps: Steps = NONE) -> None:
        """Count one try; `answer` is `None` if there was none. `steps`: the owner's steps."""
        code = "" if answer is None else _code(answer)
        self.unanswered += answer is None
        self.checked += answer is not None and not code and not steps.asked
        self.sealed += steps.asked or code == ASKED
        self.proved += steps.asked and answer is not None and not code
        self.worked += steps.worked
        self.came_back += steps.came_back
        if attempt.honest:
            self._add_owners(attempt, answer, code)
            self.owners_ms.add(duration_us)
        else:
            self._add_attackers(attempt, answer, code)
            self.attackers_ms.add(duration_us)

    def _add_attackers(self, attempt: Try, answer: HttpAnswer | None, code: str) -> None:
        self.attempts += 1
        if answer is None:
            return
        self.right[code] += attempt.right
        self.unlisted[code] += attempt.right and not attempt.listed
        if code:
            self.stopped[code] += 1
        elif _entered(answer):
            self.let_in += 1
            self.taken.add(attempt.owner)
        else:
            self.wrong += 1

    def _add_owners(self, attempt: Try, answer: HttpAnswer | None, code: str) -> None:
        self.logins += attempt.right
        if code:
            self.owners_stopped[code] += 1
        if attempt.right and (answer is None or not _entered(answer)):
            self.refused.add(attempt.owner)
            self.refused_by["no answer" if answer is None else code or "the service"] += 1


def _code(answer: HttpAnswer) -> str:
    """The guard's code, or `busy` where the service had no room to check a password; else empty."""
    return answer.code or (BUSY if answer.status == HTTPStatus.SERVICE_UNAVAILABLE else "")


def _entered(answer: HttpAnswer) -> bool:
    return answer.status == 303 and answer.header(b"location") == b"/account"
