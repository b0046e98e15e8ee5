"""The clock of guards that are made here."""

from __future__ import annotations

from tests.middleware.conftest import clock

__all__ = ["clock"]
