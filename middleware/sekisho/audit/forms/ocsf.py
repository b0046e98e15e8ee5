"""OCSF 1.3.0 (https://schema.ocsf.io): attempts and proofs are Authentication (3002), all else is Base Event (0)."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final, final

from sekisho.audit.forms.own import line_with, mark_fields, own_fields, refused, user_id
from sekisho.record import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.audit.disclosure import Told
    from sekisho.record import Event

VERSION: Final = "1.3.0"
AUTHENTICATION: Final = 3002
LOGON, OTHER = 1, 99
UNKNOWN, SUCCESS, FAILURE = 0, 1, 2
INFORMATIONAL, LOW, MEDIUM = 1, 2, 3

_ATTEMPTS: Final = frozenset(
    {
        Kind.DECIDED,
        Kind.SETTLED,
        Kind.UNREADABLE,
        Kind.CROWDED,
        Kind.STEP_UP_ISSUED,
        Kind.STEP_UP_PROVED,
        Kind.STEP_UP_FAILED,
        Kind.STEP_UP_NOT_COMPLETED,
    }
)
_FACTORS: Final = {"webauthn": 10, "totp": 7, "email": 8}
_RESULTS: Final = {"succeeded": SUCCESS, "failed": FAILURE}
_SEVERE: Final = frozenset({Kind.DEGRADED, Kind.STORE_EMPTIED, Kind.MISCONFIGURED, Kind.COMMANDED, Kind.MODE_CHANGED})


@final
class OcsfForm:
    def __init__(self) -> None:
        product = {"name": "sekisho", "vendor_name": "sekisho", "version": version("sekisho")}
        self._metadata: Final = {"version": VERSION, "product": product, "log_name": "audit"}

    def line(self, event: Event, told: Told, total: int) -> tuple[str, str]:
        is_attempt = event.kind in _ATTEMPTS
        common = self._attempt(event, told) if is_attempt else self._base(event.kind, event.at_us, _severity(event))
        return line_with({**common, "count": event.times}, "unmapped", own_fields(event, told, total))

    def mark(self, kind: str, at_us: int, fields: Mapping[str, str | int]) -> tuple[str, str]:
        return line_with(self._base(kind, at_us, INFORMATIONAL), "unmapped", mark_fields(kind, fields))

    def _base(self, kind: str, at_us: int, severity: int) -> dict[str, object]:
        return {
            "class_uid": 0, "category_uid": 0, "activity_id": OTHER, "activity_name": kind, "type_uid": OTHER,
            "time": at_us // 1000, "severity_id": severity, "metadata": self._metadata, "message": kind,
        }  # fmt: skip

    def _attempt(self, event: Event, told: Told) -> dict[str, object]:
        user = {"uid": user_id(event), "type_id": 0, **({"name": told.name} if told.name else {})}
        source = {"uid": event.subject.address, "ip": told.ip}
        factor = {"factor_type_id": _FACTORS.get(event.factor, OTHER), "factor_type": event.factor}
        return {
            "class_uid": AUTHENTICATION, "category_uid": AUTHENTICATION // 1000, "activity_id": LOGON,
            "type_uid": AUTHENTICATION * 100 + LOGON, "time": event.at_us // 1000, "severity_id": _severity(event),
            "status_id": _status(event), "status_detail": ",".join(event.reasons), "metadata": self._metadata,
            "message": event.kind, "user": user, "service": {"name": event.door or "sekisho"}, "is_remote": True,
            "is_mfa": event.kind == Kind.STEP_UP_PROVED, "auth_factors": [factor] if event.factor else [],
            "src_endpoint": {name: text for name, text in source.items() if text},
        }  # fmt: skip


def _status(event: Event) -> int:
    if refused(event) or event.kind in {Kind.STEP_UP_FAILED, Kind.STEP_UP_NOT_COMPLETED}:
        return FAILURE
    return SUCCESS if event.kind == Kind.STEP_UP_PROVED else _RESULTS.get(event.result, UNKNOWN)


def _severity(event: Event) -> int:
    if event.kind in _SEVERE:
        return MEDIUM
    return LOW if _status(event) == FAILURE else INFORMATIONAL
