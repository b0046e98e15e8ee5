"""Records what happens as counts, log lines and events that contain no name, address or secret."""

from __future__ import annotations

from sekisho.record.answers import Answers
from sekisho.record.counts import Counts
from sekisho.record.event_file import event_file
from sekisho.record.event_writer import EventWriter, Output
from sekisho.record.events import Event, Exact, Handle, HandleKey, Kind, Subject
from sekisho.record.hook import AccountHook, Hook
from sekisho.record.lines import LineError
from sekisho.record.recorder import Events, Sink
from sekisho.record.refusals import RefusalLog
from sekisho.record.replay import ReplayError, replay
from sekisho.record.subjects import Subjects

__all__ = [
    "AccountHook",
    "Answers",
    "Counts",
    "Event",
    "EventWriter",
    "Events",
    "Exact",
    "Handle",
    "HandleKey",
    "Hook",
    "Kind",
    "LineError",
    "Output",
    "RefusalLog",
    "ReplayError",
    "Sink",
    "Subject",
    "Subjects",
    "event_file",
    "replay",
]
