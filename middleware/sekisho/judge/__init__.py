"""Signals in, a decision out. Pure."""

from __future__ import annotations

from sekisho.judge.policy import decide

__all__ = ["decide"]
