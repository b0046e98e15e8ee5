"""Elastic Common Schema 8.11 (https://www.elastic.co/docs/reference/ecs)."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final, final

from sekisho.audit.forms.own import line_with, mark_fields, own_fields, refused
from sekisho.record import Kind
from sekisho.record.lines import time_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.audit.disclosure import Told
    from sekisho.record import Event

VERSION: Final = "8.11.0"

_IAM: Final = frozenset({Kind.FACTOR_ENROLLED, Kind.FACTOR_CHANGED, Kind.NEW_PASSWORD, Kind.CHANGE_PASSWORD})
_CONFIGURATION: Final = frozenset({Kind.COMMANDED, Kind.MODE_CHANGED})
_OF_SERVICE: Final = frozenset(
    {
        Kind.POSTURE_CHANGED,
        Kind.DEGRADED,
        Kind.RECOVERED,
        Kind.STORE_EMPTIED,
        Kind.MISCONFIGURED,
        Kind.UNJUDGED,
        Kind.SUCCESS_RULE,
    }
)
_TRIED: Final = frozenset({Kind.DECIDED, Kind.SETTLED, Kind.UNREADABLE, Kind.CROWDED})
_OUTCOMES: Final = {"succeeded": "success", "failed": "failure", "unknown": "unknown"}
_OF_PROOFS: Final = {
    Kind.STEP_UP_PROVED: "success",
    Kind.STEP_UP_FAILED: "failure",
    Kind.STEP_UP_NOT_COMPLETED: "failure",
}


@final
class EcsForm:
    def __init__(self) -> None:
        self._service: Final = {"type": "sekisho", "version": version("sekisho")}

    def line(self, event: Event, told: Told, total: int) -> tuple[str, str]:
        category, types = _categorised(event)
        described = {
            "kind": "event", "category": category, "type": types, "action": event.kind, "outcome": _outcome(event),
            "reason": ",".join(event.reasons) or event.text, "dataset": "sekisho.audit", "provider": "sekisho",
        }  # fmt: skip
        user = {"hash": event.subject.account, "name": told.name}
        common = {
            **self._common(event.at_us, described),
            "user": {name: text for name, text in user.items() if text},
            "source": {"ip": told.ip} if told.ip else {},
        }
        return line_with(common, "sekisho", own_fields(event, told, total))

    def mark(self, kind: str, at_us: int, fields: Mapping[str, str | int]) -> tuple[str, str]:
        described = {"kind": "event", "action": kind, "dataset": "sekisho.audit", "provider": "sekisho"}
        return line_with(self._common(at_us, described), "sekisho", mark_fields(kind, fields))

    def _common(self, at_us: int, described: Mapping[str, object]) -> dict[str, object]:
        filled = {name: value for name, value in described.items() if value}
        return {"@timestamp": time_text(at_us), "ecs": {"version": VERSION}, "event": filled, "service": self._service}


def _categorised(event: Event) -> tuple[list[str], list[str]]:
    """`event.category` and `event.type`, of the words that ECS allows together."""
    if event.kind in _OF_SERVICE:
        return [], []
    if event.kind in _CONFIGURATION:
        return ["configuration"], ["change"]
    if event.kind in _IAM:
        return ["iam"], ["user", "change"]
    return ["authentication"], ["start" if event.kind in _TRIED else "info"]


def _outcome(event: Event) -> str:
    if refused(event):
        return "failure"
    if event.kind == Kind.SETTLED:
        return _OUTCOMES[event.result]
    return _OF_PROOFS.get(event.kind, "unknown" if event.kind == Kind.DECIDED else "")
