"""Redis, reached by one connection that everyone shares: batched, with a deadline, and never asked twice.

One server, the primary that Sentinels name, or the nodes of a Cluster with a connection each.

And the vault, for small things that are kept for a while: in Redis, or in memory for one worker.
"""

from __future__ import annotations

from sekisho.store.line import Line
from sekisho.store.opening import AnyLine, is_cluster, open_to
from sekisho.store.options import LineOptions
from sekisho.store.redis_vault import RedisVault
from sekisho.store.script import Script
from sekisho.store.vault import MemoryVault, Vault

__all__ = ["AnyLine", "Line", "LineOptions", "MemoryVault", "RedisVault", "Script", "Vault", "is_cluster", "open_to"]
