"""What is kept of a decision once it is made: counts and log lines, with no name, address or secret in them."""

from __future__ import annotations

from sekisho.record.events import Events

__all__ = ["Events"]
