"""Redis, over one connection that all callers share: batched, with a deadline; no command is sent twice.

The store is one server, the primary that Sentinels name, or the nodes of a Cluster with one connection each.

The vault keeps small values for a while: in Redis, or in memory for one worker.
"""

from __future__ import annotations

from sekisho.store.connection import StoreConnection
from sekisho.store.opening import AnyStoreConnection, is_cluster, open_to
from sekisho.store.options import LineOptions
from sekisho.store.redis_vault import RedisVault
from sekisho.store.refusals import refusals_told
from sekisho.store.script import Script
from sekisho.store.vault import MemoryVault, Vault

__all__ = [
    "AnyStoreConnection",
    "LineOptions",
    "MemoryVault",
    "RedisVault",
    "Script",
    "StoreConnection",
    "Vault",
    "is_cluster",
    "open_to",
    "refusals_told",
]
