"""Campaigns: hostile attempts that belong together, found in written events."""

from __future__ import annotations

from sekisho.record.campaigns.grouping import Campaign, EnteredAccount, FoundCampaigns, campaigns_in, find_in

__all__ = ["Campaign", "EnteredAccount", "FoundCampaigns", "campaigns_in", "find_in"]
