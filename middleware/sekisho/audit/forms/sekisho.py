"""Our own dialect: the form of event files (docs/events.md), with what the audit adds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, final

from sekisho.audit.forms.own import own_fields
from sekisho.record.lines import VERSION, time_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.audit.disclosure import Told
    from sekisho.record import Event


@final
class SekishoForm:
    def line(self, event: Event, told: Told, total: int) -> tuple[str, str]:
        exact = {"name": told.name, "ip": told.ip}
        fields = {"v": VERSION, "time": time_text(event.at_us), **own_fields(event, told, total)}
        return _line({**fields, **{name: text for name, text in exact.items() if text}})

    def mark(self, kind: str, at_us: int, fields: Mapping[str, str | int]) -> tuple[str, str]:
        return _line({"v": VERSION, "time": time_text(at_us), "kind": kind, **fields})


def _line(fields: Mapping[str, object]) -> tuple[str, str]:
    return json.dumps(fields, separators=(",", ":"))[:-1], "}"
