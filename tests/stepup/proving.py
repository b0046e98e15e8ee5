"""Shared helpers for tests of factors: vaults, clocks and callers."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import VaultKeys
from sekisho.stepup.attempt_limits import AttemptLimits, CodeTrial
from sekisho.store import Script, StoreConnection
from sekisho.store.options import LineOptions
from sekisho.store.redis_vault import RedisVault
from sekisho.store.vault import MemoryVault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.store.vault import Vault

SECRETS = [b"s" * 32]
KEYS = VaultKeys(SECRETS)
SEALER = Sealer(SECRETS, clock_s=time.time)
NOW = 1_700_000_000
HOUR = 3_600
PATIENCE_US = 2_000_000  # for a shared machine: these tests are about who wins, not about speed


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class WatchedVault(MemoryVault):
    """Records the steps taken, as an observer of the store or of its timing sees them."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(entries_max=10_000, bytes_max=10_000_000, clock_s=clock)
        self.steps: list[str] = []

    async def get(self, key: bytes) -> bytes | None:
        self.steps.append("get")
        return await super().get(key)

    async def put(self, key: bytes, value: bytes, *, seconds: float, only_new: bool = False) -> bool:
        self.steps.append("put")
        return await super().put(key, value, seconds=seconds, only_new=only_new)

    async def count(self, key: bytes, *, seconds: float) -> int:
        self.steps.append("count")
        return await super().count(key, seconds=seconds)

    def contents(self) -> bytes:
        """Everything that a reader of the store sees."""
        return b"\n".join(key + b"=" + entry.value for key, entry in self._entries.items())


def memory(clock: Clock | None = None) -> WatchedVault:
    return WatchedVault(clock or Clock())


@asynccontextmanager
async def in_redis(url: str) -> AsyncIterator[RedisVault]:
    """A vault in a real Redis."""
    line = StoreConnection(url, LineOptions(Script("return ''", (), 1), PATIENCE_US))
    try:
        yield RedisVault(line, "shop")
    finally:
        await line.aclose()


def limits(vault: Vault) -> AttemptLimits:
    return AttemptLimits(vault, KEYS)


def trial(challenge: bytes = b"challenge", *, account: str = "owner-1", right: bool = True) -> CodeTrial:
    return CodeTrial(challenge, account, behind_right_secret=right)
