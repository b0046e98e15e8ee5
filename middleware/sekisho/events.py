"""The events of the file that `SEKISHO_EVENTS_FILE` names, as values: see docs/events.md.

with open("/var/log/sekisho/events.jsonl", "rb") as file:
refused = sum(event.times for event in replay(file) if event.kind == Kind.DECIDED)
"""

from __future__ import annotations

from sekisho.record.events import Event, Kind, Subject
from sekisho.record.replay import ReplayError, replay

__all__ = ["Event", "Kind", "ReplayError", "Subject", "replay"]
