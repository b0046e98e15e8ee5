"""Campaigns: hostile attempts that belong together, found in written events."""

from __future__ import annotations

from sekisho.record.campaigns.grouping import Campaign, Entry, Found, find, find_in

__all__ = ["Campaign", "Entry", "Found", "find", "find_in"]
