"""The result for a door as plain values: what `sekisho check` prints, and what a running service answers it with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sekisho.model.text import told_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.check.probe import DoorReport
    from sekisho.check.trial import Trial

DOORS_MAX: Final = 1_000


def described(report: DoorReport) -> dict[str, Any]:
    """Return a door's report as JSON values, without accounts, secrets and answers."""
    return {
        "door": report.door.name,
        "result": report.result.value,
        "number": report.hazard.number if report.hazard is not None else "",
        "advice": report.advice,
        "invented": _trial(report.invented),
        **({"known": _trial(report.known)} if report.known is not None else {}),
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "status": trial.status,
        "outcome": trial.outcome.value,
        "basis": trial.basis.value,
        **({"error": trial.error} if trial.error else {}),
    }


def as_answer(reports: Sequence[DoorReport]) -> bytes:
    """Encode reports as JSON, in the form in which a running service sends them."""
    return json.dumps([described(report) for report in reports]).encode()


def read_answer(body: bytes) -> list[dict[str, Any]] | None:
    """Read what `as_answer` wrote; None for any other text, such as a proxy's own page."""
    try:
        read = json.loads(body)
        is_ours = isinstance(read, list) and len(read) <= DOORS_MAX
        return [_described(each) for each in read] if is_ours else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _described(read: Any) -> dict[str, Any]:
    texts = {name: told_text(read[name]) for name in ("door", "result", "number", "advice")}
    trials = {who: _read_trial(read[who]) for who in ("invented", "known") if who in read}
    return {**texts, "invented": trials["invented"], **trials}


def _read_trial(read: Any) -> dict[str, Any]:
    texts = {name: told_text(read[name]) for name in ("outcome", "basis", "error") if name in read}
    return {"status": int(read["status"]), "outcome": texts["outcome"], "basis": texts["basis"], **texts}
