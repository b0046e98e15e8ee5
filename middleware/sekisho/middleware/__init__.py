"""The guard as ASGI middleware: messages in, messages out, and nothing decided here."""

from __future__ import annotations

from sekisho.middleware.guarding import Cookie, GuardMiddleware, Reading
from sekisho.middleware.watch import Report

__all__ = ["Cookie", "GuardMiddleware", "Reading", "Report"]
