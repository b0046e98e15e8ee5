"""The operator's page: what the log of events tells of the last day, and what is in force. It changes nothing."""

from __future__ import annotations

from sekisho.console.site import Console, Service, Unknown
from sekisho.console.tally import DAY_S, Tally

__all__ = ["DAY_S", "Console", "Service", "Tally", "Unknown"]
