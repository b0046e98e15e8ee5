"""The clock of guards in these tests."""

from __future__ import annotations

from tests.asgi.conftest import clock

__all__ = ["clock"]
