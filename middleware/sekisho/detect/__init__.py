"""Detects attacks that no single counter shows: state and I/O. `judge/posture.py` has the arithmetic."""

from __future__ import annotations

from sekisho.detect.exchange import PostureExchange
from sekisho.detect.places import MemoryPostures, StoredPostures
from sekisho.detect.watch import PostureWatch

__all__ = ["MemoryPostures", "PostureExchange", "PostureWatch", "StoredPostures"]
