"""Examines a deployment from outside the service: its settings, its store, its files, the way that requests come in."""

from __future__ import annotations

from sekisho.doctor.report import Report, Unseen
from sekisho.doctor.run import Place, examine

__all__ = ["Place", "Report", "Unseen", "examine"]
