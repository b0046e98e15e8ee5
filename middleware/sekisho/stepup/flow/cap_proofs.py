"""Proofs that were asked for beyond a cap: each is for one amount, and serves one request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.stepup.escrow import TICKET_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.store.vault import Vault


class CapProofs:
    """Belongs to one event loop.

    Args:
        vault: remembers which amounts a proof was asked for.
        keys: name its entries; a reader of the store learns no account.
        clock_s: Unix time.
    """

    def __init__(self, vault: Vault, keys: VaultKeys, *, clock_s: Callable[[], float]) -> None:
        self._vault = vault
        self._keys = keys
        self._clock_s = clock_s

    async def is_proved(self, key: bytes, amount: int, proved_s: int) -> bool:
        """Whether a proof was shown since it was asked for, for this amount or more. Each serves one request.

        Otherwise the proof that opened the route would open it for any sum. Proofs are dated in whole seconds: the one
        that was shown before the question does not answer it, and one that has served does not serve again in another
        session of the account. `key`: of the account's sums. Raises `StoreUnavailable`.
        """
        place = b"over" + key
        asked = await self._vault.take(place)
        if asked is not None:
            asked_s, asked_for = map(int, asked.split())
            if proved_s >= asked_s and amount <= asked_for and await self._serves(key, proved_s):
                return True
        asked_s = max(int(self._clock_s()), proved_s + 1)
        await self._vault.put(place, b"%d %d" % (asked_s, amount), seconds=TICKET_S)
        return False

    async def _serves(self, key: bytes, proved_s: int) -> bool:
        """Whether no request has passed by a proof of this second yet. Later than that, no question is that old."""
        return await self._vault.once(self._keys.of(b"served", key, b"%d" % proved_s), seconds=TICKET_S)
