"""Records decisions as counts and log lines that contain no name, address or secret."""

from __future__ import annotations

from sekisho.record.answers import Answers
from sekisho.record.events import Events
from sekisho.record.hook import AccountHook, Hook
from sekisho.record.refusals import RefusalLog

__all__ = ["AccountHook", "Answers", "Events", "Hook", "RefusalLog"]
