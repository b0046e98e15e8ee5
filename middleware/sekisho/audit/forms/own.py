"""The part that the lines of other dialects have in our own words, at their end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sekisho.record.lines import as_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.audit.disclosure import Told
    from sekisho.record import Event


def own_fields(event: Event, told: Told, total: int) -> dict[str, object]:
    """Return an event's fields in our own words, without time, name and address: each dialect has fields for these."""
    fields = as_fields(event, told.subject)
    del fields["time"]
    if told.sealed:
        fields["sealed"] = told.sealed
    if event.times != 1:
        fields["total"] = total
    return fields


def mark_fields(kind: str, fields: Mapping[str, str | int]) -> dict[str, object]:
    return {"v": 1, "kind": kind, **fields}


def line_with(common: Mapping[str, object], name: str, own: Mapping[str, object]) -> tuple[str, str]:
    """Encode a line in two parts, between which its link belongs: `common`, and at the end `own` under `name`.

    Empty fields of `common` are left out.
    """
    found = {key: value for key, value in common.items() if value not in ("", None, {}, [])}
    return json.dumps({**found, name: own}, separators=(",", ":"))[:-2], "}}"


def user_id(event: Event) -> str:
    return event.subject.account or "unknown"


def refused(event: Event) -> bool:
    """Whether an event tells of an attempt that was not let in: refused or challenged, unreadable, or crowded out."""
    if event.kind == "decided":
        return event.action != "allow"
    return event.kind in {"unreadable", "crowded"}
