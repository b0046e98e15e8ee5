"""The guard as ASGI middleware: translates messages; the decisions are made elsewhere."""

from __future__ import annotations

from sekisho.middleware.guarding import Cookie, GuardMiddleware, Reading
from sekisho.middleware.passing import Passing
from sekisho.middleware.protect import as_doors
from sekisho.middleware.watch import Report

__all__ = ["Cookie", "GuardMiddleware", "Passing", "Reading", "Report", "as_doors"]
