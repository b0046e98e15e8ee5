"""Our own dialect: the form of event files (docs/events.md), with what the audit adds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, final

from sekisho.record.flood import SORTS_MAX
from sekisho.record.lines import DETAILS, VERSION, time_text

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from sekisho.audit.disclosure import Told
    from sekisho.record import Event

_START: Final = f'{{"v":{VERSION},"time":"'


@final
class SekishoForm:
    """Builds lines as text: most of one is the same for all events of its sort, which is kept."""

    def __init__(self) -> None:
        self._middles: dict[Hashable, str] = {}

    def line(self, event: Event, told: Told, total: int, sort: Hashable) -> tuple[str, str]:
        middle = self._middles.get(sort)
        if middle is None:
            middle = self._middle(event, sort)
        parts = [_START, time_text(event.at_us), '",', middle]
        if event.times != 1:
            parts.append(f',"times":{event.times},"total":{total}')
        subject = event.subject
        # Digests, networks and words: nothing in them is to be escaped.
        parts += [f',"{name}":"{text}"' for name in told.subject if (text := getattr(subject, name))]
        if told.ip or told.name or told.sealed:
            parts.append(_told(told))
        return "".join(parts), "}"

    def mark(self, kind: str, at_us: int, fields: Mapping[str, str | int]) -> tuple[str, str]:
        marked = {"v": VERSION, "time": time_text(at_us), "kind": kind, **fields}
        return json.dumps(marked, separators=(",", ":"))[:-1], "}"

    def _middle(self, event: Event, sort: Hashable) -> str:
        fields: dict[str, object] = {name: getattr(event, name) for name in ("kind", "door", *DETAILS, "reasons")}
        middle = json.dumps({name: value for name, value in fields.items() if value}, separators=(",", ":"))[1:-1]
        if len(self._middles) < SORTS_MAX:
            self._middles[sort] = middle
        return middle


def _told(told: Told) -> str:
    fields = {"name": told.name, "sealed": told.sealed, "ip": told.ip}
    return "," + json.dumps({name: text for name, text in fields.items() if text}, separators=(",", ":"))[1:-1]
