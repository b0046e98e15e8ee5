"""The headers, method and path of a request, before any decision about it."""

from __future__ import annotations

from sekisho.read.request.headers import headers_by_name, read_headers
from sekisho.read.request.method import HARMLESS, announces_body, may_hide_body, overrides

__all__ = ["HARMLESS", "announces_body", "headers_by_name", "may_hide_body", "overrides", "read_headers"]
