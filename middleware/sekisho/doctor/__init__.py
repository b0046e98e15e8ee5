"""Examines a deployment from outside the service: its settings, its store, its files, the way that requests come in."""

from __future__ import annotations

from sekisho.doctor.report import DoctorReport, Unseen
from sekisho.doctor.run import ServicePlace, examine

__all__ = ["DoctorReport", "ServicePlace", "Unseen", "examine"]
