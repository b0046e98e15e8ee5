"""This guard with the limits it has when nobody sets any, behind one trusted hop."""

from __future__ import annotations

from benchmarks.apps.guard import guarded

app = guarded()
