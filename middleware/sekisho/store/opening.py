"""Opens the kind of line that a store's URL asks for. The settings have checked the URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sekisho.settings.store import CLUSTER, SENTINEL
from sekisho.store.cluster import ClusterLine
from sekisho.store.connection import StoreConnection
from sekisho.store.sentinel import SentinelLine

if TYPE_CHECKING:
    from sekisho.store.options import LineOptions

AnyStoreConnection: TypeAlias = StoreConnection | ClusterLine
"""The ledger, the vault and the exchange use only the methods that all three share."""


def is_cluster(url: str) -> bool:
    """Whether a store's URL names a Redis Cluster, where all keys of one operation must be in one hash slot."""
    return url.partition("://")[0] in CLUSTER


def open_to(url: str, options: LineOptions) -> AnyStoreConnection:
    """Return a line to the store of a URL: one server, a Cluster or Sentinels. Belongs to the running event loop."""
    kind: type[AnyStoreConnection] = StoreConnection
    if is_cluster(url):
        kind = ClusterLine
    elif url.partition("://")[0] in SENTINEL:
        kind = SentinelLine
    return kind(url, options)
