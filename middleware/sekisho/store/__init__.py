"""Redis, reached by one connection that everyone shares: batched, with a deadline, and never asked twice.

And the vault, for small things that are kept for a while: in Redis, or in memory for one worker.
"""

from __future__ import annotations

from sekisho.store.line import Line, Script
from sekisho.store.redis_vault import RedisVault
from sekisho.store.vault import MemoryVault, Vault

__all__ = ["Line", "MemoryVault", "RedisVault", "Script", "Vault"]
