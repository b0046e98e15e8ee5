"""The feed: addresses that the limits refuse, with the end of each refusal, for what stands in front of the service.

Workers note refusals (`notes`) and publish them (`publisher`) in one short-lived key of the store (`entries`).
`sekisho feed` reads it (`reader`) and keeps a firewall or a proxy in step with it (`following`, `fronts`).
"""

from __future__ import annotations

from sekisho.feed.entries import FeedMac
from sekisho.feed.notes import RefusalNotes
from sekisho.feed.publisher import FeedPublisher
from sekisho.feed.reader import FeedReader

__all__ = ["FeedMac", "FeedPublisher", "FeedReader", "RefusalNotes"]
