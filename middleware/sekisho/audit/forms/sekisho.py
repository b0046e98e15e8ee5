"""Our own dialect: the form of event files (docs/events.md), with what the audit adds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sekisho.record.lines import as_fields, time_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.audit.disclosure import Told
    from sekisho.record import Event


class SekishoForm:
    def line(self, event: Event, told: Told, total: int) -> tuple[str, str]:
        fields = as_fields(event, told.subject)
        if told.name:
            fields["name"] = told.name
        if told.sealed:
            fields["sealed"] = told.sealed
        if told.ip:
            fields["ip"] = told.ip
        if total:
            fields["total"] = total
        return _head(fields), "}"

    def mark(self, kind: str, at_us: int, fields: Mapping[str, str | int]) -> tuple[str, str]:
        return _head({"v": 1, "time": time_text(at_us), "kind": kind, **fields}), "}"


def _head(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"))[:-1]
