"""Redis, reached by one connection that everyone shares: batched, with a deadline, and never asked twice."""

from __future__ import annotations

from sekisho.store.line import Line, Script

__all__ = ["Line", "Script"]
