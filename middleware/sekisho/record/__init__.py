"""What is kept of a decision once it is made: counts and log lines, with no name, address or secret in them."""

from __future__ import annotations

from sekisho.record.answers import Answers
from sekisho.record.events import Events
from sekisho.record.hook import AccountHook, Hook
from sekisho.record.refusals import RefusalLog

__all__ = ["AccountHook", "Answers", "Events", "Hook", "RefusalLog"]
