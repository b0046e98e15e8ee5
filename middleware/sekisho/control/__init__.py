"""What an operator sets while the service runs: one authenticated record that every worker reads once a second."""

from __future__ import annotations

from sekisho.control.acts import Act
from sekisho.control.follow import follow
from sekisho.control.mac import ControlMac
from sekisho.control.places import ControlPlace, MemoryControl, StoredControl, change, earlier_in, record_in
from sekisho.control.record import EMPTY, ControlError, ControlRecord, ListEntry
from sekisho.control.state import Applied, ControlState

__all__ = [
    "EMPTY",
    "Act",
    "Applied",
    "ControlError",
    "ControlMac",
    "ControlPlace",
    "ControlRecord",
    "ControlState",
    "ListEntry",
    "MemoryControl",
    "StoredControl",
    "change",
    "earlier_in",
    "follow",
    "record_in",
]
