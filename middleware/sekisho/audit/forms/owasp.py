"""OWASP's logging vocabulary (Application Logging Vocabulary Cheat Sheet).

Events for which it has no word keep our own, after `sekisho_`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.audit.chain import CLOSED, OPENED
from sekisho.audit.forms.own import line_with, mark_fields, own_fields, refused, user_id
from sekisho.record import Kind
from sekisho.record.lines import time_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.audit.disclosure import Told
    from sekisho.record import Event

_MARKS: Final = {OPENED: "sys_monitor_enabled:sekisho,audit", CLOSED: "sys_monitor_disabled:sekisho,audit"}
_OUTCOMES: Final = {"succeeded": ("authn_login_success", "INFO"), "failed": ("authn_login_fail", "WARN")}
_KINDS: Final = {
    Kind.UNREADABLE: ("input_validation_fail:request,", "WARN"),
    Kind.CROWDED: ("excess_rate_limit_exceeded:", "WARN"),
    Kind.STEP_UP_PROVED: ("authn_login_success:", "INFO"),
    Kind.STEP_UP_FAILED: ("authn_login_fail:", "WARN"),
    Kind.STEP_UP_NOT_COMPLETED: ("authn_login_fail:", "WARN"),
    Kind.CAP_REACHED: ("authz_fail:", "CRITICAL"),
}


@final
class OwaspForm:
    def line(self, event: Event, told: Told, total: int) -> tuple[str, str]:
        word, level = _described(event, told.name or user_id(event))
        method, _space, path = event.door.partition(" ")
        common = {
            "datetime": time_text(event.at_us).replace("Z", "+00:00"), "appid": "sekisho", "event": word,
            "level": level, "description": ", ".join((event.kind, *event.reasons)), "source_ip": told.ip,
            "request_method": method if path else "", "request_uri": path,
        }  # fmt: skip
        return line_with(common, "sekisho", own_fields(event, told, total))

    def mark(self, kind: str, at_us: int, fields: Mapping[str, str | int]) -> tuple[str, str]:
        common = {
            "datetime": time_text(at_us).replace("Z", "+00:00"), "appid": "sekisho", "event": _MARKS[kind],
            "level": "WARN", "description": kind,
        }  # fmt: skip
        return line_with(common, "sekisho", mark_fields(kind, fields))


def _described(event: Event, user: str) -> tuple[str, str]:
    """The word of the vocabulary with its arguments, and the level."""
    if event.kind == Kind.SETTLED and event.result in _OUTCOMES:
        word, level = _OUTCOMES[event.result]
        return f"{word}:{user}", level
    if event.kind == Kind.DECIDED and refused(event):
        word = "excess_rate_limit_exceeded" if event.action == "throttle" else "authn_login_fail"
        return f"{word}:{user}", "WARN"
    if event.kind in {Kind.COMMANDED, Kind.MODE_CHANGED}:
        return f"authz_admin:{event.by or 'operator'},{event.command or 'mode'}", "WARN"
    if event.kind in {Kind.FACTOR_ENROLLED, Kind.FACTOR_CHANGED}:
        return f"user_updated:{user},{user},{event.factor}:{event.result or 'added'}", "WARN"
    if event.kind in _KINDS:
        word, level = _KINDS[event.kind]
        return word + user, level
    return f"sekisho_{event.kind}:{user}", "INFO"
