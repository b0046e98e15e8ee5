"""Events and summaries as the page gets them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sekisho.console.tally import ANSWERED, DECIDED, PROOFS
from sekisho.record.lines import DETAILS

if TYPE_CHECKING:
    from sekisho.console.tally import Summary
    from sekisho.record import Event

REASONS_SHOWN: Final = 12
_CLIENT: Final = ("account", "address", "network", "device_class")


def summary_shown(summary: Summary) -> dict[str, Any]:
    """A summary as JSON: numbers by word, and the columns of the two charts."""
    sums = {word: sum(column) for word, column in summary.columns.items()}
    return {
        "start": summary.start_s,
        "step": summary.step_s,
        "sums": sums,
        "decided": {word: summary.columns[word] for word in DECIDED},
        "answered": {word: summary.columns[word] for word in ANSWERED},
        "proofs": {word: sums[word] for word in PROOFS},
        "reasons": summary.reasons[:REASONS_SHOWN],
        "doors": summary.doors,
        "networks": summary.networks,
        "accounts": summary.accounts,
    }


def event_shown(event: Event) -> dict[str, Any]:
    """An event as JSON: its time in Unix seconds, its kind, its details in their order, and whom it concerns."""
    details = [(name, getattr(event, name)) for name in DETAILS if getattr(event, name)]
    details += [(name, getattr(event.subject, name)) for name in _CLIENT if getattr(event.subject, name)]
    return {
        "at": event.at_us // 1_000_000,
        "kind": event.kind,
        "door": event.door,
        "reasons": list(event.reasons),
        "details": details,
        "times": event.times,
    }
