"""Tests success rules: sends log-ins with invented accounts through the application, and judges the answers."""

from __future__ import annotations

from sekisho.check.canary import Canary
from sekisho.check.probe import DoorReport, Probe, Result
from sekisho.check.routes import basic_beside, missing_protected, missing_routes, open_below

__all__ = [
    "Canary",
    "DoorReport",
    "Probe",
    "Result",
    "basic_beside",
    "missing_protected",
    "missing_routes",
    "open_below",
]
