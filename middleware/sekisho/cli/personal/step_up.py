"""Reads and removes what the store keeps for step-ups of one account. Needs the packages of a site with factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sekisho.crypto.vault_keys import VaultKeys
from sekisho.ledger.redis_caps import RedisCaps
from sekisho.read import Digests
from sekisho.stepup.owner_counts import counts_of
from sekisho.store.redis_vault import RedisVault

if TYPE_CHECKING:
    from sekisho.settings import Settings
    from sekisho.store import AnyStoreConnection


class StepUpCounts:
    """Every method raises `StoreUnavailable`.

    Args:
        line: to the store.
        settings: the service's.
        canonical: the account's canonical name.
        owner: see `AccountOwner.counted_by`.
    """

    def __init__(self, line: AnyStoreConnection, settings: Settings, canonical: str, owner: str) -> None:
        keys, digest = VaultKeys(settings.listed), Digests(settings.secrets).account(canonical)
        self._vault = RedisVault(line, settings.namespace)
        self._caps = RedisCaps(line, settings.namespace)
        self._counts = counts_of(keys, owner)
        self._sums = {route.name: keys.of(b"caps", route.name, digest) for route in settings.caps}

    async def counts(self) -> dict[str, int]:
        """The account's counts of codes, letters and notices, by kind; counts of zero are left out."""
        found = {what: await self._vault.get(key) for what, key in self._counts.items()}
        # A mark says that something was done; it counts as one.
        return {what: int(value) if value.isdigit() else 1 for what, value in found.items() if value}

    async def sums(self) -> list[dict[str, Any]]:
        """The amounts that caps have summed for the account, by route, in minor units with Unix times in seconds."""
        return [
            {
                "route": route,
                "amounts": [
                    {"from": first_us // 1_000_000, "to": last_us // 1_000_000, "amount": amount}
                    for first_us, last_us, amount in entries
                ],
            }
            for route, key in self._sums.items()
            if (entries := await self._caps.entries(key))
        ]

    async def forget(self) -> None:
        for key in self._counts.values():
            await self._vault.forget(key)
        for key in self._sums.values():
            await self._caps.forget(key)
